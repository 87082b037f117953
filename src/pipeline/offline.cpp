#include "pipeline/offline.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "base/json_text.hpp"
#include "pipeline/shard_core.hpp"

namespace fieldwatch::pipeline {

namespace {

/// Long enough for every window to close: twice the longest setting of a window that raises something at its
/// end.
constexpr Ticks kRunOn = std::chrono::hours(2);

std::optional<model::RecordKind> kind_from(std::string_view name) {
    using enum model::RecordKind;
    for (const auto kind : {SecurityMessage, Operation, ControlPlane, Twin, IdentityChange, HubConfiguration,
                            Telemetry, SigmaEvent}) {
        if (model::to_string(kind) == name) return kind;
    }
    return std::nullopt;
}

/// One line of recorded input; its texts are views into the reader's document, the body is its own.
class RecordLine {
  public:
    Result<model::RecordView> parse(std::string_view line, std::size_t bytes_max, Timestamp previous) {
        const auto* const root = FIELDWATCH_TRY(
            reader_.parse(line, {.bytes_max = bytes_max, .depth_max = limits::json_depth + 1}));
        if (!root->is(json::Type::Object)) return fail(Errc::Malformed, "/: an object is needed");
        model::RecordView out;
        const auto kind_name = root->text_of("kind");
        const auto kind = kind_from(kind_name);
        // A bare sigma-event needs no envelope.
        const bool bare = kind_name.empty() && root->find("logsource") != nullptr;
        if (!kind && !bare) return fail(Errc::Malformed, "/kind: is not a kind of record");
        out.kind = bare ? model::RecordKind::SigmaEvent : *kind;
        out.received = previous;
        if (const auto time = root->text_of("time"); !time.empty()) {
            const auto parsed = parse_iso8601(time);
            if (!parsed) return fail(Errc::Malformed, "/time: is not a time that can be read");
            out.received = parsed->time;
        } else if (out.kind != model::RecordKind::SigmaEvent) {
            return fail(Errc::Malformed, "/time: is required");
        }
        out.hub = root->text_of("hub");
        out.device = root->text_of("device");
        out.module = root->text_of("module");
        const auto* const body = root->find("body");
        body_.clear();
        if (body != nullptr && body->is(json::Type::String) && out.kind != model::RecordKind::SigmaEvent) {
            body_ = body->text;  // a body that is no JSON object can be recorded as text
        } else {
            json::append(body_, body != nullptr ? *body : *root);
        }
        out.body = body_;
        return out;
    }

  private:
    json::Reader reader_;
    std::string body_;
};

std::uint64_t record_number(const model::LogPosition& position) {
    return position.offset + 1;
}

struct Ordered {
    std::uint64_t last_record = 0;
    std::string rule, entity;
    std::uint64_t arrival = 0;
    std::string line;
};

/// Keeps one finding an alert or recommendation, its newest state; dead letters as they come.
class Collector {
  public:
    void add(std::vector<model::Finding>& findings) {
        for (auto& finding : findings) {
            const auto key = std::visit(
                [&](const auto& f) -> std::string {
                    using T = std::decay_t<decltype(f)>;
                    if constexpr (std::is_same_v<T, model::Alert>) return "a" + f.id.text();
                    if constexpr (std::is_same_v<T, model::Recommendation>)
                        return "r" + f.id.text() + std::to_string(f.changed.ticks) +
                               std::string(model::to_string(f.state));
                    return "d" + std::to_string(count_);
                },
                finding);
            ++count_;
            const auto [at, fresh] = index_.emplace(key, list_.size());
            if (fresh) {
                list_.push_back(std::move(finding));
            } else if (const auto* const row = std::get_if<model::Recommendation>(&finding);
                       row == nullptr || !row->is_snapshot) {
                list_[at->second] = std::move(finding);
            }
        }
    }
    std::vector<model::Finding>& list() { return list_; }

  private:
    std::vector<model::Finding> list_;
    std::map<std::string, std::size_t> index_;
    std::uint64_t count_ = 0;
};

Ordered ordered(const model::Finding& finding, std::uint64_t arrival) {
    Ordered out;
    out.arrival = arrival;
    out.line = finding_json(finding);
    if (const auto* const alert = std::get_if<model::Alert>(&finding)) {
        for (const auto& position : alert->evidence)
            out.last_record = std::max(out.last_record, record_number(position));
        out.rule = alert->rule.id;
        out.entity = alert->compromised_entity;
    } else if (const auto* const recommendation = std::get_if<model::Recommendation>(&finding)) {
        for (const auto& position : recommendation->evidence)
            out.last_record = std::max(out.last_record, record_number(position));
        out.rule = recommendation->type;
        out.entity = recommendation->device;
    } else {
        const auto& letter = std::get<model::DeadLetter>(finding);
        out.last_record = record_number(letter.position);
        out.entity = letter.device;
    }
    return out;
}

void write_evidence(JsonWriter& json, const std::vector<model::LogPosition>& evidence) {
    json.key("Evidence").begin_array();
    std::uint64_t last = 0;
    for (const auto& position : evidence) {
        if (record_number(position) != last) json.integer(static_cast<std::int64_t>(record_number(position)));
        last = record_number(position);
    }
    json.end_array();
}

void write_texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
    json.key(name).begin_array();
    for (const auto& text : texts)
        json.string(text);
    json.end_array();
}

void write(JsonWriter& json, const model::Alert& alert) {
    json.begin_object()
        .member("kind", "alert")
        .member("AlertType", alert.type)
        .member("AlertSeverity", model::to_string(alert.severity))
        .member("CompromisedEntity", alert.compromised_entity)
        .member("StartTime", to_iso8601(alert.start))
        .member("EndTime", to_iso8601(alert.end));
    json.key("Rule")
        .begin_object()
        .member("id", alert.rule.id)
        .member("title", alert.rule.title)
        .member("author", alert.rule.author)
        .member("license", alert.rule.license);
    if (!alert.rule.references.empty()) write_texts(json, "references", alert.rule.references);
    json.end_object();
    write_evidence(json, alert.evidence);
    json.key("Entities").raw(alert.entities_json.empty() ? "[]" : alert.entities_json);
    json.key("ExtendedProperties").raw(alert.extended_json.empty() ? "{}" : alert.extended_json);
    json.member("SystemAlertId", alert.id.text())
        .member("DisplayName", alert.display_name)
        .member("Description", alert.description)
        .member("Status", model::to_string(alert.status))
        .member("HitCount", alert.hit_count)
        .member("Hub", alert.hub.value)
        .member("ProductComponentName", alert.component)
        .member("Tactics", alert.intent);
    write_texts(json, "Techniques", alert.techniques);
    write_texts(json, "RemediationSteps", alert.remediation);
    json.end_object();
}

void write(JsonWriter& json, const model::Recommendation& row) {
    json.begin_object()
        .member("kind", "recommendation")
        .member("RecommendationName", row.type)
        .member("RecommendationDisplayName", row.display_name)
        .member("RecommendationSeverity", model::to_string(row.severity))
        .member("RecommendationState", model::to_string(row.state))
        .member("DeviceId", row.device)
        .member("Hub", row.hub.value)
        .member("RecommendationId", row.id.text())
        .member("DiscoveredTimeUTC", to_iso8601(row.discovered))
        .member("StatusChangeDate", to_iso8601(row.changed));
    if (row.resolved) json.member("ResolvedTimeUTC", to_iso8601(*row.resolved));
    json.key("RecommendationAdditionalData").raw(row.additional_json.empty() ? "{}" : row.additional_json);
    write_evidence(json, row.evidence);
    json.end_object();
}

void write(JsonWriter& json, const model::DeadLetter& letter) {
    json.begin_object()
        .member("kind", "dead-letter")
        .member("record", static_cast<std::int64_t>(record_number(letter.position)))
        .member("reason", letter.reason)
        .member_if("DeviceId", letter.device)
        .end_object();
}

}  // namespace

std::string finding_json(const model::Finding& finding) {
    std::string out;
    JsonWriter json(out);
    std::visit([&](const auto& f) { write(json, f); }, finding);
    return out;
}

Result<OfflineReport> run_offline(std::istream& input, detect::ContentPtr content,
                                  const OfflineOptions& options,
                                  const std::function<void(std::string_view)>& sink) {
    ShardCore core(std::move(content), "",
                   [](std::string_view) -> Result<detect::ContentPtr> {
                       return fail(Errc::NotFound, "recorded input carries no content");
                   },
                   {.decode = options.decode});
    RecordLine reader;
    Collector collector;
    Outcome outcome;
    OfflineReport report;
    std::string line;
    Timestamp last{0};
    while (std::getline(input, line)) {
        if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
        const model::LogPosition position{.offset = report.records++};
        const auto record = reader.parse(line, options.line_bytes_max, last);
        if (!record) {
            outcome.findings.assign(
                1,
                model::DeadLetter{.position = position, .reason = record.error().message, .received = last});
        } else {
            last = std::max(last, record->received);
            FIELDWATCH_TRY(core.process(*record, position, outcome));
        }
        collector.add(outcome.findings);
    }
    if (input.bad()) return fail(Errc::Io, "reading recorded input");
    // What is owed a minute later, then what waits for a window's end.
    core.run_on(last + kRunOn, outcome);
    collector.add(outcome.findings);
    core.run_on(last + kRunOn + kRunOn, outcome);
    collector.add(outcome.findings);

    std::vector<Ordered> lines;
    std::optional<model::Severity> highest;
    for (const auto& finding : collector.list()) {
        lines.push_back(ordered(finding, lines.size()));
        if (const auto* const alert = std::get_if<model::Alert>(&finding)) {
            ++report.alerts;
            highest = highest ? std::max(*highest, alert->severity) : alert->severity;
        }
        report.recommendations += std::holds_alternative<model::Recommendation>(finding);
        report.dead_letters += std::holds_alternative<model::DeadLetter>(finding);
    }
    std::sort(lines.begin(), lines.end(), [](const Ordered& a, const Ordered& b) {
        return std::tie(a.last_record, a.rule, a.entity, a.arrival) <
               std::tie(b.last_record, b.rule, b.entity, b.arrival);
    });
    report.findings = lines.size();
    if (highest) report.highest_severity = model::to_string(*highest);
    for (const auto& entry : lines)
        sink(entry.line);
    return report;
}

}  // namespace fieldwatch::pipeline
