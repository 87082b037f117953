#include "pipeline/offline.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "base/json_text.hpp"
#include "pipeline/input/pieces.hpp"
#include "pipeline/shard_core.hpp"
#include "protocol/diagnostic/records.hpp"

namespace fieldwatch::pipeline {

namespace {

/// Long enough for every window to close: twice the longest setting of a window that raises something at its
/// end.
constexpr Ticks kRunOn = std::chrono::hours(2);

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

namespace {

/// What goes through the pipeline, with the place of each record in the log and the line it came from.
class Run {
  public:
    Run(detect::ContentPtr content, const OfflineOptions& options)
        : options_(options),
          core_(std::move(content), "",
                [](std::string_view) -> Result<detect::ContentPtr> {
                    return fail(Errc::NotFound, "recorded input carries no content");
                },
                {.decode = options.decode, .is_whole = true}) {}

    Result<void> stream(std::istream& input) {
        std::unique_ptr<InputReader> reader;
        Result<void> processed;
        const RecordSink sink = [&](const model::RecordView& record, std::uint64_t number) {
            if (!processed) return;
            last_ = std::max(last_, record.received);
            processed = core_.process(record, {.offset = place(number)}, outcome_);
            collector_.add(outcome_.findings);
        };
        const auto before = report_.records;
        bool by_line = false;
        Pieces pieces(input, {.line_bytes_max = options_.input.line_bytes_max,
                              .document_bytes_max = diagnostic::kDocumentBytesMax});
        while (const auto piece = pieces.next()) {
            if (!reader) {
                const auto format = format_of(piece->text);
                reader = make_input_reader(format, options_.input);
                by_line = format == InputFormat::Diagnostics;  // a document holds any number of records
            }
            const auto number = before + (by_line ? piece->line : piece->number);
            report_.records = number;
            const auto read = piece->too_long
                                  ? Result<void>(fail(Errc::TooLarge, "/: the line or document is too long"))
                                  : reader->read(piece->text, number, sink);
            if (!processed) return processed;
            if (read) continue;
            outcome_.findings.assign(1, model::DeadLetter{.position = {.offset = place(number)},
                                                          .reason = read.error().message,
                                                          .received = last_});
            collector_.add(outcome_.findings);
        }
        if (input.bad()) return fail(Errc::Io, "reading recorded input");
        if (reader) reader->finish(sink);
        return processed;
    }

    /// Time runs on: what is owed a minute later, then what waits for a window's end.
    void end() {
        core_.run_on(last_ + kRunOn, outcome_);
        collector_.add(outcome_.findings);
        core_.run_on(last_ + kRunOn + kRunOn, outcome_);
        collector_.add(outcome_.findings);
    }

    OfflineReport report(const std::function<void(std::string_view)>& sink);

  private:
    std::uint64_t place(std::uint64_t number) {
        lines_.push_back(number);
        return lines_.size() - 1;
    }

    /// What looks like nothing known is our own form, whose reader says what it misses.
    InputFormat format_of(std::string_view line) const {
        if (options_.format) return *options_.format;
        return guess_input_format(line).value_or(InputFormat::JsonLines);
    }

    const OfflineOptions& options_;
    ShardCore core_;
    Collector collector_;
    Outcome outcome_;
    OfflineReport report_;
    std::vector<std::uint64_t> lines_;  ///< by place in the log
    Timestamp last_{0};
};

/// Evidence names lines, as the person who reads it does.
void number_by_line(model::Finding& finding, const std::vector<std::uint64_t>& lines) {
    const auto renumber = [&](model::LogPosition& position) {
        if (position.offset < lines.size()) position.offset = lines[position.offset] - 1;
    };
    std::visit(
        [&](auto& f) {
            if constexpr (requires { f.evidence; }) {
                for (auto& position : f.evidence)
                    renumber(position);
            } else {
                renumber(f.position);
            }
        },
        finding);
}

OfflineReport Run::report(const std::function<void(std::string_view)>& sink) {
    std::vector<Ordered> lines;
    std::optional<model::Severity> highest;
    for (auto& finding : collector_.list()) {
        number_by_line(finding, lines_);
        lines.push_back(ordered(finding, lines.size()));
        if (const auto* const alert = std::get_if<model::Alert>(&finding)) {
            ++report_.alerts;
            highest = highest ? std::max(*highest, alert->severity) : alert->severity;
        }
        report_.recommendations += std::holds_alternative<model::Recommendation>(finding);
        report_.dead_letters += std::holds_alternative<model::DeadLetter>(finding);
    }
    std::sort(lines.begin(), lines.end(), [](const Ordered& a, const Ordered& b) {
        return std::tie(a.last_record, a.rule, a.entity, a.arrival) <
               std::tie(b.last_record, b.rule, b.entity, b.arrival);
    });
    report_.findings = lines.size();
    if (highest) report_.highest_severity = model::to_string(*highest);
    for (const auto& entry : lines)
        sink(entry.line);
    return std::move(report_);
}

}  // namespace

Result<OfflineReport> run_offline(std::span<std::istream* const> inputs, detect::ContentPtr content,
                                  const OfflineOptions& options,
                                  const std::function<void(std::string_view)>& sink) {
    Run run(std::move(content), options);
    for (auto* const input : inputs)
        FIELDWATCH_TRY(run.stream(*input));
    run.end();
    return run.report(sink);
}

}  // namespace fieldwatch::pipeline
