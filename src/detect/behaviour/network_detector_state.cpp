// What a network detector knows, as a checkpoint keeps it.
#include "detect/behaviour/network_detector.hpp"

namespace fieldwatch::detect {

void NetworkDetector::save(ByteWriter& out) const {
    out.u32(static_cast<std::uint32_t>(devices_.size()));
    out.u64(devices_.evictions());
    devices_by_contact_.save(out);
    for (const auto& [key, device] : devices_) {
        out.text(key);
        out.i64(device.first.ticks);
        out.i64(device.window);
        out.i64(device.long_window);
        out.i64(device.day);
        out.i64(device.attack.ticks);
        out.i64(device.answered.ticks);
        device.ports.save(out);
        device.long_ports.save(out);
        device.day_ports.save(out);
        device.hour.save(out);
        out.f64(device.sent.packets_out);
        out.f64(device.sent.packets_in);
        out.u8(device.sent.raised ? 1 : 0);
        device.destinations.save(out);
        device.contacts.save(out);
        out.f64(static_cast<double>(device.standard.addresses));
        out.f64(static_cast<double>(device.standard.flows));
        out.f64(static_cast<double>(device.standard.bytes_out));
        out.u32(device.standard.windows);
        out.u64(device.standard.polled);
        for (const auto* const filter : {&device.standard.ports, &device.standard.nets})
            for (const auto word : *filter)
                out.u64(word);
        out.u32(device.new_port_flows);
        out.u16(device.new_port);
        out.i64(device.rare_raised.ticks);
    }
}

Result<void> NetworkDetector::restore(ByteReader& in) {
    devices_.clear();
    const auto count = FIELDWATCH_TRY(read_count(in, kDevicesMax));
    const auto evictions = FIELDWATCH_TRY(in.u64());
    FIELDWATCH_TRY(devices_by_contact_.restore(in));
    const auto usual = [](double value) { return value >= 0 && value < 1e9; };
    for (std::uint32_t i = 0; i < count; ++i) {
        auto& device = devices_.get(FIELDWATCH_TRY(in.text()));
        device.first = FIELDWATCH_TRY(read_time(in));
        device.window = FIELDWATCH_TRY(read_amount(in));
        device.long_window = FIELDWATCH_TRY(read_amount(in));
        device.day = FIELDWATCH_TRY(read_amount(in));
        device.attack = FIELDWATCH_TRY(read_time(in));
        device.answered = FIELDWATCH_TRY(read_time(in));
        FIELDWATCH_TRY(device.ports.restore(in));
        FIELDWATCH_TRY(device.long_ports.restore(in));
        FIELDWATCH_TRY(device.day_ports.restore(in));
        FIELDWATCH_TRY(device.hour.restore(in));
        device.sent.packets_out = FIELDWATCH_TRY(in.f64());
        device.sent.packets_in = FIELDWATCH_TRY(in.f64());
        device.sent.raised = FIELDWATCH_TRY(in.u8()) != 0;
        FIELDWATCH_TRY(device.destinations.restore(in));
        FIELDWATCH_TRY(device.contacts.restore(in));
        const double addresses = FIELDWATCH_TRY(in.f64());
        const double flows = FIELDWATCH_TRY(in.f64());
        const double bytes_out = FIELDWATCH_TRY(in.f64());
        if (!usual(addresses) || !usual(flows) || !(bytes_out >= 0 && bytes_out < 1e30))
            return fail(Errc::Corrupt, "a device's standard is out of range");
        device.standard.addresses = static_cast<float>(addresses);
        device.standard.flows = static_cast<float>(flows);
        device.standard.bytes_out = static_cast<float>(bytes_out);
        device.standard.windows = FIELDWATCH_TRY(in.u32());
        device.standard.polled = FIELDWATCH_TRY(in.u64());
        for (auto* const filter : {&device.standard.ports, &device.standard.nets})
            for (auto& word : *filter)
                word = FIELDWATCH_TRY(in.u64());
        device.new_port_flows = FIELDWATCH_TRY(in.u32());
        device.new_port = FIELDWATCH_TRY(in.u16());
        device.rare_raised = FIELDWATCH_TRY(read_time(in));
    }
    devices_.set_evictions(evictions);
    return {};
}

}  // namespace fieldwatch::detect
