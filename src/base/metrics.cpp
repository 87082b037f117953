#include "base/metrics.hpp"

#include <fmt/format.h>

#include "base/limits.hpp"

namespace fieldwatch {

namespace {

std::string render(Metrics::Labels labels) {
    std::string out;
    for (const auto& [name, value] : labels) {
        out += out.empty() ? "" : ",";
        out += fmt::format("{}=\"", name);
        for (const char c : value) {
            if (c == '\\' || c == '"') {
                out += '\\';
                out += c;
            } else if (c == '\n') {
                out += "\\n";
            } else {
                out += c;
            }
        }
        out += '"';
    }
    return out;
}

}  // namespace

Metrics::Family& Metrics::family(std::string_view name, std::string_view help, bool is_counter) {
    const auto found = families_.find(name);
    if (found != families_.end()) return found->second;
    Family family;
    family.help = help;
    family.is_counter = is_counter;
    return families_.emplace(name, std::move(family)).first->second;
}

Counter& Metrics::counter(std::string_view name, std::string_view help, Labels labels) {
    const std::lock_guard lock(mutex_);
    auto& series = family(name, help, true).series;
    auto key = render(labels);
    if (!series.contains(key)) {
        if (series_count_ >= limits::metric_series) key = "overflow=\"true\"";
        ++series_count_;
    }
    auto& slot = series[key].counter;
    if (!slot) slot = std::make_unique<Counter>();
    return *slot;
}

Gauge& Metrics::gauge(std::string_view name, std::string_view help, Labels labels) {
    const std::lock_guard lock(mutex_);
    auto& series = family(name, help, false).series;
    auto key = render(labels);
    if (!series.contains(key)) {
        if (series_count_ >= limits::metric_series) key = "overflow=\"true\"";
        ++series_count_;
    }
    auto& slot = series[key].gauge;
    if (!slot) slot = std::make_unique<Gauge>();
    return *slot;
}

std::string Metrics::prometheus_text() const {
    const std::lock_guard lock(mutex_);
    std::string out;
    for (const auto& [name, family] : families_) {
        out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, family.help, name,
                           family.is_counter ? "counter" : "gauge");
        for (const auto& [labels, series] : family.series) {
            const auto braces = labels.empty() ? std::string() : fmt::format("{{{}}}", labels);
            if (family.is_counter) {
                out += fmt::format("{}{} {}\n", name, braces, series.counter->value());
            } else {
                out += fmt::format("{}{} {}\n", name, braces, series.gauge->value());
            }
        }
    }
    return out;
}

}  // namespace fieldwatch
