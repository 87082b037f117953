// Who is at the other end of a CONNECT: decided from the registry, a token or a certificate.
// Source: spec/iot-hub-protocols.md sections 1.2, 2.3, 3.1.
#pragma once

#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "hub/network_rules.hpp"
#include "hub/operation.hpp"
#include "hub/routing/routing.hpp"
#include "net/mailbox.hpp"
#include "net/tls_context.hpp"
#include "protocol/mqtt/packet.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::hub {

class TelemetryMetrics;

/// A hub with what is read out of its configuration once.
struct KnownHub : registry::Hub {
    NetworkRules rules;
    std::shared_ptr<const Routing> routing;           ///< null when all messages go to the built-in endpoint
    std::shared_ptr<const TelemetryMetrics> metrics;  ///< null when it chose none
    std::vector<std::string> authorities_pem;         ///< of devices' certificates, proven to be the owner's
    /// Of devices that provisioning registered, by SHA-256 thumbprint: each counts for the entries that name
    /// it.
    std::map<std::string, std::string, std::less<>> enrollment_authorities_pem;
};

/// Kind of the documents that hold the latter: {"certificate": PEM}, under the thumbprint in lower-case hex.
inline constexpr std::string_view kEnrollmentAuthority = "enrollment-authority";

/// The hubs by name, read again when the registry has changed. Any thread.
class HubCache {
  public:
    explicit HubCache(registry::Registry& registry) : registry_(registry) {}
    /// The hub that `host` names (port ignored): by its host names, its own name, or its name as first label.
    /// With a single hub that lists no names, any host is it. Null when there is none.
    std::shared_ptr<const KnownHub> find(std::string_view host);
    std::vector<std::shared_ptr<const KnownHub>> all() { return *current(); }

  private:
    using Hubs = std::vector<std::shared_ptr<const KnownHub>>;
    struct State {
        std::shared_ptr<const Hubs> hubs = std::make_shared<const Hubs>();
        std::optional<std::uint64_t> seen;
    };
    std::shared_ptr<const Hubs> current();

    registry::Registry& registry_;
    net::Guarded<State> state_;
};

struct Credentials {
    std::string_view host;  ///< of the user name
    std::string_view device, module;
    std::optional<std::string_view> password;
    std::optional<net::PeerCertificate> certificate;
    std::string_view address, tls_version;  ///< of the connection, for the hub's network rules
};

struct Admission {
    model::Identity identity;
    std::string generation_id;
    std::string auth_type;            ///< JSON text of section 2.3
    std::optional<Timestamp> expiry;  ///< of the token
    ShownCertificate certificate;
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

/// The refusal by a hub's network rules, if they refuse; else the rule that let the connection in ("" =
/// none).
std::expected<std::string, Refusal> judge_network(const KnownHub& hub, std::string_view address,
                                                  std::string_view tls_version);

/// What the registry says now of an identity that is connected: 0, or the code to close with; 500001 when it
/// cannot be read.
int standing(registry::Registry& registry, const model::Identity& identity);

}  // namespace fieldwatch::hub
