#include "hub/service_access.hpp"

#include <algorithm>

#include "protocol/sas/token.hpp"

namespace fieldwatch::hub {

std::string_view to_string(Right right) {
    switch (right) {
        case Right::RegistryRead:
            return "RegistryRead";
        case Right::RegistryWrite:
            return "RegistryWrite";
        case Right::ServiceConnect:
            return "ServiceConnect";
        case Right::DeviceConnect:
            return "DeviceConnect";
    }
    return "";
}

bool ServiceCaller::may(Right right) const {
    switch (right) {
        case Right::RegistryRead:
            return policy.registry_read;
        case Right::RegistryWrite:
            return policy.registry_write;
        case Right::ServiceConnect:
            return policy.service_connect;
        case Right::DeviceConnect:
            return policy.device_connect;
    }
    return false;
}

bool ServiceCaller::covers(std::string_view device, std::string_view module) const {
    if (scope_device.empty()) return true;
    return scope_device == device && (scope_module.empty() || scope_module == module);
}

std::string service_auth_type() {
    return R"({"scope":"hub","type":"sas","issuer":"iothub","acceptingIpFilterRule":null})";
}

std::expected<ServiceCaller, Refusal> authenticate_service(std::string_view token_text, std::string_view host,
                                                           HubCache& hubs, const Clock& clock,
                                                           AuthenticationLimits limits) {
    const auto token = sas::parse_token(token_text);
    if (!token) {
        return std::unexpected(
            Refusal{.reason = "SasMalformed", .description = "This is no shared access signature."});
    }
    const auto scope = sas::parse_resource(token->resource);
    if (!scope) {
        return std::unexpected(
            Refusal{.reason = "SasMalformed", .description = "The token's resource is no hub or device."});
    }
    const auto found = hubs.find(host.empty() ? scope->host : host);
    if (found == nullptr) return std::unexpected(Refusal{.description = "No hub has this host name."});
    const auto& hub = *found;
    Refusal refusal{.hub = hub.name, .mask_addresses = hub.mask_addresses};
    const auto refuse = [&](std::string_view reason, std::string_view description) {
        refusal.reason = reason;
        refusal.description = description;
        return std::unexpected(refusal);
    };
    const auto scope_hub = hubs.find(scope->host);
    if (scope_hub == nullptr || scope_hub->name != hub.name)
        return refuse("SasBadSignature", "The token is for another hub.");
    const auto policy = std::find_if(hub.policies.begin(), hub.policies.end(),
                                     [&](const registry::Policy& one) { return one.name == token->policy; });
    if (token->policy.empty() || policy == hub.policies.end())
        return refuse("SasBadSignature", "The token names no policy of this hub.");
    if (!sas::verify(*token, policy->keys.primary) && !sas::verify(*token, policy->keys.secondary))
        return refuse("SasBadSignature", "The token's signature does not match.");
    if (token->expiry + limits.clock_skew <= clock.now())
        return refuse("SasExpired", "The sas token has expired.");
    ServiceCaller caller{.hub = hub.name,
                         .policy = *policy,
                         .scope_device = std::string(scope->device),
                         .scope_module = std::string(scope->module),
                         .expiry = token->expiry,
                         .mask_addresses = hub.mask_addresses};
    caller.policy.keys = {};
    return caller;
}

}  // namespace fieldwatch::hub
