// Counters and gauges with names and labels, served as Prometheus text. Handed to parts as a struct, never
// looked up in a hot path.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fieldwatch {

/// One time series. Any thread may add; reads are approximate while others write.
class Counter {
  public:
    void add(std::uint64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_{0};
};

class Gauge {
  public:
    void set(double value) { value_.store(value, std::memory_order_relaxed); }
    double value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<double> value_{0};
};

/// Owns all series of a process. Bounded: limits::metric_series; past it a shared overflow series is
/// returned.
class Metrics {
  public:
    using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

    /// `name` follows Prometheus: fieldwatch_hub_publishes_total. References stay valid as long as the
    /// Metrics.
    Counter& counter(std::string_view name, std::string_view help, Labels labels = {});
    Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {});

    std::string prometheus_text() const;  ///< text exposition format 0.0.4

  private:
    struct Series {
        std::unique_ptr<Counter> counter;
        std::unique_ptr<Gauge> gauge;
    };
    struct Family {
        std::string help;
        bool is_counter = true;
        std::map<std::string, Series> series;  // by rendered labels
    };
    Family& family(std::string_view name, std::string_view help, bool is_counter);

    mutable std::mutex mutex_;
    std::map<std::string, Family, std::less<>> families_;
    std::size_t series_count_ = 0;
};

}  // namespace fieldwatch
