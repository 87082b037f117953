// What two sets of rule files differ in, rule by rule and not file by file: for who decides whether to put a
// set in force.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "detect/rules/pack.hpp"

namespace fieldwatch::detect {

/// The text of one rule: from the line it begins in to the document's end.
std::string_view rule_text(std::string_view file, int line);

struct RuleText {
    std::string id, title, file;
    int line = 0;
    std::string text;
};
/// Rules and correlations that can be read, by id; of several with one id the first.
std::vector<RuleText> rule_texts(const RulePack& pack);

struct RuleChange {
    std::string id, title;      ///< the newer title
    std::string before, after;  ///< "" where there was or is none
};
struct RuleDiff {
    std::vector<RuleChange> added, removed, changed;  ///< by id
    bool empty() const { return added.empty() && removed.empty() && changed.empty(); }
};
RuleDiff diff_rules(const std::vector<RuleText>& before, const std::vector<RuleText>& after);

}  // namespace fieldwatch::detect
