// What automatic configurations want of twins, and what still differs. Source: spec/iot-hub-protocols.md
// section 7.7.
#pragma once

#include "hub/https/call.hpp"

namespace fieldwatch::hub {

inline constexpr std::size_t kTargetsMax = 10'000;  ///< of one configuration; it is left out above, and said

struct ConfigurationChange {
    model::Identity identity;
    std::string patch_json;  ///< of desired properties
};

/// Over all configurations of the hub, the one of higher priority last: devices whose desired properties are
/// not what their configurations say. Blocks on the registry.
std::vector<ConfigurationChange> pending_configuration(Shared& shared, const model::HubName& hub);

/// How many of these devices have what a configuration says. Blocks on the registry.
std::size_t count_applied(Shared& shared, const std::vector<model::Identity>& targets, const Json& patch);

/// `{"properties.desired.a.b": v}` as the patch `{"a":{"b":v}}`; `{"properties.desired": {…}}` as it stands.
/// Errors: InvalidArgument for a key that is neither.
Result<Json> desired_patch(const Json& content);

}  // namespace fieldwatch::hub
