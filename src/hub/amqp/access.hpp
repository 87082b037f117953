// Who an AMQP connection has shown to be: tokens put on $cbs (or given to SASL PLAIN), or a certificate.
// Source: spec/iot-hub-protocols.md sections 1.2, 2.3, 5.2, 5.5.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/authentication.hpp"
#include "hub/service_access.hpp"

namespace fieldwatch::hub {

/// What a token of the Event Hubs form opens.
struct EventAccess {
    model::HubName hub;
    std::string policy;
    Timestamp expiry;
    bool mask_addresses = false;
};

/// A token over `sb://host/entity…`: the key's text is the HMAC key (trap 3). Errors as authenticate().
std::expected<EventAccess, Refusal> authenticate_events(std::string_view token_text, HubCache& hubs,
                                                        const Clock& clock, AuthenticationLimits limits);

/// Whether a token's resource is of that form.
bool is_event_token(std::string_view token_text);

/// The hub that an Event Hubs entity names: its own name, or `messages/events` with the host's.
std::shared_ptr<const KnownHub> hub_of_entity(std::string_view entity, std::string_view host, HubCache& hubs);

}  // namespace fieldwatch::hub
