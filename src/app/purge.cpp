#include "app/purge.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/words.hpp"
#include "model/record.hpp"

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
                          view.kind == Twin || view.kind == QueryFinding;
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

/// A name as it stands in texts, and as JSON escapes it.
class NameFilter {
  public:
    explicit NameFilter(const std::string& name) : name_(name) {
        const auto quoted =
            nlohmann::json(name).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
        escaped_ = quoted.substr(1, quoted.size() - 2);
    }
    /// Whether anything was replaced.
    bool apply(std::string& text) const {
        auto done = replace_words(text, name_, workspace::kPurged);
        auto count = done.count;
        if (escaped_ != name_) {
            auto again = replace_words(done.text, escaped_, workspace::kPurged);
            count += again.count;
            done = std::move(again);
        }
        if (count > 0) text = std::move(done.text);
        return count > 0;
    }

  private:
    std::string name_, escaped_;
};

std::optional<Bytes> without_name(const model::RecordView& view, const NameFilter& filter) {
    // Content versions are named by the hash of what they hold.
    if (view.kind == model::RecordKind::Content || view.kind == model::RecordKind::Tick) return std::nullopt;
    auto record = owned(view);
    bool changed = filter.apply(record.body);
    for (auto& [name, value] : record.properties)
        changed = filter.apply(value) || changed;
    if (!changed) return std::nullopt;
    return model::encode(record);
}

}  // namespace

Result<portal::PurgeReport> purge(const workspace::Purge& what, const PurgeParts& parts) {
    portal::PurgeReport report;
    // The log first: a row that a restart makes again of an old record must not come back.
    const NameFilter filter(what.user_name);
    const auto replace = [&](journal::Stream stream, ByteView bytes) -> std::optional<Bytes> {
        const auto view = model::decode_record(bytes);
        if (!view) return std::nullopt;
        if (!what.device.empty())
            return is_of_device(*view, what) ? std::optional(trace_of(stream, *view)) : std::nullopt;
        return without_name(*view, filter);
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
