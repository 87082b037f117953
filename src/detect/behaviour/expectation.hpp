// What people said of the standard behaviour of devices: that something is expected, or that it never is.
// Part of the settings, so that the log says what decided. docs/decisions/0195.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwatch::detect {

enum class Verdict : std::uint8_t {
    Usual,      ///< nobody said anything
    Expected,   ///< nothing is told
    Unexpected  ///< told at three quarters of the usual threshold
};
std::string_view to_string(Verdict verdict);  ///< lower case
/// By how much a threshold moves, in its own unit of strangeness: a score, or the digits of a probability.
double threshold_factor(Verdict verdict);
inline constexpr double kLowestFactor = 0.75;  ///< what lies below it is told under no verdict

/// What a verdict may be about. Log time tells whether it still holds.
struct Behaviour {
    std::string_view hub, device;
    std::string_view type;   ///< of the alert
    std::string_view cause;  ///< a metric, a feature, or a name as the device showed it
    Timestamp now;
};

/// One line of feedback. Empty texts are all; a device may end with `*`: all that begin so.
struct Expectation {
    Verdict verdict = Verdict::Usual;
    std::string hub, device, type, cause;
    Timestamp until;

    bool covers(const Behaviour& behaviour) const;
};

/// The verdict of the last line that covers it: who speaks later knows more.
Verdict verdict_on(const Behaviour& behaviour, const std::vector<Expectation>& expectations);

inline constexpr std::size_t kExpectationsMax = 1'000;  ///< asked in turn, for what is unusual only

/// `[{"verdict","until","hub"?,"device"?,"type"?,"cause"?,"by"?,"note"?}]`. Errors: InvalidArgument.
Result<std::vector<Expectation>> parse_expectations(const nlohmann::json& lines);

}  // namespace fieldwatch::detect
