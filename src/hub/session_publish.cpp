// What a session does with a PUBLISH: check it, append it, acknowledge it when it is durable.
#include <algorithm>

#include "hub/session.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::chrono::milliseconds kThrottle{250};  // a device over its rate is asked again so much later
constexpr std::chrono::seconds kActivityEvery{5};    // how exactly the last activity of a connection is known

}  // namespace

void Session::note_activity() {
    spoke_ = last_packet_;
    if (last_packet_ < activity_noted_ + kActivityEvery) return;
    activity_noted_ = last_packet_;
    core_.shared.table.active(speaker_.identity, core_.shared.parts.clock.now());
}

bool Session::on_publish(const mqtt::Frame& frame) {
    note_activity();
    const auto publish = mqtt::decode_publish(frame);
    if (!publish || publish->qos == 2) {
        core_.shared.counters.refused_messages.add();
        const std::string message = publish ? "QoS 2 is not supported" : publish.error().message;
        log(kTelemetry, "ingress", 400006, message);
        end(400006, message);
        return true;
    }
    const auto topic = mqtt::parse_client_topic(publish->topic, speaker_.identity.device.value,
                                                speaker_.identity.module.value);
    if (!topic) {
        core_.shared.counters.refused_messages.add();
        const int result = topic.error().code == Errc::Forbidden ? 401002 : 400003;
        log(kTelemetry, "ingress", result, topic.error().message);
        end(result, topic.error().message);
        return true;
    }
    switch (topic->kind) {
        case mqtt::ClientTopicKind::Telemetry:
            return on_telemetry(*publish, topic->bag);
        case mqtt::ClientTopicKind::DefenderReport:
            return on_defender(*publish, topic->is_cbor);
        case mqtt::ClientTopicKind::TwinGet:
        case mqtt::ClientTopicKind::TwinReported:
            acknowledge_now(*publish);  // first the PUBACK, then the answer (trap 12)
            on_twin(*publish, *topic);
            return true;
        case mqtt::ClientTopicKind::MethodResponse:  // an unknown or late request id is ignored
            acknowledge_now(*publish);
            core_.shared.methods.respond(speaker_.identity, topic->request_id, topic->status,
                                         as_text(publish->payload));
            return true;
    }
    return true;
}

bool Session::is_throttled() {
    if (!publishes_.take(last_packet_))
        core_.shared.throttles.over(Throttle::Messages, speaker_);
    else if (core_.shared.throttles.take(Throttle::Messages, speaker_, last_packet_))
        return false;
    core_.shared.counters.throttled.add();  // smoothed: its bytes wait in the socket
    throttled_until_ = last_packet_ + kThrottle;
    pause();
    arm();
    return true;
}

bool Session::on_telemetry(const mqtt::Publish& publish, std::string_view bag) {
    auto& shared = core_.shared;
    if (is_throttled()) return false;
    const auto refuse_message = [&](int result, const std::string& message) {
        shared.counters.refused_messages.add();
        log(kTelemetry, "ingress", result, message);
        end(result, message);
        return true;
    };
    const auto properties = mqtt::parse_property_bag(bag);
    if (!properties) return refuse_message(400006, properties.error().message);
    const auto dropped = fill_record(core_.scratch,
                                     {.properties = *properties,
                                      .body = as_text(publish.payload),
                                      .retain = publish.retain,
                                      .received = shared.parts.clock.now()},
                                     stamps_);
    if (!dropped) return refuse_message(413001, dropped.error().message);
    if (*dropped > 0) shared.counters.properties_dropped.add(*dropped);
    core_.scratch.sender = speaker_.identity;
    return append(publish, publish.payload.size());
}

bool Session::append(const mqtt::Publish& publish, std::size_t message_bytes,
                     std::unique_ptr<DefenderAnswer> answer) {
    const bool is_answered = publish.qos > 0 || answer != nullptr;
    auto& shared = core_.shared;
    const bool security = core_.scratch.kind == model::RecordKind::SecurityMessage;
    const auto stream = security ? journal::Stream::Security : journal::Stream::Telemetry;
    const auto bytes = model::encode(core_.scratch);
    journal::Writer::Durable durable;
    if (is_answered) {
        core_.outstanding.fetch_add(1);
        // Two words, so that the callback needs no allocation; stop() waits for it, so the core is still
        // there.
        durable = [core = &core_, tagged = id_ << 1 | (security ? 1u : 0u)](const Result<void>& result) {
            const auto kind = !result             ? Mail::Kind::JournalFailed
                              : (tagged & 1) != 0 ? Mail::Kind::DurableSecurity
                                                  : Mail::Kind::DurableTelemetry;
            core->mailbox.push({tagged >> 1, kind});
            core->outstanding.fetch_sub(1);
        };
    } else {
        durable = [](const Result<void>&) {};
    }
    const auto place = shared.parts.journal.append(stream, partition_, bytes, std::move(durable));
    if (!place) {
        if (is_answered) core_.outstanding.fetch_sub(1);
        if (place.error().code == Errc::Exhausted) {
            wait_for_space();
            return false;
        }
        shared.counters.refused_messages.add();
        end(500001, place.error().message);
        return true;
    }
    shared.counters.publishes.add();
    shared.counters.publish_bytes.add(message_bytes);
    if (security)
        shared.counters.security_messages.add();
    else
        shared.chosen_metrics.tell(shared, speaker_, core_.scratch);
    if (core_.scratch.body.capacity() > (64u << 10)) std::string().swap(core_.scratch.body);
    if (const auto minute = minute_of(core_.scratch.received); minute != minute_) {
        log_ingress();
        minute_ = minute;
    }
    auto& ingress = security ? security_ : telemetry_;
    ++ingress.messages;
    ingress.bytes += static_cast<std::int64_t>(message_bytes);
    if (is_answered) {
        const auto packet_id = publish.qos > 0 ? publish.packet_id : std::uint16_t{0};
        in_flight_.push_back({packet_id, stream, false, std::move(answer)});
        if (in_flight_.size() >= shared.options.in_flight_max) pause();
    }
    return true;
}

void Session::pause() {
    paused_ = true;
    connection_.pause();
}

void Session::wait_for_space() {
    auto& shared = core_.shared;
    shared.counters.stalled.add();
    pause();
    if (waiting_for_space_) return;
    waiting_for_space_ = true;
    core_.outstanding.fetch_add(1);
    shared.parts.journal.on_space([core = &core_, session = id_] {
        core->mailbox.push({session, Mail::Kind::JournalHasSpace});
        core->outstanding.fetch_sub(1);
    });
}

void Session::mail(Mail::Kind kind) {
    if (kind == Mail::Kind::JournalHasSpace) {
        waiting_for_space_ = false;
        paused_ = in_flight_.size() >= core_.shared.options.in_flight_max;
        if (!paused_) connection_.resume();
        return;
    }
    if (kind == Mail::Kind::JournalFailed) return end(500001, "the journal cannot be written");
    const auto stream =
        kind == Mail::Kind::DurableSecurity ? journal::Stream::Security : journal::Stream::Telemetry;
    // A stream commits in order: the oldest of it that waits is the one that became durable.
    const auto oldest = std::find_if(in_flight_.begin(), in_flight_.end(), [&](const InFlight& one) {
        return one.stream == stream && !one.durable;
    });
    if (oldest == in_flight_.end()) return;
    oldest->durable = true;
    newly_durable_ = true;  // acknowledged by flush(), once for the whole commit
}

void Session::acknowledge() {
    std::size_t done = 0, acknowledged = 0;
    for (; done < in_flight_.size() && in_flight_[done].durable; ++done) {
        auto& one = in_flight_[done];
        if (one.packet_id != 0) {
            mqtt::encode_puback(connection_.output(), one.packet_id);
            ++acknowledged;
        }
        if (one.answer) answer_report(*one.answer);
    }
    if (done > 0) {
        in_flight_.erase(in_flight_.begin(), in_flight_.begin() + static_cast<std::ptrdiff_t>(done));
        output_waits_ = true;
        core_.shared.counters.acknowledged.add(acknowledged);
    }
    if (paused_ && !waiting_for_space_ && throttled_until_.count() == 0 &&
        in_flight_.size() <= core_.shared.options.in_flight_max / 2) {
        paused_ = false;
        connection_.resume();
    }
}

void Session::acknowledge_now(const mqtt::Publish& publish, std::unique_ptr<DefenderAnswer> answer) {
    if (publish.qos == 0 && answer == nullptr) return;
    // Through the same queue: PUBACKs leave in the order of their PUBLISHes (MQTT 3.1.1 section 4.6).
    const auto packet_id = publish.qos > 0 ? publish.packet_id : std::uint16_t{0};
    in_flight_.push_back({packet_id, journal::Stream::Security, true, std::move(answer)});
    acknowledge();
    if (in_flight_.size() >= core_.shared.options.in_flight_max) pause();  // behind what is not durable yet
}

}  // namespace fieldwatch::hub
