#include "pipeline/rule_counts.hpp"

#include <algorithm>
#include <utility>

namespace fieldwatch::pipeline {

RuleCount& RuleCount::operator+=(const RuleCount& other) {
    hits += other.hits;
    alerts += other.alerts;
    repeats += other.repeats;
    absorbed += other.absorbed;
    held += other.held;
    last_hit = std::max(last_hit, other.last_hit);
    cost_ns += other.cost_ns;
    return *this;
}

RuleCounts& RuleCounts::operator+=(const RuleCounts& other) {
    for (const auto& [id, count] : other.rules)
        rules[id] += count;
    measured += other.measured;
    return *this;
}

RuleCount& RuleTally::of(const detect::RuleMeta& rule) {
    const auto known = counts_.rules.find(rule.origin.id);
    return known != counts_.rules.end() ? known->second : counts_.rules[rule.origin.id];
}

void RuleTally::hit(const detect::WatchedHit& hit) {
    auto& count = of(hit.rule);
    ++count.hits;
    count.last_hit = std::max(count.last_hit, hit.time);
    switch (hit.fate) {
        case detect::HitFate::Raised:
            ++count.alerts;
            break;
        case detect::HitFate::Dismissed:
        case detect::HitFate::Repeat:
            ++count.repeats;
            break;
        case detect::HitFate::Absorbed:
            ++count.absorbed;
            break;
        case detect::HitFate::OnlyCorrelated:
        case detect::HitFate::NoTwinData:
            ++count.held;
            break;
    }
}

void RuleTally::cost(const detect::RuleMeta& rule, std::chrono::nanoseconds spent) {
    of(rule).cost_ns += static_cast<std::uint64_t>(spent.count());
}

void SharedRuleCounts::add(RuleCounts counts) {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, count] : counts.rules) {
        if (counts_.rules.size() < kRulesMax || counts_.rules.contains(id)) counts_.rules[id] += count;
    }
    counts_.measured += counts.measured;
}

RuleCounts SharedRuleCounts::all() const {
    const std::lock_guard lock(mutex_);
    return counts_;
}

}  // namespace fieldwatch::pipeline
