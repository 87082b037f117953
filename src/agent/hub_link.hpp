// The agent's connection to its hub: MQTT 3.1.1 over TLS as a module, spec/iot-hub-protocols.md section 3.
// Never blocks; reconnects with exponential back-off and full jitter.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "agent/response/request.hpp"
#include "base/clock.hpp"
#include "base/random.hpp"
#include "net/tls_client.hpp"
#include "protocol/sas/connection_string.hpp"

namespace fieldwatch::agent {

struct HubLinkOptions {
    sas::ConnectionString identity;  ///< its host "" = none is known yet: nothing is tried before move_to()
    std::string connect_host;        ///< "" = the identity's gateway or host
    std::uint16_t port = 0;          ///< 0 = the one HostName names, else 8883
    std::string ca_file;
    std::string ca_pem = {};  ///< the same as text, in place of a file
    std::string certificate;  ///< PEM, for an identity of X.509; with its private key, unless that is apart
    std::optional<net::PrivateKey> private_key = {};
    std::string agent_version;
    bool methods = false;  ///< take direct methods
};

/// One thread. Errors never end it: they end the connection, are told, and the next attempt is planned.
class HubLink {
  public:
    struct Handlers {
        std::function<void()> ready;                          ///< session up, twin asked for
        std::function<void(std::string_view twin)> twin;      ///< answer of GET
        std::function<void(std::string_view patch)> desired;  ///< change of desired
        std::function<void(int status)> reported;             ///< answer of PATCH
        /// A direct method: its answer's status and JSON. Only with HubLinkOptions::methods.
        std::function<std::pair<int, std::string>(std::string_view method, std::string_view payload)> method;
        std::function<void(std::uint64_t tag)> acknowledged;  ///< a publish is durable at the hub
        std::function<void(const Error&, std::int64_t retry_ms)>
            lost;  ///< nothing in flight is known to have arrived
    };
    HubLink(HubLinkOptions options, Handlers handlers, const Clock& clock, Random& random);

    /// Moves what can move; call when fd() is ready or wake_ns() has come.
    void advance();
    int fd() const;  ///< -1: none now
    short wanted_events() const;
    std::int64_t wake_ns() const;  ///< monotonic

    /// The hub's address of the connection that stands; nothing if there is none.
    std::optional<NetworkAddress> peer() const;
    /// Connects there from now on, whatever the name's address is; nullopt = by name again.
    void pin(std::optional<NetworkAddress> address) { pinned_ = address; }
    /// From now on another hub, or the same: tried at once. What is in flight is told as lost.
    void move_to(std::string host_name, std::string device_id);
    const std::string& host_name() const { return options_.identity.host_name; }
    const std::string& device_id() const { return options_.identity.device_id; }

    bool is_ready() const { return state_ == State::Ready; }
    /// The last attempt ended because the hub does not let this identity in.
    bool is_refused() const { return refused_; }
    std::size_t in_flight() const { return in_flight_.size(); }
    /// QoS 1; `tag` comes back with acknowledged(). Only when ready.
    void publish(std::string_view property_bag, std::string_view body, std::uint64_t tag);
    void report(std::string_view body);
    void get_twin();
    void disconnect();  ///< says goodbye; no reconnect until advance() is called again

  private:
    enum class State : std::uint8_t { Idle, Connecting, AwaitConnack, Ready };
    void find_address();
    void begin();
    Result<void> step();
    Result<void> send_connect();
    Result<void> pump_out();
    Result<void> pump_in();
    Result<void> take_frames();
    Result<void> take_publish(std::string_view topic, std::string_view body);
    Result<void> keep_alive();
    void fail_with(const Error& error);
    bool is_retry_due() const;
    std::int64_t clock_offset_seconds() const;
    std::uint16_t next_packet_id();
    std::string scope() const;

    HubLinkOptions options_;
    Handlers handlers_;
    const Clock& clock_;
    Random& random_;
    State state_ = State::Idle;
    std::string host_;  // where to connect
    std::uint16_t port_ = 0;
    bool refused_ = false;
    std::optional<NetworkAddress> pinned_;
    std::optional<net::TlsClient> tls_;
    Bytes in_, out_;
    std::size_t out_sent_ = 0;
    std::map<std::uint16_t, std::uint64_t> in_flight_;  // packet id -> tag
    std::uint16_t packet_id_ = 0;
    std::uint32_t request_ = 0;
    std::uint32_t twin_request_ = 0;
    unsigned failures_ = 0;
    std::int64_t next_attempt_ns_ = 0;
    std::int64_t attempt_offset_seconds_ = 0;  // wall clock less monotonic, at the last attempt
    std::int64_t deadline_ns_ = 0;             // of connecting, or of the ping's answer
    std::int64_t next_ping_ns_ = 0;
    std::int64_t renew_ns_ = 0;
    bool ping_sent_ = false;
};

}  // namespace fieldwatch::agent
