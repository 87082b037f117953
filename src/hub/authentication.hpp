// Who is at the other end of a CONNECT: decided from the registry, a token or a certificate.
// Source: spec/iot-hub-protocols.md sections 1.2, 2.3, 3.1.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "net/tls_context.hpp"
#include "protocol/mqtt/packet.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::hub {

/// The hubs by name, read again when the registry has changed. One a core.
class HubCache {
  public:
    explicit HubCache(registry::Registry& registry) : registry_(registry) {}
    /// The hub that `host` names (port ignored): by its host names, its own name, or its name as first label.
    /// With a single hub that lists no names, any host is it. Null when there is none. Valid until the next
    /// call.
    const registry::Hub* find(std::string_view host);

  private:
    registry::Registry& registry_;
    std::vector<registry::Hub> hubs_;
    std::optional<std::uint64_t> seen_;
};

struct Credentials {
    std::string_view host;  ///< of the user name
    std::string_view device, module;
    std::optional<std::string_view> password;
    std::optional<net::PeerCertificate> certificate;
};

struct Admission {
    model::Identity identity;
    std::string generation_id;
    std::string auth_type;            ///< JSON text of section 2.3
    std::optional<Timestamp> expiry;  ///< of the token
    std::string certificate_thumbprint;
    bool mask_addresses = false;
};

/// Why not, for the log; the client sees CONNACK 5 whatever it was, so that mending the key heals the device.
struct Refusal {
    mqtt::ConnackCode code = mqtt::ConnackCode::NotAuthorized;
    int result = 401003;
    std::string_view reason;  ///< authFailureReason of spec/hub-signals.md section 2; "" = none of them
    std::string_view description;
    model::HubName hub;       ///< empty: no hub of ours was named
    bool registered = false;  ///< the identity exists
    bool mask_addresses = false;
};

struct AuthenticationLimits {
    Ticks clock_skew{};
};

std::expected<Admission, Refusal> authenticate(const Credentials& credentials, HubCache& hubs,
                                               registry::Registry& registry, const Clock& clock,
                                               AuthenticationLimits limits);

/// What the registry says now of an identity that is connected: 0, or the code to close with.
int standing(registry::Registry& registry, const model::Identity& identity);

}  // namespace fieldwatch::hub
