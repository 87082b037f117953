#include "hub/session.hpp"

#include <algorithm>
#include <utility>

#include "base/json_text.hpp"
#include "base/limits.hpp"
#include "protocol/mqtt/provisioning.hpp"
#include "protocol/mqtt/user_name.hpp"
#include "protocol/sas/token.hpp"
#include "registry/twin_document.hpp"

namespace fieldwatch::hub {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::size_t kConnectBytesMax =
    16'384;  // two ids, a token of 8 KiB, a small will: before we know who it is
constexpr std::size_t kPacketBytesMax = limits::message_bytes + 65'535 + 4;  // body, topic, lengths
constexpr std::size_t kTwinRequestsMax = 16;
constexpr seconds kIdleMax{1'767};  // spec 3.1: never beyond
constexpr std::string_view kConnections = "Connections", kTwin = "D2CTwinOperations";

/// AWS IoT devices name themselves by client id and certificate alone, and us by SNI; what their user name
/// holds are the SDK's statistics (spec/aws-device-defender.md section 1).
Result<mqtt::UserName> user_of(const mqtt::Connect& connect, const net::Connection& connection) {
    const auto text = connect.user_name.value_or("");
    if ((!text.empty() && !text.starts_with('?')) || connect.password) return mqtt::parse_user_name(text);
    return mqtt::UserName{.host = connection.server_name(),
                          .client_id = std::string(connect.client_id),
                          .client_type = std::string(text)};
}

}  // namespace

Session::Session(net::Connection& connection, Core& core, std::string_view protocol)
    : connection_(connection),
      core_(core),
      id_(core.shared.next_id()),
      publishes_(core.shared.options.publishes_per_second, core.shared.options.publishes_burst) {
    speaker_.protocol = protocol;
    core_.sessions.emplace(id_, this);
    core_.endpoints.emplace(id_, this);
    last_packet_ = now();
    connect_until_ = last_packet_ + core_.shared.options.connect_timeout;
    arm();
}

Session::~Session() {
    core_.sessions.erase(id_);
    core_.endpoints.erase(id_);
}

std::size_t Session::received(ByteView input) {
    if (provisioning_) return provisioning_->received(input);
    std::size_t used = 0;
    const auto time = now();  // once a read: all its packets came together
    while (state_ != State::Closing && !paused_) {
        const auto bytes_max = state_ == State::AwaitingConnect ? kConnectBytesMax : kPacketBytesMax;
        const auto frame = mqtt::next_frame(input.subspan(used), bytes_max);
        if (!frame) {
            if (state_ == State::Connected) {
                const bool large = frame.error().code == Errc::TooLarge;
                log(kTelemetry, "ingress", large ? 413001 : 400006, frame.error().message);
                core_.shared.counters.refused_messages.add();
            }
            end(400006, frame.error().message);
            return input.size();
        }
        if (!*frame) break;
        last_packet_ = time;
        if (!take(**frame)) break;
        used += (*frame)->size;
        if (provisioning_) return used + provisioning_->received(input.subspan(used));
    }
    flush();
    return state_ == State::Closing ? input.size() : used;
}

bool Session::take(const mqtt::Frame& frame) {
    using mqtt::PacketType;
    if (state_ == State::AwaitingConnect) {
        if (frame.type == PacketType::Connect)
            on_connect(frame);
        else
            end(400006, "the first packet is no CONNECT");
        return true;
    }
    switch (frame.type) {
        case PacketType::Publish:
            return on_publish(frame);
        case PacketType::Subscribe:
            on_subscribe(frame);
            return true;
        case PacketType::Unsubscribe:
            on_unsubscribe(frame);
            return true;
        case PacketType::Pingreq:
            mqtt::encode_pingresp(connection_.output());
            output_waits_ = true;
            return true;
        case PacketType::Puback:
            on_puback(frame);
            return true;
        case PacketType::Disconnect:
            clean_ = true;
            state_ = State::Closing;
            connection_.close();
            return true;
        default:
            end(400006, "an MQTT packet that has no place here");
            return true;
    }
}

void Session::on_connect(const mqtt::Frame& frame) {
    const auto answer = [&](mqtt::ConnackCode code) {
        mqtt::encode_connack(connection_.output(), {.code = code});
        state_ = State::Closing;
        connection_.close();
    };
    const auto connect = mqtt::decode_connect(frame);
    if (!connect) {
        if (connect.error().code == Errc::Unsupported) return answer(mqtt::ConnackCode::UnacceptableProtocol);
        return end(400006, connect.error().message);
    }
    speaker_.address = connection_.address();
    speaker_.tls_version = connection_.tls_version();
    speaker_.tls_cipher = connection_.tls_cipher();
    if (const auto user = mqtt::parse_provisioning_user(connect->user_name.value_or(""))) {
        return begin_provisioning(*connect, *user);
    }
    const auto user = user_of(*connect, connection_);
    const auto id = mqtt::parse_client_id(connect->client_id);
    if (!user || !id || user->client_id != connect->client_id) {
        core_.shared.counters.connect_failures.add();
        const bool is_bad_version = !user && user.error().code == Errc::Unsupported;
        return answer(is_bad_version ? mqtt::ConnackCode::UnacceptableProtocol
                                     : mqtt::ConnackCode::IdentifierRejected);
    }
    speaker_.sdk_version = user->client_type.substr(0, 256);
    Credentials credentials{.host = user->host,
                            .device = id->device,
                            .module = id->module,
                            .address = speaker_.address,
                            .tls_version = speaker_.tls_version};
    if (connect->password)
        credentials.password = as_text(*connect->password);
    else
        credentials.certificate = connection_.certificate();
    auto& shared = core_.shared;
    if (!shared.admits_connect(user->host, speaker_)) return answer(mqtt::ConnackCode::ServerUnavailable);
    auto admission =
        authenticate(credentials, core_.hubs, shared.parts.registry, shared.parts.clock,
                     {.clock_skew = std::chrono::duration_cast<Ticks>(shared.options.clock_skew)});
    if (!admission) {
        shared.log_refusal(admission.error(), speaker_, id->device, id->module);
        return answer(admission.error().code);
    }
    accept(std::move(*admission), *connect, user->model_id);
}

void Session::accept(Admission admission, const mqtt::Connect& connect, const std::string& model_id) {
    auto& shared = core_.shared;
    if (connect.will) {
        const auto topic = mqtt::parse_client_topic(connect.will->topic, admission.identity.device.value,
                                                    admission.identity.module.value);
        if (!topic || topic->kind != mqtt::ClientTopicKind::Telemetry) {
            return end(400004, "the will's topic is not this identity's events topic");
        }
        will_ = Will{std::string(topic->bag), std::string(as_text(connect.will->payload))};
    }
    speaker_.identity = admission.identity;
    speaker_.auth_type = admission.auth_type;
    speaker_.mask_address = admission.mask_addresses;
    speaker_.certificate = admission.certificate;
    if (admission.expiry) {
        speaker_.sas_expiry = to_iso8601(*admission.expiry, 0);
        token_end_ = *admission.expiry + std::chrono::duration_cast<Ticks>(shared.options.token_grace);
    }
    partition_ =
        model::partition_of(admission.identity.hub, admission.identity.device, shared.parts.partition_count);
    stamps_ = make_stamps(admission, model_id);
    const auto wanted = std::chrono::milliseconds(connect.keep_alive_seconds * 1'500);
    idle_max_ =
        connect.keep_alive_seconds == 0 ? nanoseconds(kIdleMax) : std::min<nanoseconds>(wanted, kIdleMax);

    state_ = State::Connected;
    shared.counters.connects.add();
    spoke_ = activity_noted_ = now();
    shared.table.came(speaker_.identity, shared.parts.clock.now());
    if (const auto older = shared.table.enter(speaker_.identity, {core_.index, id_})) {
        shared.close(*older, 400027, "the same identity connected again");
    }
    log(kConnections, "deviceConnect");
    begin_commands(connect.clean_session);
    keep_model(model_id);
    mqtt::encode_connack(connection_.output(),
                         {.session_present = persistent_ && stored_, .code = mqtt::ConnackCode::Accepted});
    output_waits_ = true;
    commands_waiting();  // of a stored subscription, at once
    arm();
}

void Session::flush() {
    if (std::exchange(newly_durable_, false)) acknowledge();
    if (!output_waits_) return;
    output_waits_ = false;
    connection_.flush();
}

void Session::on_twin(const mqtt::Publish& publish, const mqtt::ClientTopic& topic) {
    auto& shared = core_.shared;
    shared.counters.twin_operations.add();
    TwinRequest request{.update = topic.kind == mqtt::ClientTopicKind::TwinReported,
                        .request_id = std::string(topic.request_id),
                        .version = topic.version};
    const auto what = request.update ? Throttle::TwinUpdates : Throttle::TwinReads;
    if (!shared.throttles.take(what, speaker_, now())) {
        return respond(request, twin_error(429, 429001, "too many twin requests at this hub",
                                           shared.parts.clock, shared.parts.random));
    }
    if (twin_requests_.size() >= kTwinRequestsMax) {
        const auto response = twin_error(429, 429001, "too many twin requests at once", shared.parts.clock,
                                         shared.parts.random);
        log(kTwin, request.update ? "update" : "read", response.result, response.description);
        return respond(request, response);
    }
    if (request.update) {
        // Blanks, quotes and brackets do not count against the section; the registry counts the rest.
        if (publish.payload.size() > registry::kTwinPatchBytes) {
            const auto response = twin_error(413, 413001, "a patch of over 128000 bytes", shared.parts.clock,
                                             shared.parts.random);
            log(kTwin, "update", response.result, response.description);
            return respond(request, response);
        }
        request.body = as_text(publish.payload);
    }
    twin_requests_.push_back(std::move(request));
    if (twin_requests_.size() == 1) next_twin_request();
}

void Session::next_twin_request() {
    core_.outstanding.fetch_add(1);
    auto& shared = core_.shared;
    shared.parts.runtime.post_worker([core = &core_, session = id_, identity = speaker_.identity,
                                      request = twin_requests_.front()]() mutable {
        auto& parts = core->shared.parts;
        const auto begin = parts.clock.monotonic();
        auto response = answer(request, identity, parts.registry, parts.clock, parts.random);
        const auto duration =
            std::chrono::duration_cast<milliseconds>(parts.clock.monotonic() - begin).count();
        parts.runtime.post(core->index, [core, session, duration, request = std::move(request),
                                         response = std::move(response)] {
            const auto found = core->sessions.find(session);
            if (found != core->sessions.end()) found->second->twin_answered(request, response, duration);
            core->outstanding.fetch_sub(1);
        });
    });
}

void Session::twin_answered(const TwinRequest& request, const TwinResponse& response,
                            std::int64_t duration_ms) {
    if (state_ != State::Connected) return;
    Operation operation{.category = kTwin,
                        .name = request.update ? "update" : "read",
                        .result = response.result,
                        .description = response.description,
                        .duration_ms = duration_ms};
    operation.counts.emplace_back("messageSize", static_cast<std::int64_t>(request.body.size()));
    core_.shared.log.append(operation, speaker_);
    respond(request, response);
    flush();
    twin_requests_.pop_front();
    if (!twin_requests_.empty()) next_twin_request();
}

void Session::respond(const TwinRequest& request, const TwinResponse& response) {
    if (!wants_twin_responses_) return;  // the operation has applied all the same
    const auto topic = mqtt::twin_response_topic(response.status, request.request_id, response.version);
    mqtt::encode_publish(connection_.output(), {.topic = topic, .payload = as_bytes(response.body)});
    output_waits_ = true;
}

void Session::desired_changed(const registry::TwinChange& change) {
    if (state_ != State::Connected || !wants_desired_) return;
    const auto body = with_version(change.patch_json, change.version);
    mqtt::encode_publish(connection_.output(),
                         {.topic = mqtt::desired_topic(change.version), .payload = as_bytes(body)});
    output_waits_ = true;
    flush();
}

void Session::on_subscribe(const mqtt::Frame& frame) {
    const auto subscribe = mqtt::decode_subscribe(frame);
    if (!subscribe) return end(400006, subscribe.error().message);
    std::vector<std::uint8_t> codes;
    std::optional<std::uint8_t> devicebound_qos;
    for (const auto& filter : subscribe->filters) {
        const auto known =
            mqtt::parse_filter(filter.text, speaker_.identity.device.value, speaker_.identity.module.value);
        if (!known) {
            const int result = known.error().code == Errc::Forbidden ? 401002 : 400003;
            return end(result, known.error().message);
        }
        if (*known == mqtt::HubFilter::TwinResponses) wants_twin_responses_ = true;
        if (*known == mqtt::HubFilter::DefenderReplies) subscribe_defender(filter.text, true);
        if (*known == mqtt::HubFilter::DesiredChanges) {
            wants_desired_ = true;
            log(kTwin, "subscribe");
        }
        const auto granted = std::min<std::uint8_t>(filter.qos, 1);
        if (*known == mqtt::HubFilter::Methods) wants_methods_ = true;
        if (*known == mqtt::HubFilter::Devicebound) devicebound_qos = granted;
        codes.push_back(granted);
    }
    mqtt::encode_suback(connection_.output(), subscribe->packet_id, codes);
    output_waits_ = true;
    if (devicebound_qos) subscribe_commands(*devicebound_qos);
}

void Session::on_unsubscribe(const mqtt::Frame& frame) {
    const auto unsubscribe = mqtt::decode_unsubscribe(frame);
    if (!unsubscribe) return end(400006, unsubscribe.error().message);
    for (const auto& filter : unsubscribe->filters) {
        const auto known =
            mqtt::parse_filter(filter.text, speaker_.identity.device.value, speaker_.identity.module.value);
        if (!known) continue;
        if (*known == mqtt::HubFilter::TwinResponses) wants_twin_responses_ = false;
        if (*known == mqtt::HubFilter::DefenderReplies) subscribe_defender(filter.text, false);
        if (*known == mqtt::HubFilter::DesiredChanges) wants_desired_ = false;
        if (*known == mqtt::HubFilter::Methods) wants_methods_ = false;
        if (*known == mqtt::HubFilter::Devicebound) unsubscribe_commands();
    }
    mqtt::encode_unsuback(connection_.output(), unsubscribe->packet_id);
    output_waits_ = true;
}

void Session::end(int result, std::string_view description) {
    if (state_ == State::Closing) return;
    if (state_ == State::Connected) leave(result, description);
    state_ = State::Closing;
    connection_.close();
}

void Session::begin_provisioning(const mqtt::Connect& connect, const mqtt::ProvisioningUser& user) {
    Applicant applicant{.scope = std::string(user.scope),
                        .registration_id = std::string(user.registration_id)};
    if (connect.password)
        applicant.token = std::string(as_text(*connect.password));
    else
        applicant.certificate = connection_.certificate();
    applicant.by = speaker_;
    provisioning_ = std::make_unique<MqttProvisioning>(connection_, core_);
    provisioning_->connect(std::move(applicant));
}

void Session::closed(net::CloseReason reason) {
    if (provisioning_) return provisioning_->closed();
    if (reason == net::CloseReason::TooSlow) core_.shared.counters.slow_consumers.add();
    if (clean_)
        leave(0, {});
    else if (state_ == State::Connected && reason == net::CloseReason::TooSlow)
        leave(404104, kTooSlow);
    else if (state_ == State::Connected)
        leave(404104, "the connection was closed without DISCONNECT");
    state_ = State::Closing;
}

void Session::leave(int result, std::string_view description) {
    core_.shared.table.leave(speaker_.identity, id_);
    const auto time = core_.shared.parts.clock.now();
    core_.shared.table.active(speaker_.identity, time - std::chrono::duration_cast<Ticks>(now() - spoke_));
    core_.shared.table.went(speaker_.identity, time);
    core_.shared.commands.release(id_);
    log_ingress();
    log(kConnections, "deviceDisconnect", result, description);
    if (!clean_) send_will();
}

void Session::send_will() {
    if (!will_) return;
    auto& shared = core_.shared;
    const auto properties = mqtt::parse_property_bag(will_->bag);
    const auto filled = properties ? fill_record(core_.scratch,
                                                 {.properties = *properties,
                                                  .body = will_->payload,
                                                  .will = true,
                                                  .received = shared.parts.clock.now()},
                                                 stamps_)
                                   : Result<std::size_t>(std::unexpected(properties.error()));
    will_.reset();
    if (!filled) return shared.counters.refused_messages.add();
    core_.scratch.sender = speaker_.identity;
    const auto stream = core_.scratch.kind == model::RecordKind::SecurityMessage ? journal::Stream::Security
                                                                                 : journal::Stream::Telemetry;
    const auto place = shared.parts.journal.append(stream, partition_, model::encode(core_.scratch),
                                                   [](const Result<void>&) {});
    if (!place) shared.counters.refused_messages.add();
}

void Session::deadline() {
    if (provisioning_) return provisioning_->deadline();
    const auto time = now();
    if (state_ == State::AwaitingConnect) {
        if (time >= connect_until_) return end(400006, "no CONNECT came in time");
    } else if (state_ == State::Connected) {
        if (time >= last_packet_ + idle_max_ && !paused_)
            return end(404104, "the keep-alive time passed without a packet");
        if (token_end_ && core_.shared.parts.clock.now() >= *token_end_) {
            log(kConnections, "deviceDisconnect", 401003, "the token has expired");
            return end(404104, "the connection was closed after its token expired");
        }
        if (throttled_until_.count() != 0 && time >= throttled_until_) {
            throttled_until_ = {};
            paused_ = waiting_for_space_ || in_flight_.size() >= core_.shared.options.in_flight_max;
            if (!paused_) connection_.resume();
        }
        if (minute_of(core_.shared.parts.clock.now()) != minute_) log_ingress();
    }
    arm();
}

void Session::arm() {
    const auto time = now();
    auto next = state_ == State::AwaitingConnect ? connect_until_ : last_packet_ + idle_max_;
    if (next <= time) next = time + seconds(1);  // paused: asked again later
    if (throttled_until_.count() != 0) next = std::min(next, throttled_until_);
    if (state_ == State::Connected) {
        // A minute's end, or a token's: both looked at once a minute, which is as exact as either needs to
        // be.
        next = std::min<nanoseconds>(next, time + seconds(60));
        if (token_end_) {
            const auto left = std::min<Ticks>(*token_end_ - core_.shared.parts.clock.now(), seconds(60));
            next = std::min<nanoseconds>(next, time + std::max<nanoseconds>(left, milliseconds(1)));
        }
    }
    connection_.deadline_after(std::chrono::ceil<milliseconds>(next - time));
}

void Session::log(std::string_view category, std::string_view name, int result,
                  std::string_view description) {
    core_.shared.log.append(
        {.category = category, .name = name, .result = result, .description = description}, speaker_);
}

void Session::log_ingress() {
    log_ingress(telemetry_, false);
    log_ingress(security_, true);
}

void Session::log_ingress(Ingress& ingress, bool security) {
    if (ingress.messages == 0) return;
    core_.shared.log.append(ingress_operation(security, ingress.messages, ingress.bytes, partition_),
                            speaker_);
    ingress = {};
}

}  // namespace fieldwatch::hub
