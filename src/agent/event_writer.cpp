#include "agent/event_writer.hpp"

#include <unistd.h>

#include "agent/agent_log.hpp"
#include "agent/sender_status.hpp"
#include "base/uuid.hpp"

namespace fieldwatch::agent {

EventWriter::EventWriter(const Twin& twin, Outbox& outbox, const Clock& clock, Random& random)
    : twin_(twin), outbox_(outbox), clock_(clock), random_(random) {
    for (auto& id : boot_ids_)
        id = Uuid::random(random).text();
}

void EventWriter::emit(const Observation& observation) {
    enqueue(observation.kind, queue_of(observation.kind), {&observation});
}

Queue EventWriter::queue_of(fieldwatch_kind kind) const {
    const auto wanted = priority(kind);
    return wanted == FIELDWATCH_PRIORITY_HIGH          ? Queue::High
           : wanted == FIELDWATCH_PRIORITY_OPERATIONAL ? Queue::Operational
                                                       : Queue::Low;
}

void EventWriter::enqueue(fieldwatch_kind kind, Queue queue,
                          const std::vector<const Observation*>& payloads) {
    if (is_off(kind)) return;
    const auto at = static_cast<std::size_t>(queue);
    EventIdentity identity;
    identity.time_unix_ms = payloads.size() == 1 ? payloads.front()->time_unix_ms : 0;
    if (identity.time_unix_ms == 0) identity.time_unix_ms = clock_.now().unix_millis();
    identity.local_offset_minutes = local_offset_minutes(identity.time_unix_ms);
    if (!payloads.empty()) {  // an empty snapshot has nowhere to carry it
        identity.boot_id = boot_ids_[at];
        identity.sequence = ++sequences_[at];
    }
    const auto bytes_max = outbox_.message_bytes() - 1'024;
    auto json = encode_event(kind, payloads, identity, random_, bytes_max);
    if (!json && json.error().code == Errc::TooLarge && payloads.size() == 1) {
        auto shortened = *payloads.front();  // the long texts are command lines
        for (auto& field : shortened.fields)
            cut_text(field.text, 512);
        for (auto& extra : shortened.extras)
            cut_text(extra.text, 256);
        json = encode_event(kind, {&shortened}, identity, random_, bytes_max);
    }
    if (json) {
        outbox_.add(queue, std::move(*json), clock_.monotonic().count());
    } else {
        say(Severity::Error, json.error().message);
    }
}

void EventWriter::emit_snapshot(fieldwatch_kind kind, std::vector<Observation> payloads) {
    // Half of what a message may hold: room for others beside it, and parts of one snapshot pack well.
    const auto part_bytes = outbox_.message_bytes() / 2;
    std::vector<std::vector<const Observation*>> parts(1);
    std::size_t bytes = 0;
    for (const auto& payload : payloads) {
        const auto size = payload.bytes() * 2;  // field names and quotes; escapes are rare here
        if (!parts.back().empty() && bytes + size > part_bytes) {
            parts.emplace_back();
            bytes = 0;
        }
        bytes += size;
        parts.back().push_back(&payload);
    }
    if (parts.size() > 1) {
        const auto id = Uuid::random(random_).text();
        std::size_t index = 0;
        for (std::size_t part = 0; part < parts.size(); ++part) {
            for (std::size_t i = 0; i < parts[part].size(); ++i, ++index) {
                payloads[index].extra("SnapshotId", id);
                payloads[index].extra("SnapshotPart",
                                      std::to_string(part + 1) + "/" + std::to_string(parts.size()));
            }
        }
    }
    for (const auto& part : parts)
        enqueue(kind, queue_of(kind), part);
}

std::string EventWriter::sequences() const {
    std::string out;
    for (std::size_t i = 0; i < kQueueCount; ++i)
        out.append(out.empty() ? "" : " ")
            .append(boot_ids_[i])
            .append(":")
            .append(std::to_string(sequences_[i]));
    return out;
}

void EventWriter::tell_start(const Start& start) {
    Observation event{.kind = FIELDWATCH_DIAGNOSTIC};
    const bool intact = start.spool_breaks == 0;
    event.text("Severity", intact ? "Information" : "Error");
    event.text("Message",
               intact ? "agent started" : "agent started; its spool was altered while it stood still");
    event.integer("ProcessId", ::getpid());
    event.integer("ThreadId", ::getpid());
    event.extra("SpoolBreaks", std::to_string(start.spool_breaks));
    event.extra("SpoolTornBytes", std::to_string(start.spool_torn_bytes));
    event.extra("PreviousSequences", start.previous_sequences.empty() ? "none" : start.previous_sequences);
    event.extra("Runs", boot_ids_[0] + " " + boot_ids_[1] + " " + boot_ids_[2]);
    enqueue(event.kind, Queue::Operational, {&event});
}

void EventWriter::diagnose(std::string_view severity, std::string message) {
    Observation event{.kind = FIELDWATCH_DIAGNOSTIC};
    event.text("Severity", std::string(severity));
    event.text("Message", std::move(message));
    event.integer("ProcessId", ::getpid());
    event.integer("ThreadId", ::getpid());
    emit(event);
}

void EventWriter::emit_findings(const std::vector<ConfigurationFinding>& findings) {
    std::vector<Observation> payloads;
    for (const auto& finding : findings) {
        Observation payload{.kind = FIELDWATCH_CONFIGURATION_ERROR};
        payload.text("ConfigurationName", finding.name);
        payload.text("ErrorType", finding.error_type);
        payload.text("UsedConfiguration", finding.used);
        payload.text("Message", finding.message);
        payloads.push_back(std::move(payload));
    }
    if (!payloads.empty()) emit_snapshot(FIELDWATCH_CONFIGURATION_ERROR, std::move(payloads));
}

}  // namespace fieldwatch::agent
