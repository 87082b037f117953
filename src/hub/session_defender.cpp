// What a session does with a report to AWS IoT Device Defender: it becomes a security message of the device,
// and is answered when that is durable. Source: spec/aws-device-defender.md sections 1 to 3.
#include "hub/session.hpp"

namespace fieldwatch::hub {

namespace {

const mqtt::Property kSecurityMark{"$.ifid", std::string(model::kSecurityInterface)};

constexpr std::string_view kThrottled = "Throttled", kInvalidPayload = "InvalidPayload";

std::size_t reply_index(bool is_cbor, bool is_rejection) {
    return (is_cbor ? 2u : 0u) + (is_rejection ? 1u : 0u);
}

}  // namespace

void Session::subscribe_defender(std::string_view filter, bool subscribed) {
    const bool is_cbor = filter.find("/defender/metrics/cbor/") != std::string_view::npos;
    const auto last = filter.substr(filter.rfind('/') + 1);
    if (last != "rejected") wants_reports_answered_[reply_index(is_cbor, false)] = subscribed;
    if (last != "accepted") wants_reports_answered_[reply_index(is_cbor, true)] = subscribed;
}

bool Session::on_defender(const mqtt::Publish& publish, bool is_cbor) {
    if (is_throttled()) return false;
    auto& shared = core_.shared;
    auto answer = std::make_unique<DefenderAnswer>(DefenderAnswer{.report_id = {}, .is_cbor = is_cbor});
    const auto refuse = [&](std::string_view code, std::string_view why) {
        shared.counters.defender_rejected.add();
        shared.throttles.over(code == kThrottled ? Throttle::Reports : Throttle::BrokenReports, speaker_,
                              why);
        answer->is_taken = false;
        answer->error_code = code;
        answer->error_message = why;
        acknowledge_now(publish, std::move(answer));
        return true;
    };
    const auto format = is_cbor ? defender::Format::Cbor : defender::Format::Json;
    const auto report = defender::parse_report(publish.payload, format, answer->report_id);
    if (!report) return refuse(kInvalidPayload, report.error().message);
    const auto standing = shared.defender.standing(speaker_.identity, report->id, last_packet_);
    if (standing.verdict == DefenderTable::Verdict::Throttled)
        return refuse(kThrottled, "a report came before its time");
    if (standing.verdict == DefenderTable::Verdict::Repeated) {
        answer->is_taken = false;
        acknowledge_now(publish, std::move(answer));
        return true;
    }
    answer->marks = marks_of(*report);
    if (!report->established) answer->marks = standing.before;  // not measured: nothing was closed
    const auto received = shared.parts.clock.now();
    const auto message = to_security_message(*report, speaker_.identity, received,
                                             standing.has_before ? &standing.before : nullptr);
    if (!message) return refuse(kInvalidPayload, message.error().message);
    if (message->empty()) {
        shared.defender.taken(speaker_.identity, report->id, last_packet_);
        acknowledge_now(publish, std::move(answer));
        return true;
    }
    const auto filled = fill_record(
        core_.scratch, {.properties = std::span(&kSecurityMark, 1), .body = *message, .received = received},
        stamps_);
    if (!filled) return refuse(kInvalidPayload, filled.error().message);
    core_.scratch.sender = speaker_.identity;
    if (!append(publish, publish.payload.size(), std::move(answer))) return false;  // it comes again
    shared.defender.taken(speaker_.identity, report->id, last_packet_);
    return true;
}

void Session::answer_report(DefenderAnswer& answer) {
    auto& shared = core_.shared;
    const bool is_rejection = !answer.error_code.empty();
    if (answer.is_taken &&
        shared.defender.kept(speaker_.identity, *answer.report_id, std::move(answer.marks)))
        shared.counters.defender_reports.add();
    if (!wants_reports_answered_[reply_index(answer.is_cbor, is_rejection)]) return;
    const auto& thing = speaker_.identity.device.value;
    const auto topic = mqtt::defender_reply_topic(
        thing, answer.is_cbor, is_rejection ? mqtt::DefenderReply::Rejected : mqtt::DefenderReply::Accepted);
    const defender::Reply reply{.thing = thing,
                                .report_id = answer.report_id,
                                .unix_milliseconds = shared.parts.clock.now().unix_millis(),
                                .error_code = answer.error_code,
                                .error_message = answer.error_message};
    const auto body =
        defender::encode_reply(reply, answer.is_cbor ? defender::Format::Cbor : defender::Format::Json);
    mqtt::encode_publish(connection_.output(), {.topic = topic, .payload = body});
    output_waits_ = true;
}

}  // namespace fieldwatch::hub
