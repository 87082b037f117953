#include "pipeline/series_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <span>
#include <utility>

#include "base/json_text.hpp"
#include "base/text.hpp"
#include "detect/behaviour/series_model.hpp"

namespace fieldwatch::pipeline {
namespace {

using detect::SeriesModel;

constexpr std::size_t kLineBytesMax = 4'096;
constexpr std::string_view kBlanks = " \"\r";  ///< quotes go with them
constexpr Ticks kOneAlert =
    std::chrono::hours(6);  ///< spec/detection.md section 4: merged by device and cause

std::optional<double> number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<Timestamp> stamp(std::string_view text) {
    if (const auto epoch = number(text)) {
        // Seconds of the year 5138 are milliseconds of 1973, and so on for micro- and nanoseconds.
        double seconds = *epoch;
        for (int i = 0; i < 3 && std::abs(seconds) >= 1e11; ++i)
            seconds /= 1000;
        if (!std::isfinite(seconds) || std::abs(seconds) > 253'402'300'799.0) return std::nullopt;
        return Timestamp{static_cast<std::int64_t>(seconds * 10'000'000)};
    }
    if (const auto iso = parse_iso8601(text)) return iso->time;
    // A day alone, or a time without seconds.
    const auto completed = text.size() == 10   ? fmt::format("{}T00:00:00", text)
                           : text.size() == 16 ? fmt::format("{}:00", text)
                                               : std::string();
    const auto iso = parse_iso8601(completed);
    return iso ? std::optional(iso->time) : std::nullopt;
}

bool is_missing(std::string_view text) {
    if (text.size() > 4) return false;
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    return lower.empty() || lower == "nan" || lower == "null" || lower == "na" || lower == "none";
}

std::string_view told(detect::Deviation cause) {
    switch (cause) {
        case detect::Deviation::Residual:
            return "it lies far from its forecast";
        case detect::Deviation::Shift:
            return "the values of late lie off their usual level for the time of day";
        case detect::Deviation::Range:
            return "nothing like it was seen before";
        case detect::Deviation::Drift:
            return "the values of late lie off their long average";
        case detect::Deviation::Variation:
            return "the values move much more, or much less, than usual";
    }
    std::unreachable();
}

/// The three that weigh most, heaviest first.
void write_contributions(JsonWriter& json, const SeriesLine& line, const detect::SeriesScore& score) {
    std::array<std::size_t, 5> order{0, 1, 2, 3, 4};
    std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return score.contributions[i]; });
    json.key("Contributions").begin_array();
    for (const auto i : std::span(order).first(3)) {
        if (score.contributions[i] <= 0) break;
        json.begin_object().member("feature", to_string(static_cast<detect::Deviation>(i)));
        json.key("score").real(score.contributions[i]);
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
    JsonWriter entities(alert.entities_json);
    entities.begin_array()
        .begin_object()
        .member("$id", "1")
        .member("Type", "iotdevice")
        .member("DeviceId", device);
    entities.end_object().end_array();
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
        auto parsed =
            text.size() > kLineBytesMax
                ? Result<SeriesLine>(fail(Errc::TooLarge, "a line of a series has at most 4096 bytes"))
                : parse_series_line(text);
        if (!parsed && report.records == 0 && !std::exchange(had_heading_, true)) return;
        ++report.records;
        if (!parsed) {
            ++report.dead_letters;
            sink_(finding_json(model::DeadLetter{.position = {.offset = report.records - 1},
                                                 .device = device_,
                                                 .reason = parsed.error().message}));
            return;
        }
        score(*parsed);
    }

    OfflineReport report;

  private:
    void score(const SeriesLine& line) {
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
        const auto score = model_.observe(line.time, *line.value);
        json.key("value").real(*line.value);
        json.key("score").real(score.score);
        json.key("p").real(score.probability);
        json.key("expected").begin_array().real(score.low).real(score.high).end_array();
        json.member("cause", to_string(score.cause()));
        json.key("learning").boolean(score.learning);
        json.end_object();
        sink_(out);
        if (score.learning) return;
        if (score.score >= SeriesModel::kMonthly) raise(line, score, model::Severity::Medium, medium_);
        if (score.score >= SeriesModel::kWeekly) raise(line, score, model::Severity::Low, low_);
    }

    /// One alert while scores like it follow each other within six hours; a higher one covers the lower.
    void raise(const SeriesLine& line, const detect::SeriesScore& score, model::Severity severity,
               std::optional<Timestamp>& last) {
        const bool again = last && line.time - *last <= kOneAlert;
        const bool covered = severity == model::Severity::Low && medium_ && line.time - *medium_ <= kOneAlert;
        last = line.time;
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
    bool had_heading_ = false;
    std::optional<Timestamp> medium_, low_;
};

}  // namespace

Result<SeriesLine> parse_series_line(std::string_view line) {
    const auto comma = line.find_first_of(",;\t");
    if (comma == std::string_view::npos)
        return fail(Errc::Malformed, "a line of a series is \"timestamp,value\"");
    auto rest = line.substr(comma + 1);
    rest = trimmed(rest.substr(0, rest.find(line[comma])), kBlanks);
    const auto time = stamp(trimmed(line.substr(0, comma), kBlanks));
    if (!time)
        return fail(Errc::Malformed, "the stamp is neither ISO 8601 nor seconds or milliseconds since 1970");
    if (is_missing(rest)) return SeriesLine{*time, std::nullopt};
    const auto value = number(rest);
    if (!value) return fail(Errc::Malformed, "the value is no number");
    return SeriesLine{*time, std::isfinite(*value) ? value : std::nullopt};
}

Result<OfflineReport> run_series(std::istream& input, const std::string& device,
                                 const std::function<void(std::string_view)>& sink) {
    SeriesRun run(device, sink);
    std::string line;
    while (std::getline(input, line)) {
        if (line.find_first_not_of(" \t\r") != std::string::npos) run.line(line);
    }
    if (input.bad()) return fail(Errc::Io, "reading the series");
    return run.report;
}

}  // namespace fieldwatch::pipeline
