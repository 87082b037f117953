#include "pipeline/series_run.hpp"

#include <fmt/format.h>

#include <functional>
#include <utility>

#include "base/json_text.hpp"
#include "base/line_reader.hpp"
#include "detect/behaviour/alert_budget.hpp"
#include "detect/behaviour/series_model.hpp"
#include "detect/detector.hpp"

namespace fieldwatch::pipeline {
namespace {

using detect::SeriesModel;

constexpr std::size_t kLineBytesMax = 4'096;
constexpr double kStranger = 4.0 / 3;  ///< times the score that was told: told again

constexpr std::chrono::seconds kCountedStep = std::chrono::minutes(5);
constexpr auto kCountsBefore = Timestamp::from_unix_seconds(100'000'000);  ///< March 1973

void write_contributions(JsonWriter& json, const SeriesLine& line, const detect::SeriesScore& score) {
    json.key("Contributions").begin_array();
    for (const auto deviation : score.heaviest()) {
        json.begin_object().member("feature", to_string(deviation));
        json.key("score").real(score.contribution(deviation));
        json.key("observed").real(*line.value);
        json.key("expected").begin_array().real(score.low).real(score.high).end_array();
        json.end_object();
    }
    json.end_array();
}

model::Alert alert_of(const std::string& device, std::uint64_t record, const SeriesLine& line,
                      const detect::SeriesScore& score, model::Severity severity) {
    model::Alert alert;
    alert.type = "IoT_X_UnusualValue";
    alert.display_name = "A value deviates from the series' standard behaviour";
    alert.description = fmt::format("The value {}, where {:.6g} to {:.6g} was expected: {}.", *line.value,
                                    score.low, score.high, told(score.cause()));
    alert.severity = severity;
    alert.component = "Behaviour";
    alert.hub = {"recorded"};
    alert.compromised_entity = device;
    alert.rule = {.id = "fieldwatch-series",
                  .title = alert.display_name,
                  .author = "Fieldwatch",
                  .license = "Apache-2.0",
                  .references = {}};
    alert.start = alert.end = line.time;
    alert.evidence = {{.offset = record - 1}};
    alert.discriminator = std::string(to_string(score.cause()));
    alert.id = Uuid::named(Uuid{}, fmt::format("{}/{}/{}", device, record, model::to_string(severity)));
    detect::EntityWriter(alert.entities_json, alert.hub.value, device).end();
    JsonWriter extended(alert.extended_json);
    extended.begin_object().member("DeviceId", device).member("Cause", to_string(score.cause()));
    extended.key("Observed").real(*line.value);
    extended.key("Expected").real(score.expected);
    extended.key("Expected Low").real(score.low);
    extended.key("Expected High").real(score.high);
    extended.key("Score").real(score.score);
    write_contributions(extended, line, score);
    extended.end_object();
    return alert;
}

class SeriesRun {
  public:
    SeriesRun(const std::string& device, const std::function<void(std::string_view)>& sink)
        : device_(device), sink_(sink) {}

    void line(std::string_view text) {
        if (columns_) return row(text);
        // The first line that is no row is the heading; the first row tells the columns. Without one in the
        // first two lines the file is read as it stands.
        const auto columns = series_columns(heading_, text);
        if (!parse(text, columns) && heading_.empty()) {
            heading_ = text.substr(0, kLineBytesMax);
            return;
        }
        columns_ = columns;
        row(text);
    }

    OfflineReport report;

  private:
    static Result<SeriesLine> parse(std::string_view text, const SeriesColumns& columns) {
        if (text.size() > kLineBytesMax)
            return fail(Errc::TooLarge, "a line of a series has at most 4096 bytes");
        return parse_series_line(text, columns);
    }

    void row(std::string_view text) {
        ++report.records;
        auto parsed = parse(text, *columns_);
        if (parsed) {
            if (parsed->day_first) columns_->day_first = *parsed->day_first;
            return score(*parsed, model_time(*parsed));
        }
        ++report.dead_letters;
        sink_(finding_json(model::DeadLetter{.position = {.offset = report.records - 1},
                                             .device = device_,
                                             .reason = parsed.error().message}));
    }

    /// Numbers that count rows (1, 2, 3 …) are no time of day: each stands for five minutes.
    Timestamp model_time(const SeriesLine& line) {
        const bool counts =
            line.is_number && line.time < kCountsBefore && line.time.ticks > -kCountsBefore.ticks;
        if (report.records == 1 && counts) counted_from_ = line.time;
        if (!counted_from_ || !counts) return line.time;
        const auto since = line.time - *counted_from_;
        if (report.records == 2 && since != std::chrono::seconds(1)) counted_from_.reset();
        return counted_from_ ? *counted_from_ + since * kCountedStep.count() : line.time;
    }

    void score(const SeriesLine& line, Timestamp time) {
        std::string out;
        JsonWriter json(out);
        json.begin_object()
            .member("kind", "score")
            .member("device", device_)
            .member("record", static_cast<std::int64_t>(report.records));
        json.member("time", to_iso8601(line.time));
        if (!line.value) {
            json.key("value").null().key("score").null();
            json.end_object();
            sink_(out);
            return;
        }
        const auto score = model_.observe(time, *line.value);
        json.key("value").real(*line.value);
        json.key("score").real(score.score);
        json.key("p").real(score.probability);
        json.key("expected").begin_array().real(score.low).real(score.high).end_array();
        json.member("cause", to_string(score.cause()));
        json.key("learning").boolean(score.learning);
        json.end_object();
        sink_(out);
        if (score.learning) return;
        if (score.score >= SeriesModel::kMonthly) raise(line, time, score, model::Severity::Medium, medium_);
        if (score.score >= SeriesModel::kWeekly) raise(line, time, score, model::Severity::Low, low_);
    }

    /// The newest score of a severity, and the highest that was told since they follow each other.
    struct Told {
        Timestamp newest;
        double score = 0;
    };

    /// One alert while scores like it follow each other within six hours, and one more when it becomes a
    /// third stranger; a higher one covers the lower.
    void raise(const SeriesLine& line, Timestamp time, const detect::SeriesScore& score,
               model::Severity severity, std::optional<Told>& told) {
        const bool follows = told && time - told->newest <= detect::kAlertMerge;
        const bool again = follows && score.score < kStranger * told->score;
        const bool covered =
            severity == model::Severity::Low && medium_ && time - medium_->newest <= detect::kAlertMerge;
        told = Told{time, again ? told->score : score.score};
        if (again || covered) return;
        ++report.alerts;
        ++report.findings;
        const auto name = model::to_string(severity);
        if (report.highest_severity != "Medium") report.highest_severity = name;
        sink_(finding_json(alert_of(device_, report.records, line, score, severity)));
    }

    const std::string& device_;
    const std::function<void(std::string_view)>& sink_;
    SeriesModel model_;
    std::string heading_;
    std::optional<SeriesColumns> columns_;   ///< none before the first row
    std::optional<Timestamp> counted_from_;  ///< the first stamp, where stamps count rows
    std::optional<Told> medium_, low_;
};

}  // namespace

Result<OfflineReport> run_series(std::istream& input, const std::string& device,
                                 const std::function<void(std::string_view)>& sink) {
    SeriesRun run(device, sink);
    std::string line;
    while (read_line(input, line, kLineBytesMax)) {
        const auto first = line.find_first_not_of(" \t\r");
        if (first != std::string::npos && line[first] != '#') run.line(line);
    }
    if (input.bad()) return fail(Errc::Io, "reading the series");
    return run.report;
}

}  // namespace fieldwatch::pipeline
