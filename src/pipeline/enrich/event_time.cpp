#include "pipeline/enrich/event_time.hpp"

#include <algorithm>

#include "detect/state.hpp"

namespace fieldwatch::pipeline {
namespace {

/// Beside the number of samples: the time of the last of them follows. States of before it have none.
constexpr std::uint8_t kDated = 0x80;

}  // namespace

// How far the device's clock is behind ours; negative = ahead.
Ticks EventTimes::offset_of(Device& device, Timestamp received, Ticks behind) {
    if (device.behind.empty() || received - device.sampled >= kApart) {
        if (device.behind.size() == kAgreeing) device.behind.erase(device.behind.begin());
        device.behind.push_back(behind.count());
        device.sampled = received;
    }
    if (behind < -kTrusted) return behind;  // from the future: certainly the clock
    if (behind <= kTrusted || device.behind.size() < kAgreeing) return Ticks{0};
    const auto [least, most] = std::minmax_element(device.behind.begin(), device.behind.end());
    const auto lowest = std::min(*least, behind.count()), highest = std::max(*most, behind.count());
    const bool steady = highest - lowest <= kTrusted.count() && lowest > kTrusted.count();
    return steady ? Ticks{lowest} : Ticks{0};
}

void EventTimes::apply(std::string_view identity, Timestamp received, std::span<model::Event> events) {
    if (events.empty()) return;
    auto newest = kTimestampMin;
    for (const auto& event : events)
        newest = std::max(newest, event.device_time);
    const auto offset = offset_of(devices_.get(identity), received, received - newest);
    if (offset.count() != 0) ++corrected_;
    const auto corrected = [&](Timestamp time) { return std::min(time + offset, received); };
    for (auto& event : events) {
        event.time = corrected(event.device_time);
        event.window_start = corrected(event.window_start);
        event.window_end = corrected(event.window_end);
        event.late = received - event.time > kLate;
    }
}

void EventTimes::save(ByteWriter& out) const {
    out.u64(corrected_);
    out.u64(devices_.evictions());
    out.u32(static_cast<std::uint32_t>(devices_.size()));
    for (const auto& [key, device] : devices_) {
        out.text(key);
        out.u8(static_cast<std::uint8_t>(device.behind.size() | kDated));
        out.i64(device.sampled.ticks);
        for (const auto ticks : device.behind)
            out.i64(ticks);
    }
}

Result<void> EventTimes::restore(ByteReader& in) {
    devices_.clear();
    corrected_ = FIELDWATCH_TRY(in.u64());
    devices_.set_evictions(FIELDWATCH_TRY(in.u64()));
    const auto count = FIELDWATCH_TRY(in.u32());
    if (count > kDevicesMax) return fail(Errc::Corrupt, "more devices than the table of clocks holds");
    for (std::uint32_t i = 0; i < count; ++i) {
        auto& device = devices_.get(FIELDWATCH_TRY(in.text()));
        auto size = FIELDWATCH_TRY(in.u8());
        if ((size & kDated) != 0) device.sampled = FIELDWATCH_TRY(detect::read_time(in));
        size = static_cast<std::uint8_t>(size & ~kDated);
        if (size > kAgreeing || !device.behind.empty())
            return fail(Errc::Corrupt, "more clock samples than are kept");
        for (std::uint8_t k = 0; k < size; ++k)
            device.behind.push_back(FIELDWATCH_TRY(detect::read_amount(in)));
    }
    return {};
}

}  // namespace fieldwatch::pipeline
