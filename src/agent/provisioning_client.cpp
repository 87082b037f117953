#include "agent/provisioning_client.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/bytes.hpp"
#include "net/tls_client.hpp"
#include "protocol/mqtt/packet.hpp"
#include "protocol/mqtt/provisioning.hpp"
#include "protocol/sas/token.hpp"

namespace fieldwatch::agent {

namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr std::uint16_t kMqttPort = 8883;
constexpr std::size_t kPacketMax = 16 * 1'024;
constexpr std::size_t kTextMax = 256;
constexpr std::string_view kAnswer = "$dps/registrations/res/";
constexpr auto kPauseLeast = std::chrono::seconds(1);
constexpr auto kPauseMost = std::chrono::seconds(30);
constexpr int kTooManyRequests = 429;
constexpr int kServerError = 500;

std::string text_member(const json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_string()) return {};
    const auto& text = found->get_ref<const std::string&>();
    return text.size() <= kTextMax ? text : std::string();
}

/// `$dps/registrations/res/STATUS/?$rid=…&retry-after=SECONDS`.
struct AnswerTopic {
    int status = 0;
    std::chrono::seconds pause{0};  // 0: the service names none

    bool is_busy() const { return status == kTooManyRequests || status >= kServerError; }
};
Result<AnswerTopic> read_topic(std::string_view topic) {
    AnswerTopic out;
    if (!topic.starts_with(kAnswer)) return fail(Errc::Malformed, "no answer of a provisioning service");
    topic.remove_prefix(kAnswer.size());
    const auto number = [](std::string_view digits, int& value) {
        return std::from_chars(digits.data(), digits.data() + digits.size(), value).ec == std::errc{};
    };
    if (!number(topic, out.status)) return fail(Errc::Malformed, "a provisioning answer without status");
    constexpr std::string_view kRetry = "retry-after=";
    int seconds = 0;
    if (const auto at = topic.find(kRetry);
        at != std::string_view::npos && number(topic.substr(at + kRetry.size()), seconds))
        out.pause = std::chrono::seconds(seconds);
    return out;
}

/// A session that asks one thing at a time.
class Session {
  public:
    Session(net::TlsClient client, const Clock& clock, std::chrono::nanoseconds deadline)
        : client_(std::move(client)), clock_(clock), deadline_(deadline) {}

    milliseconds left() const {
        return std::chrono::duration_cast<milliseconds>(deadline_ - clock_.monotonic());
    }
    Result<void> send(const Bytes& packet) { return client_.write_all(packet, left()); }

    /// Reads until a packet of that type has come, and gives it to `take`.
    template <class Take>
    Result<void> await(mqtt::PacketType type, const Take& take) {
        for (;;) {
            while (const auto frame = FIELDWATCH_TRY(mqtt::next_frame(in_, kPacketMax))) {
                const bool is_it = frame->type == type;
                if (is_it) FIELDWATCH_TRY(take(*frame));
                in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(frame->size));
                if (is_it) return {};
            }
            if (left() <= milliseconds(0))
                return fail(Errc::Timeout, "the provisioning service does not answer");
            std::array<std::byte, 4'096> buffer;
            const auto got = FIELDWATCH_TRY(client_.read(buffer, left()));
            in_.insert(in_.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got));
        }
    }

  private:
    net::TlsClient client_;
    const Clock& clock_;
    std::chrono::nanoseconds deadline_;
    Bytes in_;
};

Result<void> connect(Session& session, const ProvisioningOptions& options, const Clock& clock) {
    const auto resource = options.id_scope + "/registrations/" + options.registration_id;
    const auto user = resource + "/api-version=2019-03-31&ClientVersion=fieldwatch-agent";
    std::string token;
    if (options.certificate.empty()) {
        token = FIELDWATCH_TRY(sas::make_token({.resource = resource,
                                                .key_base64 = options.key_base64,
                                                .expiry = clock.now() + Ticks(std::chrono::hours(1)),
                                                .policy = "registration"}));
    }
    Bytes packet;
    mqtt::encode_connect(packet,
                         {.client_id = options.registration_id,
                          .user_name = user,
                          .password = token.empty() ? std::nullopt : std::optional<ByteView>(as_bytes(token)),
                          .will = std::nullopt,
                          .clean_session = true,
                          .keep_alive_seconds = 60});
    FIELDWATCH_TRY(session.send(packet));
    const auto accepted = [](const mqtt::Frame& frame) -> Result<void> {
        const auto connack = FIELDWATCH_TRY(mqtt::decode_connack(frame));
        if (connack.code != mqtt::ConnackCode::Accepted)
            return fail(Errc::Unauthorized, "the provisioning service refuses this registration");
        return {};
    };
    FIELDWATCH_TRY(session.await(mqtt::PacketType::Connack, accepted));
    packet.clear();
    const mqtt::Filter filters[] = {{mqtt::kProvisioningFilter, 1}};
    mqtt::encode_subscribe(packet, 1, filters);
    FIELDWATCH_TRY(session.send(packet));
    return session.await(mqtt::PacketType::Suback, [](const mqtt::Frame&) -> Result<void> { return {}; });
}

Result<std::pair<AnswerTopic, ProvisioningAnswer>> ask(Session& session, std::uint16_t packet_id,
                                                       const std::string& topic, std::string_view body) {
    Bytes packet;
    mqtt::encode_publish(packet,
                         {.topic = topic, .payload = as_bytes(body), .packet_id = packet_id, .qos = 1});
    FIELDWATCH_TRY(session.send(packet));
    std::pair<AnswerTopic, ProvisioningAnswer> out;
    const auto take = [&](const mqtt::Frame& frame) -> Result<void> {
        const auto publish = FIELDWATCH_TRY(mqtt::decode_publish(frame));
        Bytes acknowledgement;
        if (publish.qos == 1) mqtt::encode_puback(acknowledgement, publish.packet_id);
        out.first = FIELDWATCH_TRY(read_topic(publish.topic));
        if (out.first.status == 401 || out.first.status == 403)
            return fail(Errc::Unauthorized, "the provisioning service refuses this registration");
        if (out.first.is_busy())
            return acknowledgement.empty() ? Result<void>() : session.send(acknowledgement);
        if (out.first.status >= 300)
            return fail(Errc::Unavailable,
                        "the provisioning service answers " + std::to_string(out.first.status));
        out.second = FIELDWATCH_TRY(read_provisioning_answer(as_text(publish.payload)));
        return acknowledgement.empty() ? Result<void>() : session.send(acknowledgement);
    };
    FIELDWATCH_TRY(session.await(mqtt::PacketType::Publish, take));
    return out;
}

}  // namespace

Result<ProvisioningAnswer> read_provisioning_answer(std::string_view text) {
    const auto object = json::parse(text, nullptr, false);
    if (!object.is_object())
        return fail(Errc::Malformed, "the provisioning service's answer is no JSON object");
    ProvisioningAnswer out;
    out.status = text_member(object, "status");
    out.operation_id = text_member(object, "operationId");
    if (const auto state = object.find("registrationState"); state != object.end() && state->is_object()) {
        out.device = {text_member(*state, "assignedHub"), text_member(*state, "deviceId")};
    }
    if (out.status == "assigned" && (out.device.hub.empty() || out.device.device_id.empty()))
        return fail(Errc::Malformed, "the provisioning service assigns no hub");
    if (out.status != "assigned" && out.operation_id.empty())
        return fail(Errc::Malformed, "the provisioning service's answer has no operation");
    return out;
}

milliseconds provisioning_pause(std::chrono::seconds asked, unsigned tries, Random& random) {
    const auto own = std::chrono::seconds(1U << std::min(tries, 5U));
    const auto least = std::clamp<std::chrono::seconds>(asked > std::chrono::seconds(0) ? asked : own,
                                                        kPauseLeast, kPauseMost);
    const auto jitter = static_cast<std::uint64_t>(milliseconds(least).count() / 2);
    return least + milliseconds(random.below(jitter + 1));
}

Result<ProvisionedDevice> provision(const ProvisioningOptions& options, const Clock& clock, Random& random,
                                    std::chrono::seconds patience) {
    auto client =
        FIELDWATCH_TRY(net::TlsClient::connect({.host = options.host,
                                                .port = options.port == 0 ? kMqttPort : options.port,
                                                .server_name = options.host,
                                                .ca_file = options.ca_file,
                                                .certificate = options.certificate},
                                               std::chrono::duration_cast<milliseconds>(patience)));
    Session session(std::move(client), clock, clock.monotonic() + patience);
    FIELDWATCH_TRY(connect(session, options, clock));
    const auto registration = json{{"registrationId", options.registration_id}}.dump();
    std::string operation;  // once the service has begun one
    for (unsigned tries = 0;; ++tries) {
        const auto number = static_cast<std::uint16_t>(2 + tries);
        const auto id = "/?$rid=" + std::to_string(number);
        const auto [topic, answer] =
            operation.empty()
                ? FIELDWATCH_TRY(
                      ask(session, number, "$dps/registrations/PUT/iotdps-register" + id, registration))
                : FIELDWATCH_TRY(ask(session, number,
                                     "$dps/registrations/GET/iotdps-get-operationstatus" + id +
                                         "&operationId=" + percent_encode(operation),
                                     "{}"));
        if (!topic.is_busy()) {
            if (answer.status == "assigned") return answer.device;
            if (answer.status != "assigning")
                return fail(Errc::Forbidden, "the provisioning service says: " + answer.status);
            operation = answer.operation_id;
        }
        const auto pause = provisioning_pause(topic.pause, tries, random);
        if (session.left() <= pause) return fail(Errc::Timeout, "no hub was assigned in time");
        std::this_thread::sleep_for(pause);
    }
}

}  // namespace fieldwatch::agent
