// Who calls the hub as a service, and what that policy may: the five rights of
// spec/iot-hub-protocols.md section 2.2.
#pragma once

#include "hub/authentication.hpp"

namespace fieldwatch::hub {

enum class Right : std::uint8_t { RegistryRead, RegistryWrite, ServiceConnect, DeviceConnect };
std::string_view to_string(Right right);

struct ServiceCaller {
    model::HubName hub;
    registry::Policy policy;                 ///< without its keys
    std::string scope_device, scope_module;  ///< what a narrower token opens; "" = everything
    Timestamp expiry;
    bool mask_addresses = false;

    bool may(Right right) const;
    /// Whether the token's scope covers that identity ("" = the hub as a whole).
    bool covers(std::string_view device, std::string_view module) const;
};

/// `host` is what the caller connected to, "" = take the token's. Errors as authenticate(): 401003.
std::expected<ServiceCaller, Refusal> authenticate_service(std::string_view token_text, std::string_view host,
                                                           HubCache& hubs, const Clock& clock,
                                                           AuthenticationLimits limits);

/// {"scope":"hub","type":"sas","issuer":"iothub",…} of a policy's token.
std::string service_auth_type();

}  // namespace fieldwatch::hub
