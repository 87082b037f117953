// What rules did since the server's start: for whoever tunes them. Not state: a restart begins at nothing.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "detect/rule_watcher.hpp"

namespace fieldwatch::pipeline {

struct RuleCount {
    std::uint64_t hits = 0;      ///< items that the rule matched; of a correlation, groups
    std::uint64_t alerts = 0;    ///< hits that raised one
    std::uint64_t repeats = 0;   ///< taken up by an alert that was there, or dismissed for the day
    std::uint64_t absorbed = 0;  ///< another rule says more
    std::uint64_t held = 0;      ///< read by correlations only, or kept back by the hub's settings
    Timestamp last_hit{0};       ///< event time; 0 = none
    std::uint64_t cost_ns = 0;   ///< of the items that were measured, in nanoseconds

    RuleCount& operator+=(const RuleCount& other);
};
struct RuleCounts {
    std::map<std::string, RuleCount, std::less<>> rules;  ///< by id
    std::uint64_t measured = 0;                           ///< items that were measured

    RuleCounts& operator+=(const RuleCounts& other);
};

/// Counts for one strand; whoever owns it takes the counts over.
class RuleTally : public detect::RuleWatcher {
  public:
    void hit(const detect::WatchedHit& hit) override;
    void cost(const detect::RuleMeta& rule, std::chrono::nanoseconds spent) override;
    void measured() override { ++counts_.measured; }

    bool empty() const { return counts_.rules.empty() && counts_.measured == 0; }
    const RuleCounts& counts() const { return counts_; }
    RuleCounts take() { return std::exchange(counts_, {}); }

  private:
    RuleCount& of(const detect::RuleMeta& rule);

    RuleCounts counts_;
};

/// The counts of all shards. Any thread (ADR 0030). As many entries as there were rules in force since start.
class SharedRuleCounts {
  public:
    static constexpr std::size_t kRulesMax = 50'000;  ///< ids; further ones are not counted

    void add(RuleCounts counts);
    RuleCounts all() const;

  private:
    mutable std::mutex mutex_;
    RuleCounts counts_;
};

}  // namespace fieldwatch::pipeline
