// One identity on one AMQP connection: what the hub tells it, and what its links bring.
// Source: spec/iot-hub-protocols.md section 5.3.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "hub/amqp/link.hpp"
#include "hub/authentication.hpp"
#include "hub/core.hpp"
#include "hub/twin.hpp"
#include "protocol/amqp/address.hpp"

namespace fieldwatch::hub {

class AmqpSession;

/// Registered under its identity from the moment the connection has shown a token or certificate for it. The
/// session's strand; the session owns it.
class DeviceEndpoint final : public Endpoint {
  public:
    DeviceEndpoint(AmqpSession& session, Admission admission);
    ~DeviceEndpoint() override;

    const model::Identity& identity() const { return speaker_.identity; }
    void renew(const Admission& admission);  ///< a newer token for the same identity
    void set_client_version(std::string_view text);
    /// When the token no longer carries it; none for a certificate.
    std::optional<Timestamp> token_end() const { return token_end_; }
    bool lapsed(Timestamp now) const { return token_end_ && now >= *token_end_; }
    void lapse();  ///< ends it for that; it is gone afterwards
    /// Says goodbye in the log; once.
    void leave(int result, std::string_view description);

    std::unique_ptr<AmqpLink> open(const amqp::Attach& attach, amqp::Node node);
    /// Answers a delivery that the journal has, or could not take.
    void durable(amqp::DeliveryId delivery, bool ok);
    /// Takes what waits for the journal or for the device's rate; false when some of it still does.
    bool take_held();
    void journal_has_space() { waiting_for_space_ = false; }

    void desired_changed(const registry::TwinChange& change) override;
    void commands_waiting() override;
    bool call_method(const MethodRequest& request) override;
    void end(int result, std::string_view description) override;

  private:
    friend class TelemetryLink;
    friend class CommandLink;
    friend class MethodLink;
    friend class TwinLink;

    struct Held {
        amqp::DeliveryId delivery = 0;
        Bytes bytes;
        bool settled = false;
        std::size_t from = 0;  ///< of a batch: those before are with the journal
    };
    struct Pending {
        std::size_t waiting = 0;  ///< messages of it that are not durable yet
        bool failed = false, complete = false;
    };
    struct Asked {
        TwinRequest request;
        amqp::Value correlation;
        amqp::DeliveryId delivery = 0;
        bool settled = false;
    };

    void on_telemetry(amqp::DeliveryId delivery, ByteView bytes, bool settled);
    bool take(Held& held);  ///< false: later
    Result<void> append(const amqp::Message& message, amqp::DeliveryId delivery, bool settled);
    void refuse_message(amqp::DeliveryId delivery, int result, const std::string& why, bool settled);
    void answer_if_done(amqp::DeliveryId delivery);

    void on_method_response(const amqp::Message& message);
    void on_twin_request(amqp::DeliveryId delivery, const amqp::Message& message, bool settled);
    void next_twin_request();
    void answer_twin(const amqp::Value& correlation, const TwinResponse& response);

    void commands_taken(Result<std::vector<Delivery>> deliveries);
    void settle_command(std::string token, amqp::Outcome outcome);

    void log(std::string_view category, std::string_view name, int result = 0,
             std::string_view description = {});
    Shared& hub() const;

    AmqpSession& session_;
    const std::uint64_t id_;
    Speaker speaker_;
    Stamps stamps_;
    TokenBucket publishes_;
    std::optional<Timestamp> token_end_;
    bool left_ = false;

    std::deque<Held> held_;  ///< while the connection is paused: at most what one read brought
    std::map<amqp::DeliveryId, Pending> pending_;  ///< within the links' credit
    bool waiting_for_space_ = false;               ///< the journal will call

    amqp::LinkId command_link_ = 0, method_link_ = 0, twin_link_ = 0;  ///< to the client; 0 = none
    std::map<amqp::DeliveryId, std::string> commands_;                 ///< lock tokens
    bool taking_ = false, take_again_ = false;
    std::deque<std::pair<std::string, std::string>> methods_;  ///< uuid and request id, the last few
    std::list<Asked> twin_requests_;                           ///< the first is with a worker
    bool wants_desired_ = false;
};

}  // namespace fieldwatch::hub
