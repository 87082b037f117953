// A fleet of virtual devices from its first to its last day, as recorded input, with the truth about every
// attack beside it. The same options give the same bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwatch::simulate {

struct FleetOptions {
    static constexpr std::uint32_t kDevicesMax = 100'000, kDaysMax = 366;

    std::uint64_t seed = 1;
    std::uint32_t devices = 50;
    std::uint32_t days = 2;
    Timestamp start;
    std::string hub = "plant";
    std::vector<std::string> attacks;  ///< names of scripts, each once on a device of its own
    std::uint32_t update_day = 0;      ///< the day, from 1 on, in whose night all get new firmware; 0: never
};

struct FleetReport {
    std::uint64_t records = 0, messages = 0;
};

/// Gives lines, each with its newline, in the order of their receipt, a slot of five minutes at a time; and
/// lines of truth: `{"device","script","step","alert","start","end"}`, one for each step that must raise an
/// alert, and
/// `{"event":"firmware-update",…}`. Errors: InvalidArgument with what is wrong; whatever a sink returns.
using TextSink = std::function<Result<void>(std::string_view)>;
Result<FleetReport> simulate_fleet(const FleetOptions& options, const TextSink& records,
                                   const TextSink& truth);

}  // namespace fieldwatch::simulate
