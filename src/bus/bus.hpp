// Streams that others run: Kafka's protocol through librdkafka, NATS JetStream through its own client. Both
// answer for what they took. Routes of a hub and exports of findings lead here (ADR 0093, 0175).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fieldwatch::bus {

enum class Kind : std::uint8_t { Kafka, Nats };

/// `kafka://HOST:9092[,HOST:9092]/TOPIC`, `nats://HOST:4222/SUBJECT`; `kafkas` and `natss` over TLS.
struct Address {
    Kind kind = Kind::Kafka;
    bool tls = false;
    std::string servers;  ///< HOST:PORT, several with commas between them
    std::string topic;    ///< or subject
};
/// Errors: InvalidArgument, with what is expected.
Result<Address> parse_address(std::string_view url);

struct Options {
    std::string ca_pem;          ///< whom to trust over TLS; "" = the system's authorities
    std::string user, password;  ///< "" = nobody asks
    std::chrono::milliseconds timeout{30'000};
};

/// Views of what outlives the delivery.
struct Message {
    std::string_view key;  ///< Kafka: messages of one key stay in order
    std::string_view id;   ///< NATS: `Nats-Msg-Id`, by which the stream knows repeats
    std::string_view text;
};

/// One thread, but for interrupt().
class Bus {
  public:
    virtual ~Bus() = default;
    /// The stream has all of them when it returns. Otherwise some may have arrived, and none comes later.
    /// Errors: InvalidArgument when it will never take these messages; with any other they are tried again.
    virtual Result<void> deliver(std::span<const Message> messages) = 0;
    /// Ends a delivery that is under way, for good. Any thread.
    virtual void interrupt() = 0;
};

/// Kafka: all in-sync replicas have what was taken. NATS: a stream of JetStream must have the subject.
/// Connects when the first messages come. Errors: InvalidArgument (the client does not take these settings).
Result<std::unique_ptr<Bus>> open(Address address, Options options);

Result<std::unique_ptr<Bus>> open_kafka(Address address, Options options);
Result<std::unique_ptr<Bus>> open_nats(Address address, Options options);

}  // namespace fieldwatch::bus
