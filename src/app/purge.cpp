#include "app/purge.hpp"

#include <algorithm>

#include "model/record.hpp"
#include "workspace/purged_text.hpp"

namespace fieldwatch::app {

namespace {

model::Record owned(const model::RecordView& view) {
    model::Record record{.kind = view.kind,
                         .received = view.received,
                         .sender = {},
                         .properties = {},
                         .body = std::string(view.body)};
    record.sender = {.hub = {std::string(view.hub)},
                     .device = {std::string(view.device)},
                     .module = {std::string(view.module)}};
    for (const auto& [name, value] : view.properties)
        record.properties.emplace_back(name, value);
    return record;
}

/// What a device said or did, and what is kept of it by others; not that it exists.
bool is_of_device(const model::RecordView& view, const workspace::Purge& what) {
    using enum model::RecordKind;
    const bool personal = view.kind == SecurityMessage || view.kind == Telemetry || view.kind == Operation ||
                          view.kind == Twin || view.kind == QueryFinding || view.kind == FleetFact;
    return personal && view.hub == what.hub && view.device == what.device;
}

/// In the place of a device's record: that time passed, or, for readers of telemetry, an empty message.
Bytes trace_of(journal::Stream stream, const model::RecordView& view) {
    model::Record record;
    record.kind =
        stream == journal::Stream::Telemetry ? model::RecordKind::Telemetry : model::RecordKind::Tick;
    record.received = view.received;
    if (stream == journal::Stream::Telemetry) record.sender.hub = {std::string(view.hub)};
    return model::encode(record);
}

std::optional<Bytes> without_name(const model::RecordView& view, std::string_view name) {
    // Content versions are named by the hash of what they hold.
    if (view.kind == model::RecordKind::Content || view.kind == model::RecordKind::Tick) return std::nullopt;
    auto record = owned(view);
    bool changed = false;
    const auto apply = [&](std::string& text) {
        if (auto without = workspace::without_name(text, name)) {
            text = std::move(*without);
            changed = true;
        }
    };
    apply(record.body);
    for (auto& [property, value] : record.properties)
        apply(value);
    if (!changed) return std::nullopt;
    return model::encode(record);
}

}  // namespace

Result<portal::PurgeReport> purge(const workspace::Purge& what, const PurgeParts& parts) {
    portal::PurgeReport report;
    // The log first: a row that a restart makes again of an old record must not come back.
    const auto replace = [&](journal::Stream stream, ByteView bytes) -> std::optional<Bytes> {
        const auto view = model::decode_record(bytes);
        if (!view) return std::nullopt;
        if (!what.device.empty())
            return is_of_device(*view, what) ? std::optional(trace_of(stream, *view)) : std::nullopt;
        return without_name(*view, what.user_name);
    };
    if (!what.only_count) report.log_records = FIELDWATCH_TRY(parts.journal.rewrite(replace));
    std::vector<std::string> done;
    for (const auto& hub : FIELDWATCH_TRY(parts.registry.hubs())) {
        if (!what.hub.empty() && hub.name.value != what.hub) continue;
        if (std::ranges::find(done, hub.workspace) != done.end()) continue;
        done.push_back(hub.workspace);
        auto* const workspace = FIELDWATCH_TRY(parts.workspace(hub.workspace));
        auto* const upkeep = FIELDWATCH_TRY(workspace::upkeep_of(*workspace));
        const auto purged = FIELDWATCH_TRY(upkeep->purge(what));
        for (const auto& [table, rows] : purged.rows)
            report.rows[table] += rows;
        report.sealed_files += purged.sealed_files;
    }
    return report;
}

}  // namespace fieldwatch::app
