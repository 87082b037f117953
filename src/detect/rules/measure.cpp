// What the types of correlation measure in a window (Sigma correlation rules 2.1).
#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <set>

#include "detect/rules/correlator.hpp"

namespace fieldwatch::detect {
namespace {

/// The longest beginning of the rule list that the window shows in order.
std::size_t in_order(std::span<const CorrelatedEvent> window) {
    std::size_t next = 0;
    for (const auto& event : window)
        next += event.place == next ? 1 : 0;
    return next;
}

/// How many of the rules have shown, or whether one of the sets that the condition names is whole.
double together(const Correlation& rule, std::span<const CorrelatedEvent> window) {
    std::uint64_t seen = 0;
    for (const auto& event : window)
        seen |= std::uint64_t{1} << event.place;
    if (rule.ways.empty()) return std::popcount(seen);
    return std::ranges::any_of(rule.ways, [&](auto way) { return (seen & way) == way; }) ? 1 : 0;
}

/// Nearest rank: the smallest value that so many per cent of the values do not exceed.
double percentile(std::span<const CorrelatedEvent> window, double which) {
    std::vector<double> numbers;
    for (const auto& event : window)
        numbers.push_back(event.number);
    std::ranges::sort(numbers);
    const auto rank = std::ceil(which / 100 * static_cast<double>(numbers.size()));
    return numbers[static_cast<std::size_t>(std::max(1.0, rank)) - 1];
}

/// How rare the rarest value is, in per cent of all.
double smallest_share(std::span<const CorrelatedEvent> window) {
    std::map<std::string_view, std::int64_t> counts;
    std::int64_t all = 0;
    for (const auto& event : window) {
        counts[event.text] += event.weight;
        all += event.weight;
    }
    std::int64_t least = all;
    for (const auto& [text, count] : counts)
        least = std::min(least, count);
    return 100 * static_cast<double>(least) / static_cast<double>(all);
}

}  // namespace

std::optional<double> measure(const Correlation& rule, std::span<const CorrelatedEvent> window) {
    if (window.empty()) return std::nullopt;
    std::set<std::string_view> texts;
    double sum = 0;
    std::int64_t count = 0;
    for (const auto& event : window) {
        sum += event.number * static_cast<double>(event.weight);
        count += event.weight;
        if (rule.type == CorrelationType::ValueCount) texts.insert(event.text);
    }
    switch (rule.type) {
        case CorrelationType::EventCount:
            return static_cast<double>(count);
        case CorrelationType::ValueCount:
            return static_cast<double>(texts.size());
        case CorrelationType::Temporal:
            return together(rule, window);
        case CorrelationType::TemporalOrdered:
            return static_cast<double>(in_order(window));
        case CorrelationType::ValueSum:
            return sum;
        case CorrelationType::ValueAverage:
            return sum / static_cast<double>(count);
        case CorrelationType::ValuePercentile:
            return rule.percentile >= 0 ? percentile(window, rule.percentile) : smallest_share(window);
        case CorrelationType::Absence:
            break;
    }
    return std::nullopt;
}

}  // namespace fieldwatch::detect
