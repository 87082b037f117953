// What a session does with a report to AWS IoT Device Defender: it becomes a security message of the device,
// and is answered when that is durable. Source: spec/aws-device-defender.md sections 1 to 3.
#include "hub/session.hpp"

namespace fieldwatch::hub {

namespace {

const mqtt::Property kSecurityMark{"$.ifid", std::string(model::kSecurityInterface)};

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
    const auto refuse = [&](std::optional<std::int64_t> id, std::string_view code, std::string_view message) {
        acknowledge_now(publish);
        reject_report(id, is_cbor, code, message);
        return true;
    };
    std::optional<std::int64_t> id;
    const auto report = defender::parse_report(publish.payload,
                                               is_cbor ? defender::Format::Cbor : defender::Format::Json, id);
    if (!report) return refuse(id, "InvalidPayload", report.error().message);
    const auto standing = shared.defender.standing(speaker_.identity, report->id, now());
    if (standing.verdict == DefenderTable::Verdict::Throttled)
        return refuse(id, "Throttled", "a report came before its time");
    auto answer = std::make_unique<DefenderAnswer>(
        DefenderAnswer{.report_id = report->id, .is_cbor = is_cbor, .marks = marks_of(*report)});
    if (!report->established) answer->marks = standing.before;  // not measured: nothing was closed
    const auto received = shared.parts.clock.now();
    const auto message = to_security_message(*report, speaker_.identity, received,
                                             standing.has_before ? &standing.before : nullptr);
    if (!message) return refuse(id, "InvalidPayload", message.error().message);
    const bool is_repeated = standing.verdict == DefenderTable::Verdict::Repeated;
    if (is_repeated || message->empty()) {
        if (!is_repeated) shared.defender.taken(speaker_.identity, now());
        acknowledge_now(publish);
        accept_report(*answer);
        return true;
    }
    const auto filled = fill_record(
        core_.scratch, {.properties = std::span(&kSecurityMark, 1), .body = *message, .received = received},
        stamps_);
    if (!filled) return refuse(id, "InvalidPayload", filled.error().message);
    core_.scratch.sender = speaker_.identity;
    if (!append(publish, publish.payload.size(), std::move(answer))) return false;  // it comes again
    shared.defender.taken(speaker_.identity, now());
    return true;
}

void Session::accept_report(DefenderAnswer& answer) {
    auto& shared = core_.shared;
    shared.counters.defender_reports.add();
    shared.defender.kept(speaker_.identity, answer.report_id, std::move(answer.marks));
    reply_to_report({.report_id = answer.report_id}, answer.is_cbor);
}

void Session::reject_report(std::optional<std::int64_t> report_id, bool is_cbor, std::string_view code,
                            std::string_view message) {
    core_.shared.counters.defender_rejected.add();
    log("DeviceTelemetry", "ingress", code == "Throttled" ? 429001 : 400004, message);
    reply_to_report({.report_id = report_id, .error_code = code, .error_message = message}, is_cbor);
}

void Session::reply_to_report(const defender::Reply& reply, bool is_cbor) {
    const bool is_rejection = !reply.error_code.empty();
    if (!wants_reports_answered_[reply_index(is_cbor, is_rejection)]) return;
    auto whole = reply;
    whole.thing = speaker_.identity.device.value;
    whole.unix_milliseconds = core_.shared.parts.clock.now().unix_millis();
    const auto topic = mqtt::defender_reply_topic(
        whole.thing, is_cbor, is_rejection ? mqtt::DefenderReply::Rejected : mqtt::DefenderReply::Accepted);
    const auto body =
        defender::encode_reply(whole, is_cbor ? defender::Format::Cbor : defender::Format::Json);
    mqtt::encode_publish(connection_.output(), {.topic = topic, .payload = body});
    output_waits_ = true;
}

}  // namespace fieldwatch::hub
