// One MQTT connection of one device or module: a state machine over packets. It says what becomes a record,
// and answers only what is durable. Source: spec/iot-hub-protocols.md section 3.
#pragma once

#include <array>
#include <chrono>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hub/core.hpp"
#include "hub/message.hpp"
#include "hub/provisioning/mqtt_provisioning.hpp"
#include "hub/twin.hpp"
#include "net/stream_server.hpp"
#include "protocol/mqtt/packet.hpp"
#include "protocol/mqtt/provisioning.hpp"
#include "protocol/mqtt/topic.hpp"

namespace fieldwatch::hub {

/// Ingress is condensed by it.
inline std::int64_t minute_of(Timestamp time) {
    return time.unix_seconds() / 60;
}

/// Lives from TLS handshake to close, on one core's strand.
class Session final : public net::Handler, public Endpoint {
  public:
    /// `protocol` as the log names it: Mqtt or MqttWs.
    Session(net::Connection& connection, Core& core, std::string_view protocol);
    ~Session() override;

    std::size_t received(ByteView input) override;
    void deadline() override;
    void closed(net::CloseReason reason) override;

    // From the core:
    void mail(Mail::Kind kind);
    void flush();  ///< after a batch of mail
    void twin_answered(const TwinRequest& request, const TwinResponse& response, std::int64_t duration_ms);
    void desired_changed(const registry::TwinChange& change) override;
    void commands_waiting() override;
    bool call_method(const MethodRequest& request) override;
    void end(int result, std::string_view description) override;
    void commands_taken(Result<std::vector<Delivery>> deliveries);

  private:
    enum class State : std::uint8_t { AwaitingConnect, Connected, Closing };
    /// What answers a report to Device Defender: behind its PUBACK, and when it is durable if it is taken.
    struct DefenderAnswer {
        std::optional<std::int64_t> report_id;
        bool is_cbor = false;
        bool is_taken = true;  ///< false: refused, or accepted before
        ConnectionMarks marks{};
        std::string_view error_code{};  ///< "" = accepted
        std::string error_message{};
    };
    struct InFlight {
        std::uint16_t packet_id = 0;  ///< 0 = of QoS 0, which only a report waits for
        journal::Stream stream = journal::Stream::Security;
        bool durable = false;
        std::unique_ptr<DefenderAnswer> answer = nullptr;
    };
    /// Successful ingress of one minute: one record, not one a message (design 3a, volume).
    struct Ingress {
        std::int64_t messages = 0, bytes = 0;
    };

    bool take(const mqtt::Frame& frame);  ///< false: leave it in the input (journal full, device too fast)
    void on_connect(const mqtt::Frame& frame);
    void begin_provisioning(const mqtt::Connect& connect, const mqtt::ProvisioningUser& user);
    void accept(Admission admission, const mqtt::Connect& connect, const std::string& model_id);
    bool on_publish(const mqtt::Frame& frame);
    void note_activity();
    bool on_telemetry(const mqtt::Publish& publish, std::string_view bag);
    bool is_throttled();  ///< over its rate: read no more for a while
    bool append(const mqtt::Publish& publish, std::size_t message_bytes,
                std::unique_ptr<DefenderAnswer> answer = nullptr);
    bool on_defender(const mqtt::Publish& publish, bool is_cbor);
    void subscribe_defender(std::string_view filter, bool subscribed);
    void answer_report(DefenderAnswer& answer);
    void on_twin(const mqtt::Publish& publish, const mqtt::ClientTopic& topic);
    void on_subscribe(const mqtt::Frame& frame);
    void on_unsubscribe(const mqtt::Frame& frame);
    void on_puback(const mqtt::Frame& frame);
    void begin_commands(bool clean_session);
    void subscribe_commands(std::uint8_t qos);
    void unsubscribe_commands();
    void remember_subscription(bool subscribed);
    void publish_command(Delivery delivery);
    enum class Settle : std::uint8_t { Complete, Reject };
    void settle_command(std::string token, Settle how);
    void keep_model(const std::string& model_id);
    template <class Function>
    void on_worker(Function function);
    void next_twin_request();
    void respond(const TwinRequest& request, const TwinResponse& response);
    void acknowledge();
    void acknowledge_now(const mqtt::Publish& publish, std::unique_ptr<DefenderAnswer> answer = nullptr);
    void pause();  ///< reads no more
    void wait_for_space();
    void leave(int result, std::string_view description);  ///< of a connected identity, once
    void send_will();

    void log(std::string_view category, std::string_view name, int result = 0,
             std::string_view description = {});
    void log_ingress(Ingress& ingress, bool security);
    void log_ingress();
    void arm();
    std::chrono::nanoseconds now() const { return core_.shared.parts.clock.monotonic(); }

    net::Connection& connection_;
    Core& core_;
    const std::uint64_t id_;
    std::unique_ptr<MqttProvisioning> provisioning_;  ///< has taken the connection over
    State state_ = State::AwaitingConnect;
    Speaker speaker_;
    Stamps stamps_;
    std::uint32_t partition_ = 0;
    std::chrono::nanoseconds last_packet_{0}, spoke_{0}, activity_noted_{0}, connect_until_{0}, idle_max_{0},
        throttled_until_{0};
    std::optional<Timestamp> token_end_;  ///< expiry and grace
    TokenBucket publishes_;

    std::vector<InFlight>
        in_flight_;  ///< PUBACKs leave in the order of their PUBLISHes; at most in_flight_max
    bool paused_ = false, waiting_for_space_ = false;
    bool output_waits_ = false, newly_durable_ = false;

    std::list<TwinRequest> twin_requests_;          ///< the first is with a worker; at most kTwinRequestsMax
    std::array<bool, 4> wants_reports_answered_{};  ///< json accepted, json rejected, cbor accepted, cbor …
    bool wants_twin_responses_ = false, wants_desired_ = false, wants_methods_ = false;
    std::map<std::uint16_t, std::string> commands_;  ///< lock tokens by packet id, until their PUBACK
    std::uint8_t command_qos_ = 1;
    bool devicebound_ = false;                  ///< subscribed to its messages
    bool persistent_ = false, stored_ = false;  ///< clean session 0; the subscription is in the registry
    bool taking_ = false, take_again_ = false;

    std::int64_t minute_ = 0;
    Ingress telemetry_, security_;

    struct Will {
        std::string bag, payload;
    };
    std::optional<Will> will_;
    bool clean_ = false;  ///< DISCONNECT came
};

}  // namespace fieldwatch::hub
