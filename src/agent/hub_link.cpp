#include "agent/hub_link.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <span>

#include "agent/interpreter.hpp"
#include "protocol/mqtt/packet.hpp"
#include "protocol/mqtt/topic.hpp"
#include "protocol/mqtt/user_name.hpp"
#include "protocol/sas/token.hpp"

namespace fieldwatch::agent {

namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kConnectNs = 30 * kSecondNs;
constexpr std::uint16_t kKeepAliveSeconds = 60;
constexpr std::int64_t kPingNs = 45 * kSecondNs;
constexpr std::int64_t kPingAnswerNs = 15 * kSecondNs;
constexpr auto kTokenLife = std::chrono::hours(1);
constexpr std::int64_t kRenewNs = 3'600 * kSecondNs / 10 * 8;  // at 80 % of the token's life
constexpr std::int64_t kBackoffLeastNs = kSecondNs;
constexpr std::int64_t kBackoffMostNs = 600 * kSecondNs;
// A certificate or token that was refused for its time may be good now. Slewing takes hours for as much.
constexpr std::int64_t kClockSetSeconds = 10;
constexpr std::size_t kHubPacketMax = 128 * 1'024;  // a twin with both sections full, and room
constexpr std::size_t kOutMax = 1u << 20;
constexpr std::uint16_t kHubPort = 8883;

}  // namespace

HubLink::HubLink(HubLinkOptions options, Handlers handlers, const Clock& clock, Random& random)
    : options_(std::move(options)), handlers_(std::move(handlers)), clock_(clock), random_(random) {
    find_address();
}

void HubLink::find_address() {
    const auto& identity = options_.identity;
    const auto named = sas::port_of(identity.host_name);
    port_ = options_.port != 0 ? options_.port : named != 0 ? named : kHubPort;
    host_ = !options_.connect_host.empty()
                ? options_.connect_host
                : std::string(sas::without_port(
                      identity.gateway_host_name.empty() ? identity.host_name : identity.gateway_host_name));
}

void HubLink::move_to(std::string host_name, std::string device_id) {
    if (state_ != State::Idle) fail_with({Errc::Cancelled, "another hub was assigned"});
    options_.identity.host_name = std::move(host_name);
    options_.identity.device_id = std::move(device_id);
    find_address();
    failures_ = 0;
    next_attempt_ns_ = 0;
}

std::string HubLink::scope() const {
    const auto& identity = options_.identity;
    auto scope = std::string(sas::without_port(identity.host_name)) + "/devices/" + identity.device_id;
    if (!identity.module_id.empty()) scope += "/modules/" + identity.module_id;
    return scope;
}

int HubLink::fd() const {
    return tls_ ? tls_->fd() : -1;
}
short HubLink::wanted_events() const {
    return tls_ ? static_cast<short>(tls_->wanted_events() | 1 /* POLLIN */) : short{0};
}

std::int64_t HubLink::wake_ns() const {
    if (state_ == State::Idle) return host_.empty() ? INT64_MAX : next_attempt_ns_;
    if (state_ != State::Ready) return deadline_ns_;
    return std::min(ping_sent_ ? deadline_ns_ : next_ping_ns_, renew_ns_);
}

void HubLink::advance() {
    if (state_ == State::Idle) {
        if (!is_retry_due()) return;
        attempt_offset_seconds_ = clock_offset_seconds();
        begin();
        if (state_ == State::Idle) return;
    }
    if (const auto done = step(); !done) fail_with(done.error());
}

std::int64_t HubLink::clock_offset_seconds() const {
    return clock_.now().unix_seconds() - clock_.monotonic().count() / kSecondNs;
}

/// When the wait is over, or the wall clock was set meanwhile: a device without a battery for it starts in
/// 1970, and one that slept was away from its hub anyway.
bool HubLink::is_retry_due() const {
    if (host_.empty()) return false;
    if (clock_.monotonic().count() >= next_attempt_ns_) return true;
    return failures_ > 0 && std::abs(clock_offset_seconds() - attempt_offset_seconds_) >= kClockSetSeconds;
}

void HubLink::begin() {
    in_.clear();
    out_.clear();
    out_sent_ = 0;
    ping_sent_ = false;
    refused_ = false;
    auto client =
        net::TlsClient::start({.host = pinned_ ? address_text(pinned_->bytes.data(), pinned_->family) : host_,
                               .port = port_,
                               .server_name = std::string(sas::without_port(options_.identity.host_name)),
                               .ca_file = options_.ca_file,
                               .ca_pem = options_.ca_pem,
                               .certificate = options_.certificate,
                               .private_key = options_.private_key});
    if (!client) return fail_with(client.error());
    tls_ = std::move(*client);
    state_ = State::Connecting;
    deadline_ns_ = clock_.monotonic().count() + kConnectNs;
}

Result<void> HubLink::step() {
    const auto now = clock_.monotonic().count();
    if (state_ != State::Ready && now >= deadline_ns_) return fail(Errc::Timeout, "the hub does not answer");
    if (state_ == State::Connecting) {
        if (!FIELDWATCH_TRY(tls_->advance())) return {};
        FIELDWATCH_TRY(send_connect());
        state_ = State::AwaitConnack;
    }
    FIELDWATCH_TRY(pump_out());
    FIELDWATCH_TRY(pump_in());
    if (state_ == State::Ready) FIELDWATCH_TRY(keep_alive());
    return pump_out();
}

Result<void> HubLink::send_connect() {
    const auto& identity = options_.identity;
    const auto client_id = identity.device_id + (identity.module_id.empty() ? "" : "/" + identity.module_id);
    const auto user = mqtt::encode_user_name({.host = std::string(sas::without_port(identity.host_name)),
                                              .client_id = client_id,
                                              .api_version = "2021-04-12",
                                              .model_id = "",
                                              .client_type = "fieldwatch-agent/" + options_.agent_version});
    std::string token;  // whom the certificate names needs none
    if (options_.certificate.empty()) {
        token = FIELDWATCH_TRY(sas::make_token({.resource = scope(),
                                                .key_base64 = identity.shared_access_key,
                                                .expiry = clock_.now() + Ticks(kTokenLife),
                                                .policy = ""}));
    }
    mqtt::encode_connect(out_,
                         {.client_id = client_id,
                          .user_name = user,
                          .password = token.empty() ? std::nullopt : std::optional<ByteView>(as_bytes(token)),
                          .will = std::nullopt,
                          .clean_session = true,
                          .keep_alive_seconds = kKeepAliveSeconds});
    renew_ns_ = token.empty() ? INT64_MAX : clock_.monotonic().count() + kRenewNs;
    return {};
}

Result<void> HubLink::pump_out() {
    while (out_sent_ < out_.size()) {
        const auto taken = FIELDWATCH_TRY(tls_->write_some(ByteView(out_).subspan(out_sent_)));
        if (taken == 0) return {};
        out_sent_ += taken;
    }
    out_.clear();
    out_sent_ = 0;
    if (out_.capacity() > 16'384) out_.shrink_to_fit();
    return {};
}

Result<void> HubLink::pump_in() {
    std::array<std::byte, 4'096> buffer;
    for (int reads = 0; reads < 64; ++reads) {
        const auto got = FIELDWATCH_TRY(tls_->read_some(buffer));
        if (got == 0) return {};
        in_.insert(in_.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got));
        FIELDWATCH_TRY(take_frames());
    }
    return {};
}

Result<void> HubLink::take_frames() {
    std::size_t used = 0;
    while (const auto frame = FIELDWATCH_TRY(mqtt::next_frame(ByteView(in_).subspan(used), kHubPacketMax))) {
        switch (frame->type) {
            case mqtt::PacketType::Connack: {
                const auto connack = FIELDWATCH_TRY(mqtt::decode_connack(*frame));
                if (state_ != State::AwaitConnack) return fail(Errc::Malformed, "CONNACK out of order");
                if (connack.code != mqtt::ConnackCode::Accepted) {
                    refused_ = connack.code != mqtt::ConnackCode::ServerUnavailable;
                    return fail(Errc::Unauthorized, "the hub refuses us, CONNACK " +
                                                        std::to_string(static_cast<int>(connack.code)));
                }
                state_ = State::Ready;
                failures_ = 0;
                next_ping_ns_ = clock_.monotonic().count() + kPingNs;
                const mqtt::Filter filters[] = {
                    {mqtt::kTwinResponsesFilter, 0}, {mqtt::kDesiredFilter, 0}, {mqtt::kMethodsFilter, 0}};
                mqtt::encode_subscribe(out_, next_packet_id(),
                                       std::span(filters).first(options_.methods ? 3 : 2));
                get_twin();
                handlers_.ready();
                break;
            }
            case mqtt::PacketType::Puback: {
                const auto found = in_flight_.find(FIELDWATCH_TRY(mqtt::decode_packet_id(*frame)));
                if (found == in_flight_.end()) break;
                const auto tag = found->second;
                in_flight_.erase(found);
                handlers_.acknowledged(tag);
                break;
            }
            case mqtt::PacketType::Publish: {
                const auto publish = FIELDWATCH_TRY(mqtt::decode_publish(*frame));
                if (publish.qos == 1) mqtt::encode_puback(out_, publish.packet_id);
                FIELDWATCH_TRY(take_publish(publish.topic, as_text(publish.payload)));
                break;
            }
            case mqtt::PacketType::Pingresp:
                ping_sent_ = false;
                break;
            default:
                break;  // SUBACK
        }
        used += frame->size;
    }
    in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(used));
    if (in_.empty() && in_.capacity() > 16'384) in_.shrink_to_fit();
    return {};
}

Result<void> HubLink::take_publish(std::string_view topic, std::string_view body) {
    const auto parsed = mqtt::parse_hub_topic(topic);
    if (parsed.kind == mqtt::HubTopicKind::DesiredChange) {
        handlers_.desired(body);
    } else if (parsed.kind == mqtt::HubTopicKind::TwinResponse) {
        if (parsed.request_id == std::to_string(twin_request_)) {
            if (parsed.status == 200) handlers_.twin(body);
        } else {
            handlers_.reported(parsed.status);
        }
    } else if (parsed.kind == mqtt::HubTopicKind::Method && options_.methods) {
        const auto method = percent_decode(parsed.method);
        const auto [status, answer] = handlers_.method(method, body);
        const auto answer_topic = mqtt::method_response_topic(status, parsed.request_id);
        mqtt::encode_publish(out_,
                             {.topic = answer_topic, .payload = as_bytes(answer), .packet_id = 0, .qos = 0});
    }
    return {};
}

Result<void> HubLink::keep_alive() {
    const auto now = clock_.monotonic().count();
    if (ping_sent_ && now >= deadline_ns_) return fail(Errc::Timeout, "no answer to a ping");
    if (now >= renew_ns_ && in_flight_.empty()) return fail(Errc::Cancelled, "renewing the token");
    if (!ping_sent_ && now >= next_ping_ns_) {
        mqtt::encode_pingreq(out_);
        ping_sent_ = true;
        deadline_ns_ = now + kPingAnswerNs;
        next_ping_ns_ = now + kPingNs;
    }
    return {};
}

void HubLink::fail_with(const Error& error) {
    tls_.reset();
    state_ = State::Idle;
    in_flight_.clear();
    const auto now = clock_.monotonic().count();
    std::int64_t wait = 0;
    if (error.code != Errc::Cancelled) {
        const auto ceiling = std::min(kBackoffMostNs, kBackoffLeastNs << std::min(failures_, 10U));
        wait = static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(ceiling))) + kSecondNs / 10;
        ++failures_;
    }
    next_attempt_ns_ = now + wait;
    handlers_.lost(error, wait / 1'000'000);
}

std::optional<NetworkAddress> HubLink::peer() const {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    if (!is_ready() || ::getpeername(tls_->fd(), reinterpret_cast<sockaddr*>(&peer), &size) != 0)
        return std::nullopt;
    NetworkAddress out;
    if (peer.ss_family == AF_INET) {
        std::memcpy(out.bytes.data(), &reinterpret_cast<const sockaddr_in*>(&peer)->sin_addr, 4);
        return out;
    }
    if (peer.ss_family != AF_INET6) return std::nullopt;
    out.family = 6;
    std::memcpy(out.bytes.data(), &reinterpret_cast<const sockaddr_in6*>(&peer)->sin6_addr, 16);
    return out;
}

std::uint16_t HubLink::next_packet_id() {
    do {
        if (++packet_id_ == 0) packet_id_ = 1;
    } while (in_flight_.contains(packet_id_));
    return packet_id_;
}

void HubLink::publish(std::string_view property_bag, std::string_view body, std::uint64_t tag) {
    if (state_ != State::Ready || out_.size() > kOutMax) return;
    const auto id = next_packet_id();
    in_flight_[id] = tag;
    const auto topic =
        mqtt::telemetry_topic(options_.identity.device_id, options_.identity.module_id, property_bag);
    mqtt::encode_publish(out_, {.topic = topic, .payload = as_bytes(body), .packet_id = id, .qos = 1});
}

void HubLink::report(std::string_view body) {
    if (state_ != State::Ready) return;
    const auto topic = mqtt::twin_reported_topic(std::to_string(++request_));
    mqtt::encode_publish(out_, {.topic = topic, .payload = as_bytes(body), .packet_id = 0, .qos = 0});
}

void HubLink::get_twin() {
    if (state_ != State::Ready) return;
    twin_request_ = ++request_;
    const auto topic = mqtt::twin_get_topic(std::to_string(twin_request_));
    mqtt::encode_publish(out_, {.topic = topic, .payload = {}, .packet_id = 0, .qos = 0});
}

void HubLink::disconnect() {
    if (state_ == State::Ready) {
        mqtt::encode_disconnect(out_);
        (void)pump_out();
    }
    tls_.reset();
    state_ = State::Idle;
    in_flight_.clear();
}

}  // namespace fieldwatch::agent
