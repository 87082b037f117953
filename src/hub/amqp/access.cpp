#include "hub/amqp/access.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "protocol/sas/token.hpp"

namespace fieldwatch::hub {

namespace {

struct EventResource {
    std::string_view host, entity;
};

std::optional<EventResource> parse_event_resource(std::string_view resource) {
    constexpr std::string_view kSchemes[] = {"sb://", "amqps://", "amqp://"};
    const auto* const scheme = std::find_if(std::begin(kSchemes), std::end(kSchemes), [&](auto one) {
        return sas::same_host(resource.substr(0, one.size()), one);
    });
    if (scheme == std::end(kSchemes)) return std::nullopt;
    resource.remove_prefix(scheme->size());
    const auto slash = std::min(resource.find('/'), resource.size());
    EventResource found{.host = resource.substr(0, slash), .entity = resource.substr(slash)};
    while (found.entity.starts_with('/'))
        found.entity.remove_prefix(1);
    return found;
}

}  // namespace

bool is_event_token(std::string_view token_text) {
    const auto token = sas::parse_token(token_text);
    return token && parse_event_resource(token->resource).has_value();
}

std::shared_ptr<const KnownHub> hub_of_entity(std::string_view entity, std::string_view host,
                                              HubCache& hubs) {
    const auto end = std::min(entity.find('/'), entity.size());
    const auto first = entity.substr(0, end);
    const auto second = entity.substr(std::min(end + 1, entity.size())).substr(0, 6);
    // The hub behind the host, when it is named so or not named at all; else the hub of that name.
    auto by_host = hubs.find(host);
    const bool unnamed =
        entity.empty() || (sas::same_host(first, "messages") && sas::same_host(second, "events"));
    if (by_host != nullptr && (unnamed || sas::same_host(by_host->name.value, first))) return by_host;
    if (unnamed) return nullptr;
    const auto by_name = hubs.find(first);
    return by_name != nullptr && sas::same_host(by_name->name.value, first) ? by_name : nullptr;
}

std::expected<EventAccess, Refusal> authenticate_events(std::string_view token_text, HubCache& hubs,
                                                        const Clock& clock, AuthenticationLimits limits) {
    Refusal refusal;
    const auto refuse = [&](std::string_view reason, std::string_view description) {
        refusal.reason = reason;
        refusal.description = description;
        return std::unexpected(refusal);
    };
    const auto token = sas::parse_token(token_text);
    if (!token) return refuse("SasMalformed", "This is no shared access signature.");
    const auto resource = parse_event_resource(token->resource);
    if (!resource) return refuse("SasMalformed", "The token's resource is no event hub.");
    const auto found = hub_of_entity(resource->entity, resource->host, hubs);
    if (found == nullptr) return refuse("", "No hub has this event hub.");
    refusal.hub = found->name;
    refusal.mask_addresses = found->mask_addresses;
    const auto policy = std::find_if(found->policies.begin(), found->policies.end(),
                                     [&](const registry::Policy& one) { return one.name == token->policy; });
    if (policy == found->policies.end() || !policy->service_connect) {
        return refuse("SasBadSignature",
                      "The token's policy does not exist or does not let services connect.");
    }
    // sas::verify() decodes the key it is given: here the key is its text.
    const auto verifies = [&](const std::string& key) {
        return !key.empty() && sas::verify(*token, base64(as_bytes(key)));
    };
    if (!verifies(policy->keys.primary) && !verifies(policy->keys.secondary))
        return refuse("SasBadSignature", "The token's signature does not match.");
    if (token->expiry + limits.clock_skew <= clock.now())
        return refuse("SasExpired", "The sas token has expired.");
    return EventAccess{.hub = found->name,
                       .policy = policy->name,
                       .expiry = token->expiry,
                       .mask_addresses = found->mask_addresses};
}

}  // namespace fieldwatch::hub
