// Routes: which messages of a hub go where, as its configuration says. Source: spec/iot-hub-protocols.md
// sections 7.5 and 11 (routable hub events); docs/routes.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "hub/query/expression.hpp"
#include "hub/routing/routed_message.hpp"

namespace fieldwatch::hub {

/// Where messages go besides the built-in endpoint.
struct RouteEndpoint {
    enum class Kind : std::uint8_t { File, Webhook, Kafka, Nats };
    std::string name;  ///< lower-case letters, digits and -; never "events"
    Kind kind = Kind::File;
    std::string url;     ///< webhook: whole, with its path; Kafka and NATS: bus/bus.hpp
    std::string ca_pem;  ///< all but file: whom to trust over TLS; "" = the system's authorities
    std::uint64_t file_bytes_max = 64u << 20;  ///< file: then the next one begins
    std::size_t files_max = 16;                ///< file: then the oldest goes
    std::chrono::hours keep{24};  ///< how long a message waits for an endpoint that does not take it
    friend bool operator==(const RouteEndpoint&, const RouteEndpoint&) = default;
};
std::string_view to_string(
    RouteEndpoint::Kind kind);  ///< "file", "webhook", "kafka", "nats": as the configuration spells it

struct MessageRoute {
    std::string name;
    RouteSource source = RouteSource::DeviceMessages;
    query::Expression condition;
    std::vector<std::string> endpoints;
    bool enabled = true;

    bool takes(const RoutedMessage& message) const;
    bool leads_to(std::string_view endpoint) const;
};

/// The member `routing` of a hub's configuration. Immutable once parsed.
class Routing {
  public:
    static constexpr std::string_view kEvents = "events";  ///< the built-in, Event Hubs compatible endpoint
    static constexpr std::size_t kRoutesMax = 100, kEndpointsMax = 10;  ///< the public service's

    /// Without the member: no routes, everything to the built-in endpoint. Errors: InvalidArgument, naming
    /// the route or endpoint and what is allowed; a condition's with its place.
    static Result<Routing> parse(std::string_view configuration_json);

    const std::vector<RouteEndpoint>& endpoints() const { return endpoints_; }
    const std::string& text() const { return text_; }  ///< what was parsed: equal texts, equal routing
    /// Whether there is anything to decide about the built-in endpoint.
    bool selects_events() const;
    /// Whether the message is for the built-in endpoint: a route leads it there, or none takes it and the
    /// fallback is on.
    bool to_events(const RoutedMessage& message) const;
    /// The routes that lead it to this endpoint; empty = none does, and it is not for it.
    std::vector<std::string_view> routes_to(std::string_view endpoint, const RoutedMessage& message) const;
    /// Whether any route leads messages of these sources to the endpoint.
    bool reads_messages(std::string_view endpoint) const;
    bool reads_hub_events(std::string_view endpoint) const;

  private:
    std::vector<RouteEndpoint> endpoints_;
    std::vector<MessageRoute> routes_;
    bool fallback_ = true;
    std::string text_;
};

}  // namespace fieldwatch::hub
