#include "detect/hub_switches.hpp"

#include "detect/state.hpp"

namespace fieldwatch::detect {

HubSwitches::Change HubSwitches::apply(std::string_view hub, const HubDocument& document) {
    auto& held = hubs_.get(hub);
    const auto before = held;
    held.security = document.security_enabled.value_or(held.security);
    held.twin_data = document.twin_data.value_or(held.twin_data);
    held.addresses = document.address_collection.value_or(held.addresses);
    return {.security_on = !before.security && held.security,
            .twin_data_off = before.twin_data && !held.twin_data};
}

bool HubSwitches::twin_data(std::string_view hub) const {
    const auto* const held = hubs_.peek(hub);
    return held == nullptr || held->twin_data;
}

bool HubSwitches::address_collection(std::string_view hub, const Settings& settings) const {
    const auto* const held = hubs_.peek(hub);
    return settings.ip_collection || (held != nullptr && held->addresses);
}

void HubSwitches::save(ByteWriter& out) const {
    out.u32(static_cast<std::uint32_t>(hubs_.size()));
    for (const auto& [name, hub] : hubs_) {
        out.text(name);
        out.u8(static_cast<std::uint8_t>((hub.security ? 1 : 0) | (hub.twin_data ? 2 : 0) |
                                         (hub.addresses ? 4 : 0)));
    }
}

Result<void> HubSwitches::restore(ByteReader& in) {
    hubs_.clear();
    const auto count = FIELDWATCH_TRY(read_count(in, kHubsMax));
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto name = FIELDWATCH_TRY(in.text());
        const auto bits = FIELDWATCH_TRY(in.u8());
        hubs_.get(name) = {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0};
    }
    return {};
}

}  // namespace fieldwatch::detect
