// Endpoints of routes that are streams of others: Kafka's protocol through librdkafka, NATS JetStream through
// its own client. Both answer for what they took; only then does a route move on.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "hub/routing/route_sink.hpp"

namespace fieldwatch::hub {

/// `kafka://HOST:9092[,HOST:9092]/TOPIC`, `nats://HOST:4222/SUBJECT`; `kafkas` and `natss` over TLS.
struct BusAddress {
    RouteEndpoint::Kind kind = RouteEndpoint::Kind::Kafka;
    bool tls = false;
    std::string servers;  ///< HOST:PORT, several with commas between them
    std::string topic;    ///< or subject
};
/// Errors: InvalidArgument, with what is expected.
Result<BusAddress> parse_bus_address(std::string_view url);

struct BusOptions {
    std::string hub;
    std::string user, password;  ///< "" = nobody asks
    std::chrono::milliseconds timeout{30'000};
};

/// Key: the device, so that a device's messages stay in order. All in-sync replicas have them when they are
/// taken. Errors: InvalidArgument (the client does not take these settings).
Result<std::unique_ptr<RouteSink>> open_kafka_sink(const RouteEndpoint& endpoint, BusOptions options);
/// A stream of JetStream must have the subject. Messages carry `Nats-Msg-Id: HUB/PARTITION/OFFSET`, by which
/// the stream knows repeats. Errors: InvalidArgument.
Result<std::unique_ptr<RouteSink>> open_nats_sink(const RouteEndpoint& endpoint, BusOptions options);

/// What the text of a message, as to_json() writes it, says of itself; "" when it does not.
std::string_view device_in(std::string_view message);
std::string id_in(std::string_view message, std::string_view hub);  ///< HUB/PARTITION/OFFSET

}  // namespace fieldwatch::hub
