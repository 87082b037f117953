// AMQP 1.0 as a state machine over bytes: qpid-proton's engine inside, nothing of it outside. Bytes in and
// out, what the peer asks as calls on a Peer, links and deliveries by number. ADR 0060.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "protocol/amqp/value.hpp"

namespace fieldwatch::amqp {

using LinkId = std::uint64_t;      ///< unique in the connection, never 0
using DeliveryId = std::uint64_t;  ///< likewise; unknown ones are ignored, so that a late answer does no harm

enum class Outcome : std::uint8_t { Accepted, Rejected, Released, Modified };

/// What a client asks a link to be. For a link on which the client sends, `address` is the target's.
struct Attach {
    LinkId link = 0;
    std::uint64_t session = 0;  ///< equal for links of one AMQP session, while it stands
    bool client_sends = false;
    std::string name;
    std::string address;
    std::string other_address;   ///< of the client's own end
    Value properties;            ///< map, or null
    Value filter;                ///< of the source: map, or null
    bool wants_metrics = false;  ///< com.microsoft:enable-receiver-runtime-metric is among its capabilities
};

struct Condition {
    std::string name;  ///< "amqp:not-found"; "" = none
    std::string description;
};

struct SaslAttempt {
    std::string_view mechanism;
    std::string_view user, password;  ///< of PLAIN
};

/// The peer, as the hub hears it. Calls come from inside Engine::received() and ::tick().
class Peer {
  public:
    virtual ~Peer() = default;
    virtual bool authenticate(const SaslAttempt& attempt) = 0;  ///< PLAIN only; the others decide later
    virtual void opened(std::string_view hostname, std::string_view container) = 0;
    /// To be answered by Engine::accept() or refuse(), now or later.
    virtual void attached(Attach attach) = 0;
    /// `settled`: the client waits for no answer. Otherwise answer by Engine::settle().
    virtual void message(LinkId link, DeliveryId delivery, ByteView bytes, bool settled) = 0;
    virtual void credit(LinkId link) = 0;  ///< the client takes more on this link
    virtual void outcome(LinkId link, DeliveryId delivery, Outcome outcome) = 0;
    virtual void detached(LinkId link) = 0;  ///< by the client, or with its session or connection
    /// The same with what the other end says of it.
    virtual void ended(LinkId link, const Condition&) { detached(link); }
    virtual void answered(LinkId) {}  ///< a link that we opened stands
    virtual void closed() = 0;        ///< the client closed the connection in good order
};

struct EngineOptions {
    std::string container = "fieldwatch";
    std::uint32_t frame_bytes_max = 65'536;
    std::uint16_t channel_max = 255;
    std::chrono::milliseconds idle_timeout{240'000};  ///< as advertised; the peer is dropped after twice that
    std::size_t links_max = 128;                      ///< 32 partitions' receivers and their tokens
    std::size_t message_bytes_max = 1u << 20;         ///< of one transfer, a batch of messages at the most
    std::string connect_to;  ///< we are the client, of this host: SASL ANONYMOUS, one session; "" = the hub
};

/// One strand. The Peer outlives it.
class Engine {
  public:
    Engine(Peer& peer, const EngineOptions& options);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Takes all of `input`. False: the connection is over, for an error of AMQP or because it was closed;
    /// what take_output() yields is still to be sent.
    bool received(ByteView input);
    void take_output(Bytes& out);  ///< appends
    /// Time passes: empty frames, idle timeout. Returns when it wants to be called again; 0 = not needed.
    /// Also to be called once the peer has opened: from then on it may want frames from us.
    std::chrono::milliseconds tick(std::chrono::milliseconds now);
    bool finished() const;
    std::string error() const;  ///< of the transport, "" when there was none

    /// Answers an attach as it was asked. Credit is of a link on which the client sends.
    void accept(LinkId link, int credit);
    void refuse(LinkId link, const Condition& condition);
    void detach(LinkId link, const Condition& condition);  ///< an open link
    void close(const Condition& condition);                ///< the connection

    /// Links of ours, of a client. `name` is also the address of our own end. Credit is kept up like
    /// accept's.
    LinkId open_receiver(const std::string& name, const std::string& address, const Value& filter,
                         int credit);
    LinkId open_sender(const std::string& name, const std::string& address);

    void settle(DeliveryId delivery, Outcome outcome, const Condition& condition = {});
    int credit_of(LinkId link) const;  ///< how much the client still takes, less what is queued
    /// Sends one message unsettled. 0 when the link is gone or takes no more.
    DeliveryId send(LinkId link, ByteView message, bool settled = false);

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwatch::amqp
