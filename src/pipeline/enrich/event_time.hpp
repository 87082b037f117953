// When an event happened, as far as the device's clock can be believed: design 3a "Time". A wrong clock moves
// only its own device's events.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/bounded_table.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "model/event.hpp"

namespace fieldwatch::pipeline {

/// One strand.
class EventTimes {
  public:
    static constexpr Ticks kTrusted = std::chrono::minutes(2);  ///< a clock this close is right
    static constexpr Ticks kLate = std::chrono::hours(72);      ///< later than this: stored and counted only
    static constexpr std::size_t kDevicesMax = 100'000;
    /// So many messages must agree before a clock counts as slow: a spool that is being emptied looks alike,
    /// but its delay shrinks from message to message.
    static constexpr std::size_t kAgreeing = 8;
    /// And so far apart: what comes late in one go, be it event by event, keeps its own time, else it would
    /// be torn apart where the eighth message moves the rest.
    static constexpr Ticks kApart = std::chrono::minutes(2);

    /// Sets time, window and lateness of one message's events, which are all of `identity`.
    void apply(std::string_view identity, Timestamp received, std::span<model::Event> events);

    std::uint64_t corrected() const { return corrected_; }
    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    struct Device {
        std::vector<std::int64_t> behind;  ///< received minus newest stamp of earlier messages, ticks
        Timestamp sampled;                 ///< when the last of them came
    };
    static Ticks offset_of(Device& device, Timestamp received, Ticks behind);

    BoundedTable<Device> devices_{kDevicesMax};
    std::uint64_t corrected_ = 0;
};

}  // namespace fieldwatch::pipeline
