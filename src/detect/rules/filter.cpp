// Sigma filters: what they name is left out of the rules that they are for.
#include <algorithm>

#include "detect/rules/sigma.hpp"

namespace fieldwatch::detect {
namespace {

void filter_rule(const SigmaFilter& filter, SigmaRule& rule) {
    const auto first = static_cast<std::uint32_t>(rule.predicates.size());
    rule.predicates.insert(rule.predicates.end(), filter.predicates.begin(), filter.predicates.end());
    auto suppressed = filter.suppressed;
    const auto shift = [first](auto&& self, Expression& expression) -> void {
        expression.predicate += first;
        for (auto& child : expression.children)
            self(self, child);
    };
    shift(shift, suppressed);
    Expression passes{.kind = Expression::Kind::Not, .children = {}};
    passes.children.push_back(std::move(suppressed));
    Expression both{.kind = Expression::Kind::And, .children = {}};
    both.children.push_back(std::move(rule.condition));
    both.children.push_back(std::move(passes));
    rule.condition = std::move(both);
}

}  // namespace

void apply_filter(const SigmaFilter& filter, std::vector<SigmaRule>& rules, std::vector<RuleError>& errors) {
    for (const auto& name : filter.rules) {
        bool found = false;
        for (auto& rule : rules) {
            const bool any = name == "any";
            if (!any && rule.meta.origin.id != name && (rule.meta.name.empty() || rule.meta.name != name))
                continue;
            found = true;
            const auto same = [](const std::string& wanted, const std::string& has) {
                return wanted.empty() || wanted == has;
            };
            if (!same(filter.product, rule.meta.product) || !same(filter.category, rule.meta.category) ||
                !same(filter.service, rule.meta.service))
                continue;
            filter_rule(filter, rule);
        }
        if (found) continue;
        std::vector<std::string_view> known;
        for (const auto& rule : rules)
            known.push_back(rule.meta.origin.id);
        errors.push_back({filter.file, filter.line, filter.title,
                          "filter is for '" + name + "', which no rule has as id or name; the nearest is '" +
                              nearest(name, known) + "'"});
    }
}

}  // namespace fieldwatch::detect
