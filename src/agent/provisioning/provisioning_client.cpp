#include "agent/provisioning/provisioning_client.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "protocol/mqtt/provisioning.hpp"
#include "protocol/sas/token.hpp"

namespace fieldwatch::agent {

namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint16_t kMqttPort = 8883;
constexpr std::size_t kPacketMax = 16 * 1'024;
constexpr std::size_t kTextMax = 256;
constexpr std::string_view kAnswer = "$dps/registrations/res/";
constexpr auto kPauseLeast = seconds(1);
constexpr auto kPauseMost = seconds(3'600);
constexpr int kTooManyRequests = 429;
constexpr int kServerError = 500;
constexpr std::int64_t kProvisioningMilli = 1'000'000;

std::string text_member(const json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_string()) return {};
    const auto& text = found->get_ref<const std::string&>();
    return text.size() <= kTextMax ? text : std::string();
}

/// Goes into the log and into a file of lines.
bool is_name(std::string_view text) {
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    return !text.empty() && std::ranges::none_of(text, is_control);
}

/// `$dps/registrations/res/STATUS/?$rid=…&retry-after=SECONDS`.
struct AnswerTopic {
    int status = 0;
    seconds pause{0};  // 0: the service names none

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
    int asked = 0;
    if (const auto at = topic.find(kRetry);
        at != std::string_view::npos && number(topic.substr(at + kRetry.size()), asked))
        out.pause = seconds(asked);
    return out;
}

std::unexpected<Error> refusal() {
    return fail(Errc::Unauthorized, "the provisioning service refuses this registration");
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
        out.reason = text_member(*state, "errorMessage");
    }
    if (out.status == "assigned" && (!is_name(out.device.hub) || !is_name(out.device.device_id)))
        return fail(Errc::Malformed, "the provisioning service assigns no hub");
    if (out.status != "assigned" && out.operation_id.empty())
        return fail(Errc::Malformed, "the provisioning service's answer has no operation");
    return out;
}

milliseconds provisioning_pause(seconds asked, unsigned tries, Random& random) {
    const auto own = std::min(seconds(1U << std::min(tries, 5U)), seconds(30));
    const auto least = std::clamp<seconds>(asked > seconds(0) ? asked : own, kPauseLeast, kPauseMost);
    const auto jitter = static_cast<std::uint64_t>(milliseconds(least).count() / 2);
    return least + milliseconds(random.below(jitter + 1));
}

ProvisioningClient::ProvisioningClient(const ProvisioningOptions& options, const Clock& clock, Random& random,
                                       seconds patience)
    : options_(options),
      clock_(clock),
      random_(random),
      deadline_ns_((clock.monotonic() + patience).count()) {}

short ProvisioningClient::wanted_events() const {
    return tls_ ? static_cast<short>(tls_->wanted_events() | POLLIN) : short{0};
}

std::int64_t ProvisioningClient::wake_ns() const {
    if (state_ == State::Idle) return 0;
    return state_ == State::Pausing ? std::min(ask_again_ns_, deadline_ns_) : deadline_ns_;
}

Result<ProvisionedDevice> ProvisioningClient::advance() {
    const auto now = clock_.monotonic().count();
    if (now >= deadline_ns_) return fail(Errc::Timeout, "the provisioning service does not answer");
    if (state_ == State::Idle) {
        tls_ = FIELDWATCH_TRY(net::TlsClient::start({.host = options_.host,
                                                     .port = options_.port == 0 ? kMqttPort : options_.port,
                                                     .server_name = options_.host,
                                                     .ca_file = options_.ca_file,
                                                     .ca_pem = options_.ca_pem,
                                                     .certificate = options_.certificate,
                                                     .private_key = options_.private_key}));
        state_ = State::Connecting;
    }
    if (state_ == State::Connecting) {
        if (!FIELDWATCH_TRY(tls_->advance())) return device_;
        FIELDWATCH_TRY(send_connect());
        state_ = State::AwaitConnack;
    }
    if (state_ == State::Pausing && now >= ask_again_ns_) ask();
    FIELDWATCH_TRY(pump_out());
    FIELDWATCH_TRY(pump_in());
    const auto said = pump_out();
    if (device_.hub.empty() && !said) return std::unexpected(said.error());
    return device_;
}

Result<void> ProvisioningClient::send_connect() {
    const auto resource = options_.id_scope + "/registrations/" + options_.registration_id;
    const auto user = resource + "/api-version=2019-03-31&ClientVersion=fieldwatch-agent";
    std::string token;
    if (options_.certificate.empty()) {
        token = FIELDWATCH_TRY(sas::make_token({.resource = resource,
                                                .key_base64 = options_.key_base64,
                                                .expiry = clock_.now() + Ticks(std::chrono::hours(1)),
                                                .policy = "registration"}));
    }
    mqtt::encode_connect(out_,
                         {.client_id = options_.registration_id,
                          .user_name = user,
                          .password = token.empty() ? std::nullopt : std::optional<ByteView>(as_bytes(token)),
                          .will = std::nullopt,
                          .clean_session = true,
                          .keep_alive_seconds = 60});
    return {};
}

Result<void> ProvisioningClient::pump_out() {
    while (!out_.empty()) {
        const auto taken = FIELDWATCH_TRY(tls_->write_some(out_));
        if (taken == 0) return {};
        out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(taken));
    }
    return {};
}

Result<void> ProvisioningClient::pump_in() {
    std::array<std::byte, 4'096> buffer;
    while (device_.hub.empty()) {
        const auto got = FIELDWATCH_TRY(tls_->read_some(buffer));
        if (got == 0) return {};
        in_.insert(in_.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got));
        while (const auto frame = FIELDWATCH_TRY(mqtt::next_frame(in_, kPacketMax))) {
            FIELDWATCH_TRY(take(*frame));
            in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(frame->size));
        }
    }
    return {};
}

/// What does not belong to what is waited for is let pass.
Result<void> ProvisioningClient::take(const mqtt::Frame& frame) {
    if (frame.type == mqtt::PacketType::Connack && state_ == State::AwaitConnack) {
        const auto connack = FIELDWATCH_TRY(mqtt::decode_connack(frame));
        if (connack.code == mqtt::ConnackCode::ServerUnavailable)
            return fail(Errc::Unavailable, "the provisioning service is busy");
        if (connack.code != mqtt::ConnackCode::Accepted) return refusal();
        const mqtt::Filter filters[] = {{mqtt::kProvisioningFilter, 1}};
        mqtt::encode_subscribe(out_, 1, filters);
        state_ = State::AwaitSuback;
    } else if (frame.type == mqtt::PacketType::Suback && state_ == State::AwaitSuback) {
        ask();
    } else if (frame.type == mqtt::PacketType::Publish) {
        const auto publish = FIELDWATCH_TRY(mqtt::decode_publish(frame));
        if (publish.qos == 1) mqtt::encode_puback(out_, publish.packet_id);
        if (state_ == State::AwaitAnswer) return take_answer(publish.topic, as_text(publish.payload));
    }
    return {};
}

void ProvisioningClient::ask() {
    const auto number = static_cast<std::uint16_t>(2 + tries_);
    const auto id = "/?$rid=" + std::to_string(number);
    const bool begun = !operation_.empty();
    const auto topic = begun ? "$dps/registrations/GET/iotdps-get-operationstatus" + id +
                                   "&operationId=" + percent_encode(operation_)
                             : "$dps/registrations/PUT/iotdps-register" + id;
    const auto body = begun ? std::string("{}") : json{{"registrationId", options_.registration_id}}.dump();
    mqtt::encode_publish(out_, {.topic = topic, .payload = as_bytes(body), .packet_id = number, .qos = 1});
    state_ = State::AwaitAnswer;
}

Result<void> ProvisioningClient::take_answer(std::string_view topic, std::string_view body) {
    const auto answered = FIELDWATCH_TRY(read_topic(topic));
    if (answered.status == 401 || answered.status == 403) return refusal();
    if (answered.is_busy()) return pause(answered.pause);
    if (answered.status >= 300)
        return fail(Errc::Unavailable, "the provisioning service answers " + std::to_string(answered.status));
    auto answer = FIELDWATCH_TRY(read_provisioning_answer(body));
    if (answer.status == "assigned") {
        device_ = std::move(answer.device);
        return {};
    }
    if (answer.status != "assigning")
        return fail(Errc::Forbidden, "the provisioning service says: " + answer.status +
                                         (answer.reason.empty() ? "" : ", " + answer.reason));
    operation_ = std::move(answer.operation_id);
    return pause(answered.pause);
}

Result<void> ProvisioningClient::pause(seconds asked) {
    const auto wait = provisioning_pause(asked, tries_++, random_);
    ask_again_ns_ = clock_.monotonic().count() + wait.count() * kProvisioningMilli;
    state_ = State::Pausing;
    if (ask_again_ns_ < deadline_ns_) return {};
    retry_after_ = std::clamp(asked, seconds(0), seconds(kPauseMost));
    return fail(Errc::Timeout,
                "no hub was assigned in time" +
                    (asked > seconds(0) ? "; the provisioning service asks to be left alone for " +
                                              std::to_string(retry_after_.count()) + " s"
                                        : std::string()));
}

Result<ProvisionedDevice> provision(const ProvisioningOptions& options, const Clock& clock, Random& random,
                                    seconds patience) {
    ProvisioningClient client(options, clock, random, patience);
    for (;;) {
        if (auto device = FIELDWATCH_TRY(client.advance()); !device.hub.empty()) return device;
        pollfd ready{client.fd(), client.wanted_events(), 0};
        const auto left = std::clamp<std::int64_t>(client.wake_ns() - clock.monotonic().count(), 0,
                                                   1'000 * kProvisioningMilli);
        ::poll(&ready, 1, static_cast<int>(left / kProvisioningMilli) + 1);
    }
}

}  // namespace fieldwatch::agent
