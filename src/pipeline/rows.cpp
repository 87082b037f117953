#include "pipeline/rows.hpp"

#include "base/json_text.hpp"
#include "pipeline/offline.hpp"

namespace fieldwatch::pipeline {

namespace {

void add_raw(const model::Event& event, model::LogPosition position, std::string_view details,
             const RowOptions& options, workspace::Commit& commit) {
    const auto before = commit.raw_events.empty() ? workspace::RawEventRow{} : commit.raw_events.back();
    auto& texts = commit.texts;
    commit.raw_events.push_back({.row_id = model::row_id(options.workspace_id, position),
                                 .position = position,
                                 .time_generated = event.received,
                                 .time_stamp = event.time,
                                 .hub = texts.keep(event.hub, before.hub),
                                 .device = texts.keep(event.device, before.device),
                                 .agent_version = texts.keep(event.agent_version, before.agent_version),
                                 .event_id = texts.keep(event.id, before.event_id),
                                 .category = texts.keep(event.category, before.category),
                                 .name = texts.keep(event.name, before.name),
                                 .type = texts.keep(event.type, before.type),
                                 .details_json = texts.keep(details),
                                 .is_empty = event.is_empty});
}

void add_operation(const OperationDecoder::Decoded& decoded, const RowOptions& options,
                   workspace::Commit& commit) {
    const auto& event = decoded.event;
    const auto id = model::row_id(options.workspace_id, event.position);
    if (const auto* const operation = std::get_if<model::Operation>(&event.items[0].payload)) {
        const auto address =
            operation->ip_address.empty() ? operation->masked_ip_address : operation->ip_address;
        commit.diagnostics.push_back({.row_id = id,
                                      .position = event.position,
                                      .time_generated = event.received,
                                      .hub = std::string(event.hub),
                                      .device = std::string(event.device),
                                      .category = std::string(operation->category),
                                      .operation_name = std::string(operation->operation_name),
                                      .result_type = std::string(operation->result_type),
                                      .result_description = std::string(operation->result_description),
                                      .result_signature = std::string(decoded.row.result_signature),
                                      .correlation_id = std::string(decoded.row.correlation_id),
                                      .level = std::string(operation->level),
                                      .caller_ip_address = std::string(address),
                                      .location = std::string(decoded.row.location),
                                      .properties_json = std::string(decoded.row.properties_json),
                                      .duration_ms = static_cast<double>(operation->duration_ms)});
    } else if (const auto* const change =
                   std::get_if<model::ControlPlaneOperation>(&event.items[0].payload)) {
        commit.activities.push_back({.row_id = id,
                                     .position = event.position,
                                     .time_generated = event.received,
                                     .hub = std::string(event.hub),
                                     .operation_name = std::string(change->operation_name),
                                     .activity_status = std::string(change->result_type),
                                     .caller = std::string(change->caller),
                                     .caller_ip_address = std::string(change->caller_ip_address),
                                     .category = "Administrative",
                                     .correlation_id = std::string(change->correlation_id),
                                     .properties_json = std::string(decoded.row.properties_json)});
    }
}

/// docs/formats/workspace.md: what leaves, and since when it waits.
workspace::OutboxRow outbox_row(std::string_view kind, const Uuid& id, Timestamp decided,
                                const model::Finding& finding) {
    workspace::OutboxRow row{.sequence = 0, .kind = std::string(kind), .key = id.text(), .body_json = {}};
    JsonWriter(row.body_json)
        .begin_object()
        .member("v", std::int64_t{1})
        .member("decided", to_iso8601(decided))
        .key("finding")
        .raw(finding_json(finding))
        .end_object();
    return row;
}

}  // namespace

void add_rows(const Outcome& outcome, const model::RecordView&, const RowOptions& options,
              workspace::Commit& commit) {
    for (const auto* event : outcome.events) {
        if (!options.store_raw) break;
        if (event->items.empty()) add_raw(*event, event->position, event->details_json, options, commit);
        for (const auto& item : event->items)
            add_raw(*event, item.position, item.details_json, options, commit);
    }
    for (const auto& operation : outcome.operations)
        add_operation(operation, options, commit);
}

void add_finding(model::Finding finding, model::LogPosition position, std::uint32_t number,
                 const RowOptions& options, workspace::Commit& commit) {
    position.item = kFindingItems + number;
    const auto id = model::row_id(options.workspace_id, position);
    if (auto* const alert = std::get_if<model::Alert>(&finding)) {
        const bool is_new = alert->status == model::AlertStatus::New;
        // Of a state that is not the first; an alert that was dismissed as it was raised has none.
        if (alert->update != is_new)
            commit.outbox.push_back(
                outbox_row(is_new ? "alert" : "alert-state", alert->id, alert->processed, finding));
        const auto time = alert->processed;
        commit.alerts.push_back({id, position, time, std::move(*alert)});
    } else if (auto* const recommendation = std::get_if<model::Recommendation>(&finding)) {
        const auto time = recommendation->processed;
        if (!recommendation->is_snapshot)
            commit.outbox.push_back(outbox_row("recommendation", recommendation->id, time, finding));
        commit.recommendations.push_back({id, position, time, std::move(*recommendation)});
    }
}

std::string_view hub_of(const model::Finding& finding) {
    return std::visit([](const auto& f) -> std::string_view { return f.hub.value; }, finding);
}

}  // namespace fieldwatch::pipeline
