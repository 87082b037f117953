// A security group: the customer's rules for a set of devices, as REST and the settings document say it.
// spec/custom-alerts.md sections 1, 2 and 4; docs/formats/security-groups.md.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "detect/custom/rule_type.hpp"
#include "detect/custom/value_list.hpp"

namespace fieldwatch::detect {

struct GroupRule {
    bool enabled = false;
    std::int64_t min = 0, max = 0;      ///< the range is inclusive; both fit 32 bits
    std::string window_text = "PT15M";  ///< as it was given: returned so
    Ticks window = std::chrono::minutes(15);
    std::vector<std::string> values;
    ValueList list;  ///< of `values`

    /// Whether both decide alike: what a person edits of it begins a new life of the rule.
    bool same_as(const GroupRule& other) const {
        return enabled == other.enabled && min == other.min && max == other.max && window == other.window &&
               values == other.values;
    }
};

struct SecurityGroup {
    std::string hub;   ///< empty: of every hub
    std::string name;  ///< case kept; compared without
    std::array<GroupRule, kRuleTypes> rules;

    const GroupRule& rule(RuleType type) const { return rules[static_cast<std::size_t>(type)]; }
};

/// What is wrong with a group document, as REST says it: InvalidThresholds, InvalidAllowlistValue,
/// InvalidTimeWindowSize, UnknownRuleType, DuplicateRuleType, InvalidGroupName, InvalidRequest.
struct GroupProblem {
    std::string code, message;
};
/// `json`: the lists of rules, or an object whose `properties` holds them. Types that it omits are off.
std::expected<SecurityGroup, GroupProblem> parse_security_group(std::string_view name, std::string_view json,
                                                                bool extensions);
/// The `properties` object of REST: every rule type, unset ones off.
std::string properties_json(const SecurityGroup& group, bool extensions);

bool is_group_name(std::string_view name);     ///< 1 to 128 of A-Za-z0-9-_.
std::string group_key(std::string_view name);  ///< lower case: names are compared without case

/// The groups of one content version. Immutable once filled.
class GroupSet {
  public:
    static constexpr std::size_t kGroupsMax = 10'000;

    /// Errors: AlreadyExists when the hub has a group of that name.
    Result<void> add(SecurityGroup group);

    /// The group that a tag of a device at that hub means; `default` for a name that there is none of; null
    /// when `default` was given no rules either.
    const SecurityGroup* find(std::string_view hub, std::string_view name) const;
    bool empty() const { return groups_.empty(); }
    bool any_enabled() const { return any_enabled_; }
    /// Whether any rule has a low side: then devices that say nothing must be looked after.
    bool any_minimum() const { return any_minimum_; }

    /// By hub and key of the name.
    const std::map<std::pair<std::string, std::string>, SecurityGroup>& groups() const { return groups_; }

  private:
    const SecurityGroup* named(std::string_view hub, const std::string& key) const;

    std::map<std::pair<std::string, std::string>, SecurityGroup> groups_;
    bool any_enabled_ = false, any_minimum_ = false;
};

/// The `securityGroups` of a settings document, JSON. Errors: InvalidArgument, AlreadyExists.
Result<GroupSet> parse_group_set(std::string_view json, bool extensions);

}  // namespace fieldwatch::detect
