// Devices, modules and twins as the service API writes and reads them.
// Source: spec/iot-hub-protocols.md sections 7.2 and 7.4.
#pragma once

#include "hub/https/call.hpp"

namespace fieldwatch::hub {

/// Who is connected, since when, and what waits.
struct Liveness {
    bool connected = false;
    Timestamp connection_changed, last_activity;  ///< ticks 0 = never
    std::uint64_t commands = 0;
};
/// What this server has seen, and before that what the registry kept.
Liveness liveness_of(Shared& shared, const registry::Entry& entry);

Json identity_json(const registry::Entry& entry, const Liveness& live);
Json twin_json(const registry::Entry& entry, const registry::Twin& twin, const Liveness& live);

/// Reads `status`, `statusReason`, `authentication` and `capabilities` over `entry`; what is absent stays.
/// Errors: InvalidArgument.
Result<void> read_identity(const Json& body, registry::Entry& entry);

std::string_view auth_type_name(registry::AuthType type);

}  // namespace fieldwatch::hub
