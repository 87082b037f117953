// Deviation of numbers that applications send from what each of them usually is: one series a name and
// device, judged value by value as it comes. Only with the setting `behaviour`. docs/decisions/0170.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "detect/behaviour/alert_budget.hpp"
#include "detect/behaviour/expectation.hpp"
#include "detect/behaviour/series_model.hpp"
#include "detect/detector.hpp"
#include "model/telemetry_metrics.hpp"

namespace fieldwatch::detect {

/// Names of the Custom events whose ExtraDetails are numbers by name: an application's own, what the hub took
/// out of telemetry, and a Device Defender report's.
inline constexpr std::string_view kMetricEvents[] = {"Metrics", model::kTelemetryMetricsEvent,
                                                     "DefenderMetrics"};

/// Values count in the order of the log; one that is older than the newest of its series is left out. What is
/// over a bound is left out, too, and counted: the series that are known go on. One strand.
class MetricDetector {
  public:
    static constexpr std::size_t kOfDeviceMax = 16;   ///< series, and …
    static constexpr std::size_t kOfHubMax = 2'048;   ///< … of one hub in one shard, and …
    static constexpr std::size_t kSeriesMax = 4'096;  ///< … of a shard: at most 10 KiB each, 40 MiB
    static constexpr std::size_t kNameBytesMax = 128;
    static constexpr Ticks kForgotten = std::chrono::hours(24 * 30);  ///< without a value

    void observe(const model::Event& event, const model::Item& item, Context& context);
    /// Forgets what nobody sends any more.
    void advance(Context& context);

    std::size_t series() const { return series_; }
    std::uint64_t refused() const { return refused_; }  ///< values: over a bound, or out of order

    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    struct Series {
        SeriesModel model;
        Timestamp heard;    ///< log time of the newest value
        Timestamp newest;   ///< its own time
        Timestamp strange;  ///< of the newest that was as unusual as one a week is; 0: none
    };
    struct Device {
        std::string hub, name;
        std::map<std::string, std::unique_ptr<Series>, std::less<>> series;
        LastAlert raised;
        std::string raised_metric;
    };
    struct Sample {
        std::string_view metric;
        double value;
        const model::Event& event;
        model::LogPosition at;
        Verdict verdict = Verdict::Usual;  ///< of people
    };
    /// Null where one more is one too many.
    Series* series_of(const model::Event& event, std::string_view metric);
    void observe(Sample sample, Context& context);
    bool is_frozen(const Device& device, std::string_view metric, const Context& context) const;
    void raise(Device& device, const Sample& sample, const SeriesScore& score, Timestamp strange,
               Context& context);

    std::map<std::string, Device, std::less<>> devices_;  ///< by device_key; each has a series
    std::map<std::string, std::size_t, std::less<>> of_hub_;
    std::size_t series_ = 0;
    std::uint64_t refused_ = 0;
    Timestamp looked_;  ///< for what is forgotten
};

}  // namespace fieldwatch::detect
