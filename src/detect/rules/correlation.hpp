// A correlation rule of Sigma 2.1 as read: which rules it reads, how their events are grouped, in what time,
// and what must be so of a group. Ours besides: `absence`.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "detect/rules/rule_set.hpp"

namespace YAML {
class Node;
}

namespace fieldwatch::detect {

enum class CorrelationType : std::uint8_t {
    EventCount,
    ValueCount,
    Temporal,
    TemporalOrdered,
    ValueSum,
    ValueAverage,
    ValuePercentile,
    Absence,
};

struct CorrelationBound {
    enum class Kind : std::uint8_t { Greater, GreaterOrEqual, Less, LessOrEqual, Equal, NotEqual };
    Kind kind = Kind::GreaterOrEqual;
    double value = 0;
    bool admits(double measured) const;
    /// What has passed this bound stays past it as more events come.
    bool only_from_below() const { return kind == Kind::Greater || kind == Kind::GreaterOrEqual; }
};

struct Correlation {
    /// Events of one group kept at most, and so the largest count that can be asked for.
    static constexpr std::size_t kEventsMax = 2'048;

    CorrelationType type = CorrelationType::EventCount;
    RuleMeta meta;                     ///< moved into RuleSet::rules() when compiled
    std::uint32_t rule = 0;            ///< its place there
    std::vector<std::string> names;    ///< ids or names of the rules it reads, as written
    std::vector<std::uint32_t> reads;  ///< their places, in that order
    std::vector<std::string> group_by;
    /// Alias to rule as written to field.
    std::map<std::string, std::map<std::string, std::string>, std::less<>> aliases;
    Ticks timespan{0};
    std::vector<CorrelationBound> bounds;  ///< all must admit
    /// temporal with a text as condition: sets of places in reads, a bit each, of which one must be whole.
    std::vector<std::uint64_t> ways;
    std::vector<std::string> fields;  ///< of the condition
    double percentile = -1;  ///< value_percentile: which one; negative: the share of a value, in per cent
    bool generate = false;

    bool admits(double measured) const;
    /// Decided as events come, not when the window ends.
    bool is_eager() const;
    /// The field of an event of the rule at `place` in reads that `name` means.
    const std::string& field(const std::string& name, std::size_t place) const;
    /// Names what state depends on: state under another one is of another rule.
    std::string state_key() const;
};

/// Throws RuleProblem and YAML::Exception.
Correlation read_correlation(const YAML::Node& document, const std::string& file);

/// Finds the rules that correlations read among `rules` and each other, orders inner ones first, marks rules
/// that are only read. Drops, with an error, what reads an unknown rule or itself.
void link_correlations(std::vector<Correlation>& correlations, std::vector<RuleMeta>& metas,
                       std::vector<RuleError>& errors);

}  // namespace fieldwatch::detect
