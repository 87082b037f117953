// An MQTT broker that devices report to already, as one more subscriber: a session that the broker keeps,
// QoS 1, and an acknowledgement only for what is on disk here. Beside it, the broker's own log.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "hub/connector/broker_log.hpp"
#include "hub/connector/log_tail.hpp"
#include "hub/connector/source.hpp"
#include "protocol/mqtt/packet.hpp"

namespace fieldwatch::hub {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kBrokerAnswerWait{30};
constexpr std::uint16_t kKeepAliveSeconds = 60;
constexpr milliseconds kBrokerTurn{500};           // how late the log file is looked at
constexpr std::size_t kPacketBytesMax = 8u << 20;  // larger ones a broker is to be told not to take
constexpr std::string_view kLogPlace = "log";

std::string_view refusal_of(mqtt::ConnackCode code) {
    switch (code) {
        case mqtt::ConnackCode::IdentifierRejected:
            return "the broker does not take this client id";
        case mqtt::ConnackCode::BadCredentials:
        case mqtt::ConnackCode::NotAuthorized:
            return "the broker does not let this user in";
        case mqtt::ConnackCode::ServerUnavailable:
            return "the broker is not available";
        default:
            return "the broker refuses the connection";
    }
}

class BrokerSource final : public ConnectorSource {
  public:
    explicit BrokerSource(const ConnectorSettings& settings) : settings_(settings) {}

    Result<void> run(const SourceParts& parts) override {
        parts_ = &parts;
        in_.clear();
        acknowledgements_.clear();
        if (!settings_.log_file.empty() && !tail_)
            tail_ = std::make_unique<LogTail>(settings_.log_file, parts.place.get(kLogPlace));
        const auto done = subscribes() ? run_connected() : run_log_alone();
        FIELDWATCH_TRY(parts.place.keep(true));
        return done;
    }

  private:
    bool subscribes() const { return !settings_.topics.empty() || !settings_.log_topic.empty(); }
    net::Patience patience(milliseconds span) const { return net::Patience::of(span, &parts_->interrupt); }

    Result<void> run_log_alone() {
        parts_->connected();
        for (;;) {
            FIELDWATCH_TRY(read_log());
            FIELDWATCH_TRY(parts_->place.keep(false));
            FIELDWATCH_TRY(net::pause(patience(kBrokerTurn)));
        }
    }

    Result<void> run_connected() {
        auto stream = FIELDWATCH_TRY(net::OutboundStream::connect({.host = settings_.host,
                                                                   .port = settings_.port,
                                                                   .tls = settings_.tls,
                                                                   .ca_file = {},
                                                                   .ca_pem = settings_.ca_pem},
                                                                  patience(kBrokerAnswerWait)));
        stream_ = &stream;
        const auto done = talk();
        stream_ = nullptr;
        return done;
    }

    Result<void> talk() {
        auto& intake = parts_->intake;
        FIELDWATCH_TRY(say_hello());
        subscribed_ = false;
        auto heard = intake.monotonic(), pinged = heard;
        std::vector<std::byte> buffer(64u << 10);
        for (;;) {
            const auto got = stream_->read_some(buffer, patience(kBrokerTurn));
            if (!got && got.error().code != Errc::Timeout) return std::unexpected(got.error());
            if (got && *got == 0) return fail(Errc::Unavailable, settings_.host + " closed the connection");
            const auto now = intake.monotonic();
            if (got) {
                heard = now;
                in_.insert(in_.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*got));
                FIELDWATCH_TRY(take_packets());
            }
            if (now - heard > seconds(kKeepAliveSeconds) * 3 / 2)
                return fail(Errc::Timeout, settings_.host + " does not answer in time");
            if (now - pinged > seconds(kKeepAliveSeconds) / 2) {
                pinged = now;
                Bytes ping;
                mqtt::encode_pingreq(ping);
                FIELDWATCH_TRY(stream_->write_all(ping, patience(kBrokerAnswerWait)));
            }
            if (tail_) FIELDWATCH_TRY(read_log());
            FIELDWATCH_TRY(parts_->place.keep(false));
        }
    }

    Result<void> say_hello() {
        mqtt::Connect connect{.client_id = settings_.client_id,
                              .user_name = {},
                              .password = {},
                              .will = {},
                              .clean_session = false,
                              .keep_alive_seconds = kKeepAliveSeconds};
        if (!settings_.user.empty()) connect.user_name = settings_.user;
        if (!settings_.user.empty() && !settings_.password.empty())
            connect.password = as_bytes(settings_.password);
        Bytes out;
        mqtt::encode_connect(out, connect);
        return stream_->write_all(out, patience(kBrokerAnswerWait));
    }

    Result<void> subscribe() {
        std::vector<std::string> texts;
        for (const auto& topic : settings_.topics)
            texts.push_back(topic.filter());
        if (!settings_.log_topic.empty()) texts.push_back(settings_.log_topic);
        std::ranges::sort(texts);
        texts.erase(std::ranges::unique(texts).begin(), texts.end());
        std::vector<mqtt::Filter> filters;
        for (const auto& text : texts)
            filters.push_back({.text = text, .qos = 1});
        Bytes out;
        mqtt::encode_subscribe(out, 1, filters);
        return stream_->write_all(out, patience(kBrokerAnswerWait));
    }

    Result<void> take_packets() {
        ByteView rest(in_);
        for (;;) {
            const auto frame = FIELDWATCH_TRY(mqtt::next_frame(rest, kPacketBytesMax));
            if (!frame) break;
            FIELDWATCH_TRY(take(*frame));
            rest = rest.subspan(frame->size);
        }
        in_.erase(in_.begin(), in_.end() - static_cast<std::ptrdiff_t>(rest.size()));
        if (in_.empty() && in_.capacity() > (1u << 20)) Bytes().swap(in_);
        if (acknowledgements_.empty()) return {};
        FIELDWATCH_TRY(parts_->intake.settle());
        Bytes out;
        for (const auto id : acknowledgements_)
            mqtt::encode_puback(out, id);
        acknowledgements_.clear();
        return stream_->write_all(out, patience(kBrokerAnswerWait));
    }

    Result<void> take(const mqtt::Frame& frame) {
        switch (frame.type) {
            case mqtt::PacketType::Connack: {
                const auto answer = FIELDWATCH_TRY(mqtt::decode_connack(frame));
                if (answer.code != mqtt::ConnackCode::Accepted)
                    return fail(Errc::Unauthorized,
                                fmt::format("{}: {}", settings_.host, refusal_of(answer.code)));
                return subscribe();
            }
            case mqtt::PacketType::Suback: {
                const auto answer = FIELDWATCH_TRY(mqtt::decode_suback(frame));
                if (std::ranges::count(answer.codes, std::byte{mqtt::kSubackFailure}) != 0)
                    return fail(
                        Errc::Forbidden,
                        settings_.host + ": the broker does not let this user subscribe to all topics");
                if (!subscribed_) parts_->connected();
                subscribed_ = true;
                return {};
            }
            case mqtt::PacketType::Publish:
                return take_publish(FIELDWATCH_TRY(mqtt::decode_publish(frame)));
            default:
                return {};
        }
    }

    Result<void> take_publish(const mqtt::Publish& publish) {
        if (publish.qos > 0) acknowledgements_.push_back(publish.packet_id);
        const auto body = as_text(publish.payload);
        if (publish.topic.starts_with("$SYS/")) {
            const auto event = log_.message(publish.topic, body);
            return event ? take_event(*event) : Result<void>{};
        }
        // What a broker retained comes again with each subscription; it was taken when it was sent.
        if (publish.retain) return parts_->intake.pass_over(), Result<void>{};
        for (const auto& mapping : settings_.topics) {
            const auto device = mapping.device_of(publish.topic);
            if (device.empty()) continue;
            const std::vector<mqtt::Property> properties{{"mqtt-topic", std::string(publish.topic), true}};
            return parts_->intake.message(
                {.device = device,
                 .module = mapping.security ? model::kSecurityModule : std::string_view(),
                 .properties = properties,
                 .body = body,
                 .stamps = {{"iothub-connection-device-id", std::string(device)},
                            {"iothub-message-source", "Telemetry"}},
                 .security = mapping.security,
                 .enqueued = {}});
        }
        parts_->intake.refuse(fmt::format("a message on {}, which no pattern takes", publish.topic));
        return {};
    }

    Result<void> take_event(const BrokerEvent& event) {
        if (event.client == settings_.client_id && subscribes()) return {};  // that is us
        const auto& device = settings_.device_is_user ? event.user : event.client;
        Operation operation{.category = "Connections",
                            .name = event.name,
                            .result = event.result,
                            .description = event.description,
                            .properties = {},
                            .counts = {}};
        if (!event.user.empty()) operation.properties.emplace_back("userName", event.user);
        if (settings_.device_is_user && !event.client.empty())
            operation.properties.emplace_back("clientId", event.client);
        return parts_->intake.operation({.device = device,
                                         .module = {},
                                         .address = event.address,
                                         .operation = std::move(operation),
                                         .time = event.time.value_or(parts_->intake.now())});
    }

    Result<void> read_log() {
        Result<void> failed;
        for (bool more = true; more;) {
            const auto got = tail_->read([&](std::string_view line) {
                const auto event = log_.mosquitto_line(line);
                if (event && failed) failed = take_event(*event);
            });
            if (!failed) return failed;
            if (!got && got.error().code == Errc::NotFound) return {};  // between two files, or not yet there
            if (!got) return std::unexpected(got.error());
            more = *got;
            FIELDWATCH_TRY(parts_->intake.settle());
            parts_->place.set(kLogPlace, tail_->place());
        }
        return {};
    }

    const ConnectorSettings settings_;
    const SourceParts* parts_ = nullptr;
    net::OutboundStream* stream_ = nullptr;
    BrokerLog log_;
    std::unique_ptr<LogTail> tail_;
    Bytes in_;
    std::vector<std::uint16_t> acknowledgements_;  // within what the broker sends unacknowledged
    bool subscribed_ = false;
};

}  // namespace

std::unique_ptr<ConnectorSource> make_broker_source(const ConnectorSettings& settings) {
    return std::make_unique<BrokerSource>(settings);
}

}  // namespace fieldwatch::hub
