#include "detect/behaviour/metric_detector.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "base/json_text.hpp"
#include "detect/behaviour/evidence_query.hpp"
#include "detect/state.hpp"

namespace fieldwatch::detect {
namespace {

/// Medium, the most that a model alone may say: at the threshold of one false alert a month and series.
const AlertType kUnusualMetric{"fieldwatch-x-unusual-metric",
                               "IoT_X_UnusualMetric",
                               "A number that an application sends is not what it usually is",
                               "",
                               "Impact",
                               model::Severity::Medium,
                               "",
                               "Look at what the device did; mark it as expected if it is right"};

std::optional<double> number_in(std::string_view text) {
    double value = 0;
    const auto* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value);
    if (read.ec != std::errc{} || read.ptr != end || !std::isfinite(value)) return std::nullopt;
    return value;
}

/// What weighs most: each a feature as the device's other alerts have them.
void write_contributions(JsonWriter& json, std::string_view metric, double value, const SeriesScore& score,
                         std::string_view last_seen) {
    json.key("Contributions").begin_array();
    for (const auto deviation : score.heaviest()) {
        json.begin_object().member("feature", fmt::format("{} of {}", to_string(deviation), metric));
        json.key("observed").real(value);
        json.key("expected").begin_array().real(score.low).real(score.high).end_array();
        json.key("score").real(score.contribution(deviation));
        json.member("last_seen", last_seen).end_object();
    }
    json.end_array();
}

}  // namespace

void MetricDetector::observe(const model::Event& event, const model::Item& item, Context& context) {
    if (event.kind != model::EventKind::Custom || !context.settings.behaviour || event.device.empty()) return;
    const auto* const payload = std::get_if<model::OtherPayload>(&item.payload);
    if (payload == nullptr) return;
    const auto name_of_event = model::find(payload->fields, "Name");
    if (std::ranges::find(kMetricEvents, name_of_event) == std::end(kMetricEvents)) return;
    for (const auto& [name, text] : item.extra_details) {
        const auto value = number_in(text);
        if (!value || name.empty()) continue;
        observe({.metric = name, .value = *value, .event = event, .at = item.position}, context);
    }
}

MetricDetector::Series* MetricDetector::series_of(const model::Event& event, std::string_view metric) {
    const auto key = device_key(event.hub, event.device);
    auto device = devices_.find(key);
    if (device != devices_.end()) {
        const auto known = device->second.series.find(metric);
        if (known != device->second.series.end()) return known->second.get();
        if (device->second.series.size() >= kOfDeviceMax) return nullptr;
    }
    const auto hub = of_hub_.find(event.hub);
    if (metric.size() > kNameBytesMax || series_ >= kSeriesMax ||
        (hub != of_hub_.end() && hub->second >= kOfHubMax))
        return nullptr;
    if (device == devices_.end()) {
        device = devices_.try_emplace(key).first;
        device->second.hub = event.hub;
        device->second.name = event.device;
    }
    ++series_;
    ++of_hub_[std::string(event.hub)];
    return device->second.series.emplace(metric, std::make_unique<Series>()).first->second.get();
}

bool MetricDetector::is_frozen(const Device& device, std::string_view metric, const Context& context) const {
    return device.raised_metric == metric && device.raised.freezes(context.now) &&
           context.book.open_id(device.hub, kUnusualMetric.type, device.name, metric);
}

void MetricDetector::observe(Sample sample, Context& context) {
    auto* const series = series_of(sample.event, sample.metric);
    if (series == nullptr || sample.event.time < series->newest) {
        ++refused_;
        return;
    }
    auto& device = devices_.find(device_key(sample.event.hub, sample.event.device))->second;
    const bool frozen = is_frozen(device, sample.metric, context);
    SeriesScore score;
    if (frozen) {
        auto undone = series->model;  // judged, and not learned
        score = undone.observe(sample.event.time, sample.value);
    } else {
        score = series->model.observe(sample.event.time, sample.value);
    }
    series->newest = sample.event.time;
    series->heard = context.now;
    if (!score.learning && score.score >= kLowestFactor * SeriesModel::kMonthly) {
        sample.verdict = verdict_on({.hub = sample.event.hub,
                                     .device = sample.event.device,
                                     .type = kUnusualMetric.type,
                                     .cause = sample.metric,
                                     .now = context.now},
                                    context.settings.expectations);
        if (score.score >= threshold_factor(sample.verdict) * SeriesModel::kMonthly)
            raise(device, sample, score, series->strange, context);
    }
    if (!score.learning && score.score >= SeriesModel::kWeekly) series->strange = sample.event.time;
}

void MetricDetector::raise(Device& device, const Sample& sample, const SeriesScore& score, Timestamp strange,
                           Context& context) {
    // What goes on is one alert, and within the budget.
    const bool same = device.raised_metric == sample.metric && context.now - device.raised.at < kAlertMerge;
    if (!same && device.raised.spends_budget(context.now, score.score)) return;
    auto alert = device_alert(kUnusualMetric, sample.event, sample.at);
    alert.discriminator = sample.metric;
    alert.description = fmt::format("{} is {:.6g}, where {:.6g} to {:.6g} was expected: {}.", sample.metric,
                                    sample.value, score.low, score.high, told(score.cause()));
    JsonWriter extended(alert.extended_json);
    extended.begin_object().member("DeviceId", device.name).member("Metric", sample.metric);
    extended.member("Cause", to_string(score.cause()));
    extended.key("Observed").real(sample.value);
    extended.key("Expected").real(score.expected);
    extended.key("Expected Low").real(score.low);
    extended.key("Expected High").real(score.high);
    extended.key("Score").real(score.score);
    extended.key("Probability").real(score.probability);
    if (sample.verdict != Verdict::Usual) extended.member("Feedback", to_string(sample.verdict));
    write_contributions(extended, sample.metric, sample.value, score,
                        strange.ticks == 0 ? std::string("never") : to_iso8601(strange));
    extended.member(kEvidenceQueryKey,
                    evidence_query(MetricRows{
                        .device = device.name, .metric = sample.metric, .until = sample.event.time}));
    extended.end_object();
    EntityWriter(alert.entities_json, device.hub, device.name).end();
    if (!same || score.score > device.raised.score) device.raised.score = score.score;
    if (!same) device.raised.at = context.now;
    device.raised_metric = sample.metric;
    context.book.raise(std::move(alert), kAlertMerge, context.now, context.out);
}

void MetricDetector::advance(Context& context) {
    if (devices_.empty() || context.now - looked_ < std::chrono::hours(1)) return;
    looked_ = context.now;
    for (auto one = devices_.begin(); one != devices_.end();) {
        auto& device = one->second;
        const auto gone = std::erase_if(device.series, [&](const auto& series) {
            return context.now - series.second->heard > kForgotten;
        });
        series_ -= gone;
        const auto hub = of_hub_.find(device.hub);
        if (gone > 0 && (hub->second -= gone) == 0) of_hub_.erase(hub);
        one = device.series.empty() ? devices_.erase(one) : std::next(one);
    }
}

void MetricDetector::save(ByteWriter& out) const {
    out.u64(refused_);
    out.i64(looked_.ticks);
    out.u32(static_cast<std::uint32_t>(devices_.size()));
    for (const auto& [key, device] : devices_) {
        out.text(device.hub);
        out.text(device.name);
        out.i64(device.raised.at.ticks);
        out.f64(device.raised.score);
        out.text(device.raised_metric);
        out.u32(static_cast<std::uint32_t>(device.series.size()));
        for (const auto& [name, series] : device.series) {
            out.text(name);
            series->model.save(out);
            out.i64(series->heard.ticks);
            out.i64(series->newest.ticks);
            out.i64(series->strange.ticks);
        }
    }
}

Result<void> MetricDetector::restore(ByteReader& in) {
    devices_.clear();
    of_hub_.clear();
    series_ = 0;
    refused_ = FIELDWATCH_TRY(in.u64());
    looked_ = FIELDWATCH_TRY(read_time(in));
    const auto devices = FIELDWATCH_TRY(read_count(in, kSeriesMax));
    for (std::uint32_t i = 0; i < devices; ++i) {
        const auto hub = FIELDWATCH_TRY(read_text(in));
        const auto name = FIELDWATCH_TRY(read_text(in));
        auto& device = devices_[device_key(hub, name)];
        device.hub = hub;
        device.name = name;
        device.raised.at = FIELDWATCH_TRY(read_time(in));
        device.raised.score = FIELDWATCH_TRY(in.f64());
        device.raised_metric = FIELDWATCH_TRY(read_text(in));
        const auto count = FIELDWATCH_TRY(read_count(in, kOfDeviceMax));
        for (std::uint32_t k = 0; k < count; ++k) {
            auto series = std::make_unique<Series>();
            auto metric = FIELDWATCH_TRY(read_text(in));
            FIELDWATCH_TRY(series->model.restore(in));
            series->heard = FIELDWATCH_TRY(read_time(in));
            series->newest = FIELDWATCH_TRY(read_time(in));
            series->strange = FIELDWATCH_TRY(read_time(in));
            device.series[std::move(metric)] = std::move(series);
        }
        if (device.series.empty()) return fail(Errc::Corrupt, "saved state holds a device without a metric");
        series_ += device.series.size();
        of_hub_[hub] += device.series.size();
    }
    return {};
}

}  // namespace fieldwatch::detect
