// One connection of the load generator above TLS: how a device says a message in its protocol, and hears that
// it is durable.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace load {

/// A line of the clients' file.
struct Client {
    std::string id, user, password, topic;
};

[[noreturn]] void die(const std::string& what);

class Conversation {
  public:
    struct Heard {
        bool ready = false;            ///< publishes may be sent
        bool refused = false;          ///< whatever it was: the load is not as it was meant to be
        std::size_t acknowledged = 0;  ///< publishes, in the order they were sent
    };
    virtual ~Conversation() = default;
    /// TLS is established. What is to be sent is appended to `out`, here and below.
    virtual Heard begin(std::string& out) = 0;
    /// Takes whole packets off the front of `in`.
    virtual Heard received(std::string& in, std::string& out) = 0;
    virtual void publish(std::string_view body, std::string& out) = 0;
};

/// MQTT 3.1.1, QoS 1.
std::unique_ptr<Conversation> mqtt_conversation(const Client& client);
/// AMQP 1.0 on qpid-proton: the token by put-token, then a telemetry link.
std::unique_ptr<Conversation> amqp_conversation(const Client& client);
/// HTTP/1.1 with the connection kept: a request a message, one at a time if the window is 1.
std::unique_ptr<Conversation> https_conversation(const Client& client);

}  // namespace load
