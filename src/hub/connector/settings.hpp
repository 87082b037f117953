// What a hub's owner says of a connector: where devices already report to, and what of it is meant. Kept in
// the registry as a document; docs/connectors.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fieldwatch::hub {

/// An Event Hubs compatible endpoint, as its connection string names it.
struct EventHubAddress {
    std::string host;
    std::uint16_t port = 5671;
    std::string entity;  ///< the event hub's name
    std::string policy, key;
};
/// `Endpoint=sb://HOST[:PORT]/;SharedAccessKeyName=…;SharedAccessKey=…;EntityPath=…`. Errors:
/// InvalidArgument, with what is missing.
Result<EventHubAddress> parse_event_hub_address(std::string_view connection_string);

/// Topics of a broker whose messages are a device's.
struct TopicMapping {
    std::string pattern;    ///< levels of text, `+`, `{device}`, and `#` at the end
    bool security = false;  ///< bodies are security messages, not telemetry

    std::string filter() const;  ///< as it is subscribed to
    /// Who sent what came on `topic`; "" when it is not of this mapping.
    std::string_view device_of(std::string_view topic) const;
};
/// Errors: InvalidArgument.
Result<void> check_pattern(std::string_view pattern);

struct ConnectorSettings {
    enum class Kind : std::uint8_t { EventHubs, Mqtt };
    static constexpr std::size_t kTopicsMax = 32;

    std::string name;  ///< lower-case letters, digits and -
    Kind kind = Kind::EventHubs;
    bool enabled = true;
    bool register_devices = true;  ///< who is heard of first becomes a device of the hub, without a known key
    std::string ca_pem;            ///< whom to trust over TLS; "" = the system's authorities

    // Of EventHubs.
    std::string connection;  ///< secret
    EventHubAddress events;
    std::string consumer_group = "$Default";
    bool from_earliest = false;  ///< where a partition begins that was never read

    // Of Mqtt.
    bool tls = true;
    std::string host;
    std::uint16_t port = 8883;
    std::string client_id;       ///< its session at the broker is ours as long as the name stays
    std::string user, password;  ///< the latter secret
    std::vector<TopicMapping> topics;
    std::string log_topic;        ///< of Mosquitto's or EMQX's events; "" = none
    std::string log_file;         ///< of Mosquitto on this machine; "" = none
    bool device_is_user = false;  ///< in that log a device is its user name, not its client id
};
std::string_view to_string(ConnectorSettings::Kind kind);

/// As a person or the registry wrote it. Errors: InvalidArgument, naming the member and what is allowed.
Result<ConnectorSettings> read_connector(std::string_view name, std::string_view json);
enum class ConnectorSecrets : std::uint8_t { Hidden, Shown };
std::string to_json(const ConnectorSettings& settings, ConnectorSecrets secrets);

}  // namespace fieldwatch::hub
