// When the server stood still: what did not come then says nothing of who should have sent it.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwatch::detect {

/// Known by the server's ticks, which come every five seconds and lie in the log like all else. Recorded
/// input has none, and no outages. One strand.
class Outages {
  public:
    static constexpr Ticks kGapMin = std::chrono::minutes(1);  ///< between ticks: less is a pause
    static constexpr std::size_t kMax = 64;                    ///< the oldest is forgotten first

    void tick(Timestamp now);
    /// Log time has moved on: what ends an outage need not be a tick.
    void advance(Timestamp now);
    /// How much of a span the server stood still.
    Ticks within(Timestamp from, Timestamp to) const;

    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    std::vector<std::pair<Timestamp, Timestamp>> list_;  // oldest first
    Timestamp last_{0};                                  // when it was last known to run
};

}  // namespace fieldwatch::detect
