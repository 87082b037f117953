#include "detect/rules/explain.hpp"

#include <algorithm>

#include "detect/rules/correlation.hpp"
#include "detect/rules/fields.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::size_t kNodesMax = 4'096;  ///< of a condition; public rules have some fifty
constexpr std::size_t kValuesShown = 8;
constexpr std::size_t kValueBytesMax = 512;
constexpr std::size_t kNoClause = SIZE_MAX;

/// How many nodes stand before the child that follows `node` in preorder.
std::size_t size_of(const Expression& node) {
    std::size_t count = 1;
    for (const auto& child : node.children)
        count += size_of(child);
    return count;
}

std::string number_text(std::size_t number) {
    auto text = std::to_string(number);
    return std::string(8 - std::min<std::size_t>(8, text.size()), '0') + text;
}

/// Copies the predicates below `node` into `rule` and points it to them.
void take_predicates(const std::vector<Predicate>& all, Expression& node, SigmaRule& rule) {
    if (node.kind == Expression::Kind::Leaf) {
        rule.predicates.push_back(all[node.predicate]);
        node.predicate = static_cast<std::uint32_t>(rule.predicates.size() - 1);
    }
    for (auto& child : node.children)
        take_predicates(all, child, rule);
}

/// A rule for each node: it fires where the node holds.
void add_parts(const SigmaRule& whole, const Expression& node, SigmaDocuments& out) {
    SigmaRule part;
    part.meta.origin.id = number_text(out.rules.size());
    part.condition = node;
    take_predicates(whole.predicates, part.condition, part);
    out.rules.push_back(std::move(part));
    for (const auto& child : node.children)
        add_parts(whole, child, out);
}

void add_value(std::vector<std::string>& values, std::string_view text) {
    if (values.size() >= kValuesShown || text.data() == nullptr) return;
    std::string value(text.substr(0, kValueBytesMax));
    if (text.size() > kValueBytesMax) value += "…";
    if (std::ranges::find(values, value) == values.end()) values.push_back(std::move(value));
}

std::string shown(const std::vector<std::string>& values) {
    std::string out;
    for (const auto& value : values)
        out += (out.empty() ? "'" : ", '") + value + "'";
    return out;
}

std::string sentence_of(const Explanation& explanation) {
    std::string out;
    std::size_t told = 0;
    for (const auto& clause : explanation.clauses) {
        if (!clause.decides) continue;
        if (++told > 3) return out + "; and more";
        if (!out.empty()) out += "; ";
        out += (clause.search.empty() ? "" : clause.search + ": ") + clause.text +
               (clause.held ? " holds" : " does not hold");
        if (clause.field.empty()) continue;
        out += clause.values.empty() ? ", the event has no " + clause.field
                                     : ": " + clause.field + " is " + shown(clause.values);
    }
    if (out.empty() && !explanation.fires)
        out = "every clause holds, but not all of them on one and the same command of the line";
    return out;
}

}  // namespace

bool is_correlation(const RuleSet& rules, std::uint32_t place) {
    return std::ranges::find(rules.correlations(), place, &Correlation::rule) != rules.correlations().end();
}

Result<RuleExplainer> RuleExplainer::create(const SigmaDocuments& documents, std::string_view id,
                                            RuleOptions options) {
    const auto with_id = [&](const auto& rule) { return rule.meta.origin.id == id; };
    const auto found = std::ranges::find_if(documents.rules, with_id);
    if (found == documents.rules.end()) {
        const bool correlation = std::ranges::any_of(documents.correlations, with_id);
        return fail(Errc::NotFound, correlation ? "the rule '" + std::string(id) +
                                                      "' correlates others and has no condition of its own"
                                                : "there is no rule '" + std::string(id) + "'");
    }
    std::vector<SigmaRule> only{*found};
    std::vector<RuleError> errors;  // of filters, which are for other rules too
    for (const auto& filter : documents.filters)
        apply_filter(filter, only, errors);
    auto& rule = only.front();
    if (size_of(rule.condition) > kNodesMax)
        return fail(Errc::TooLarge, "the condition has more than 4,096 parts");
    SigmaDocuments parts;
    add_parts(rule, rule.condition, parts);
    auto compiled = RuleSet::compile(std::move(parts), options);
    if (!compiled.errors.empty()) return fail(Errc::Unsupported, compiled.errors.front().why);
    std::vector<std::string> fields;
    for (const auto& predicate : rule.predicates)
        fields.push_back(predicate.field);
    return RuleExplainer(std::move(rule.meta), std::move(rule.condition), std::move(fields),
                         std::move(compiled.rules), std::move(options));
}

RuleExplainer::RuleExplainer(RuleMeta meta, Expression condition, std::vector<std::string> fields,
                             RuleSetPtr parts, RuleOptions options)
    : meta_(std::move(meta)),
      condition_(std::move(condition)),
      fields_(std::move(fields)),
      options_(std::move(options)),
      matcher_(std::move(parts)) {}

Explanation RuleExplainer::explain(const model::Event& event, const model::Item& item, ExtraFields extra) {
    Explanation out;
    const auto source = log_source_of(event, item);
    out.of_source = LogSource{meta_.product, meta_.category, meta_.service}.is_for(source);
    std::vector<RuleHit> hits;
    matcher_.match_all(event, item, hits, extra);
    held_.assign(matcher_.rules().rules().size(), false);
    for (const auto& hit : hits)
        held_[hit.rule] = true;
    out.fires = out.of_source && held_[0];

    std::vector<std::size_t> clause_of(held_.size(), kNoClause);
    std::size_t number = 0;
    collect(condition_, {}, number, out, clause_of);
    NumberText numbers;
    std::vector<FieldValue> values;
    event_fields(event, item, options_.command.addresses, numbers, values);
    values.insert(values.end(), extra.begin(), extra.end());
    for (auto& clause : out.clauses) {
        for (const auto& [name, text] : values) {
            if (name == clause.field) add_value(clause.values, text);
        }
        if (!clause.field.starts_with("cmd.") && !clause.field.starts_with("line.")) continue;
        const auto field = command_field(std::string_view(clause.field).substr(clause.field.find('.') + 1));
        auto& line = matcher_.command();
        std::vector<std::string_view> texts;
        for (const auto& segment : line.segments()) {
            texts.clear();
            if (field) command_values(line, segment, *field, texts);
            for (const auto text : texts)
                add_value(clause.values, text);
        }
    }
    if (!out.of_source) {
        out.sentence = "the rule looks at " + meta_.product + "/" + meta_.category + "/" + meta_.service +
                       ", the event is of " + std::string(source.product) + "/" +
                       std::string(source.category) + "/" + std::string(source.service);
        return out;
    }
    blame(condition_, 0, held_[0], out, clause_of);
    out.sentence = sentence_of(out);
    return out;
}

void RuleExplainer::collect(const Expression& node, std::string_view search, std::size_t& number,
                            Explanation& out, std::vector<std::size_t>& clause_of) const {
    const auto at = number++;
    if (!node.search.empty()) search = node.search;
    if (node.kind == Expression::Kind::Leaf) {
        clause_of[at] = out.clauses.size();
        out.clauses.push_back({.search = std::string(search),
                               .text = node.written,
                               .held = held_[at],
                               .decides = false,
                               .values = {},
                               .field = fields_[node.predicate]});
    }
    for (const auto& child : node.children)
        collect(child, search, number, out, clause_of);
}

/// Marks the clauses that made `node` what it is: `wanted` is that.
void RuleExplainer::blame(const Expression& node, std::size_t number, bool wanted, Explanation& out,
                          const std::vector<std::size_t>& clause_of) const {
    if (node.kind == Expression::Kind::Leaf) {
        out.clauses[clause_of[number]].decides = true;
        return;
    }
    const bool negated = node.kind == Expression::Kind::Not;
    auto child_at = number + 1;
    for (const auto& child : node.children) {
        // Of a conjunction that fails, what failed; of a disjunction that holds, what held; else everything.
        if (held_[child_at] == (negated ? !wanted : wanted))
            blame(child, child_at, held_[child_at], out, clause_of);
        child_at += size_of(child);
    }
}

}  // namespace fieldwatch::detect
