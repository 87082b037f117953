// Folds repeats of one event kind: the first occurrence goes out at once, later ones are counted and leave as
// one event when the window closes (spec/agent.md section 4, spec/security-messages.md section 6).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <unordered_map>

#include "agent/aggregation/observation.hpp"
#include "base/hash.hpp"

namespace fieldwatch::agent {

/// One thread. Bounded: kEntriesMax entries, kBytesMax bytes; past either the window closes early (nothing is
/// lost).
class Aggregator {
  public:
    static constexpr std::size_t kEntriesMax = 1'024;      // four times the micro agent's table
    static constexpr std::size_t kBytesMax = 512 * 1'024;  // of the agent's 12 MiB

    using Emit = std::function<void(const Observation&)>;

    /// True: the first of its like in this window, send it. False: counted. May emit the whole table before.
    bool add(const Observation& observation, const Emit& emit);
    /// Emits an event for each entry that was repeated, and begins a new window.
    void flush(const Emit& emit);
    /// Closes the window when it is older than `interval`; `now` is monotonic.
    void tick(std::chrono::nanoseconds now, std::chrono::nanoseconds interval, const Emit& emit);
    /// When the window ends, monotonic; INT64_MAX while nothing is in it.
    std::int64_t due_ns(std::chrono::nanoseconds interval) const {
        return entries_.empty() ? INT64_MAX : (window_began_ + interval).count();
    }

    std::size_t size() const { return entries_.size(); }
    std::uint64_t early_flushes() const { return early_flushes_; }

  private:
    struct Entry {
        Observation observation;
        std::uint64_t repeats = 0;
        std::int64_t first_ms = 0, last_ms = 0;  // of the repeats
        std::uint32_t sample_pids[3] = {};
        std::uint8_t samples = 0;
    };
    std::unordered_map<Hash128, Entry, HashOfHash128> entries_;
    std::size_t bytes_ = 0;
    std::uint64_t early_flushes_ = 0;
    std::chrono::nanoseconds window_began_{-1};
};

}  // namespace fieldwatch::agent
