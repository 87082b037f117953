// Why a rule fires on an event, or does not: each clause of its condition asked of that event by the matcher
// itself, so that an explanation cannot say other than detection does.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "detect/rules/rule_set.hpp"
#include "detect/rules/sigma.hpp"

namespace fieldwatch::detect {

struct Clause {
    std::string search;  ///< the named search it stands in; "" when the condition holds it itself
    std::string text;    ///< as the rule has it, shortened: `Image|endswith: /sh`
    bool held = false;
    bool decides = false;  ///< the rule's verdict hangs on it
    /// What the event has in the field: a field's values, of every command of the line for `cmd.` fields; at
    /// most 8 of 512 bytes.
    std::vector<std::string> values;
    std::string field;
};

struct Explanation {
    bool of_source = false;  ///< the event is of the rule's log source
    bool fires = false;      ///< whatever other rules absorb
    std::vector<Clause> clauses;
    std::string sentence;  ///< what decided
};

/// One rule, taken apart. One strand.
class RuleExplainer {
  public:
    /// The rule of this id with the filters that are for it. Errors: NotFound, also for a correlation, which
    /// has no condition of its own; what keeps the rule from compiling.
    /// `documents` are read once for all rules of a set: parse_sigma_files().
    static Result<RuleExplainer> create(const SigmaDocuments& documents, std::string_view id,
                                        RuleOptions options);

    Explanation explain(const model::Event& event, const model::Item& item, ExtraFields extra = {});
    const RuleMeta& meta() const { return meta_; }

  private:
    RuleExplainer(RuleMeta meta, Expression condition, std::vector<std::string> fields, RuleSetPtr parts,
                  RuleOptions options);
    void collect(const Expression& node, std::string_view search, std::size_t& number, Explanation& out,
                 std::vector<std::size_t>& clause_of) const;
    void blame(const Expression& node, std::size_t number, bool wanted, Explanation& out,
               const std::vector<std::size_t>& clause_of) const;

    RuleMeta meta_;
    Expression condition_;
    std::vector<std::string> fields_;  ///< by predicate
    RuleOptions options_;
    Matcher matcher_;         ///< over one rule for each node of the condition, in preorder
    std::vector<bool> held_;  ///< by node
};

/// Whether the rule at this place correlates others.
bool is_correlation(const RuleSet& rules, std::uint32_t place);

}  // namespace fieldwatch::detect
