// A believable month of raw events for query benchmarks: a fleet with daily lives, the same rows for the same
// seed, written through Workspace::commit and sealed as in life.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwatch::bench {

struct RawEventSet {
    std::string directory;            ///< of the workspace; may exist: a finished set is left as it is
    std::uint64_t rows = 10'000'000;  ///< over the whole span
    std::uint32_t devices = 2'000;
    std::uint32_t days = 7;
    Timestamp end;  ///< the rows lie in the `days` before it
    std::uint64_t seed = 1;
};

/// Writes the set; about a minute for a million rows on one core. Errors: those of Workspace::commit.
Result<void> write_raw_event_set(const RawEventSet& set);

}  // namespace fieldwatch::bench
