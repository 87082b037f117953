#include "detect/rules/rule_set.hpp"

#include <algorithm>
#include <cmath>

#include "detect/rules/gate.hpp"
#include "detect/rules/program.hpp"
#include "detect/rules/sigma.hpp"

namespace fieldwatch::detect {
namespace {

/// Which predicates wake a rule: it can only hold if one of them does. Empty `any` with certain=false: none.
struct Wake {
    bool certain = false;
    double weight = 0;  ///< how often one of them is likely to hold
    std::vector<PredicateId> any;
};

constexpr double kBitsMax = 12;

/// How often a pattern that is no expression is likely to hold. A guess that decides which predicate wakes a
/// rule, never whether it fires.
double weight_of(const Pattern& pattern, std::string_view field) {
    double bits = static_cast<double>(pattern.literal_bytes) / 2;
    if (pattern.kind >= PatternKind::Null && pattern.kind <= PatternKind::Present) {
        bits = 0;
    } else if (field == "User" || field == "UserId") {
        bits = 0;  // most of what a device does is done by one or two
    } else if (pattern.edges.at_start || pattern.edges.at_end) {
        bits = 2 + static_cast<double>(pattern.literal_bytes);
    } else if (pattern.kind == PatternKind::Exact) {
        bits = 6 + static_cast<double>(pattern.text.size()) / 2;  // a whole value is rarer than a part
    }
    return std::exp2(-std::min(kBitsMax, bits));
}

/// The same of words of which one must be in a text; letters of a word say so many bits each.
double weight_of(const std::vector<NeededWord>& words, double bits_a_letter) {
    double weight = 0;
    for (const auto& word : words) {
        const auto bits = bits_a_letter * static_cast<double>(word.text.size()) + (word.begins ? 1 : 0) +
                          (word.ends ? 1 : 0);
        weight += std::exp2(-std::min(kBitsMax, bits));
    }
    return weight;
}

class RuleSetBuilder {
  public:
    explicit RuleSetBuilder(RuleOptions options) { out_->options = std::move(options); }

    std::unique_ptr<RuleSetInternals> run(SigmaDocuments documents, std::vector<RuleError>& errors) {
        auto& rules = documents.rules;
        std::ranges::stable_sort(
            rules, {}, [](const SigmaRule& rule) -> const std::string& { return rule.meta.origin.id; });
        for (const auto& filter : documents.filters)
            apply_filter(filter, rules, errors);
        std::ranges::stable_sort(
            documents.correlations, {},
            [](const Correlation& rule) -> const std::string& { return rule.meta.origin.id; });
        auto correlation = documents.correlations.begin();
        for (auto& rule : rules) {
            for (; correlation != documents.correlations.end() &&
                   correlation->meta.origin.id < rule.meta.origin.id;
                 ++correlation)
                add(*correlation, errors);
            if (is_repeated(rule.meta, errors)) continue;
            if (auto added = add(rule); !added) {
                errors.push_back(
                    {rule.meta.file, rule.meta.line, rule.meta.origin.id, added.error().message});
            }
        }
        for (; correlation != documents.correlations.end(); ++correlation)
            add(*correlation, errors);
        link_correlations(out_->correlations, out_->metas, errors);
        seal();
        return std::move(out_);
    }

  private:
    bool is_repeated(const RuleMeta& meta, std::vector<RuleError>& errors) const {
        if (out_->metas.empty() || out_->metas.back().origin.id != meta.origin.id) return false;
        errors.push_back(
            {meta.file, meta.line, meta.origin.id, "another rule has this id: " + out_->metas.back().file});
        return true;
    }

    void add(Correlation& correlation, std::vector<RuleError>& errors) {
        if (is_repeated(correlation.meta, errors)) return;
        correlation.rule = static_cast<std::uint32_t>(out_->metas.size());
        out_->metas.push_back(correlation.meta);
        out_->roots.push_back(kNoProgram);
        out_->reads.push_back(FieldOrigin::Event);
        out_->source_of.push_back(source(correlation.meta));
        out_->needs.add({});
        out_->correlations.push_back(std::move(correlation));
    }

    Result<FieldId> field(const std::string& name) {
        if (const auto known = out_->field_names.find(name); known != TextNumbers::kNone) return known;
        FieldUse use;
        for (const auto& [prefix, origin] : {std::pair{std::string_view("cmd."), FieldOrigin::Segment},
                                             std::pair{std::string_view("line."), FieldOrigin::Line}}) {
            if (!std::string_view(name).starts_with(prefix)) continue;
            const auto source = command_field(std::string_view(name).substr(prefix.size()));
            if (!source) return fail(Errc::NotFound, no_field(name, prefix));
            use = {.origin = origin, .source = *source};
        }
        const auto id = out_->field_names.add(name);
        out_->fields.emplace_back();
        out_->uses.push_back(use);
        present_.push_back(kNoPredicate);
        if (name.empty()) out_->keywords = id;
        return id;
    }

    static std::string no_field(const std::string& name, std::string_view prefix) {
        return "there is no field '" + name + "'; the nearest is '" + std::string(prefix) +
               nearest(std::string_view(name).substr(prefix.size()), command_field_names()) + "'";
    }

    Result<PredicateId> intern(const Predicate& predicate) {
        if (const auto known = predicates_.find(predicate); known != predicates_.end()) return known->second;
        const auto field_id = FIELDWATCH_TRY(field(predicate.field));
        const auto use = out_->uses[field_id];
        Wake wake;
        auto may = kNoPredicate;
        if (use.origin != FieldOrigin::Event) {
            FIELDWATCH_TRY(check_names(predicate, use.source));
            if (const auto words = gates_of(predicate, use.source); words && !words->empty()) {
                may = FIELDWATCH_TRY(gated_by(*words));
                wake = {.certain = true, .weight = 4 * weight_of(*words, 2.0), .any = {may}};
            }
        }
        const auto id = next_predicate(field_id);
        out_->predicates[id].may = may;
        const bool of_event = use.origin == FieldOrigin::Event;
        if (of_event) wake = {.certain = true, .any = {id}};
        for (const auto& pattern : predicate.any_of) {
            double weight = of_event ? weight_of(pattern, predicate.field) : 0;
            if (is_reference(pattern.kind)) {
                const auto other = FIELDWATCH_TRY(field(pattern.text));
                if (out_->uses[other].origin != FieldOrigin::Event)
                    return fail(Errc::Unsupported, "fieldref compares with a field of the event, not with '" +
                                                       pattern.text + "'");
                out_->references.push_back({id, field_id, other, pattern.kind, pattern.cased});
                out_->predicates[id].refers = true;
            } else if (pattern.kind == PatternKind::Regex) {
                const auto regex = FIELDWATCH_TRY(regex_for(field_id, pattern));
                asked_.emplace_back(id, regex);
                out_->predicates[id].asks = true;
                if (of_event) weight = wake_by_hint(out_->regexes[regex], wake);
            } else {
                FIELDWATCH_TRY(out_->fields[field_id].add(pattern, id));
            }
            wake.weight += weight;
        }
        wake.weight = std::min(1.0, wake.weight);
        predicates_.emplace(predicate, id);
        wakes_of_[id] = std::move(wake);
        return id;
    }

    /// A fact or interpreter that is none would never be there, and no word of a line could rule it out.
    static Result<void> check_names(const Predicate& predicate, CommandField source) {
        const bool facts = !source.is_scalar && source.list == CommandList::Facts;
        if (!facts && !(source.is_scalar && source.scalar == CommandScalar::Interpreter)) return {};
        const auto known = facts ? fact_names() : interpreter_names();
        for (const auto& pattern : predicate.any_of) {
            if (pattern.kind != PatternKind::Exact || std::ranges::find(known, pattern.text) != known.end())
                continue;
            return fail(Errc::NotFound, predicate.field + " is never '" + pattern.text +
                                            "'; the nearest is '" + nearest(pattern.text, known) + "'");
        }
        return {};
    }

    PredicateId next_predicate(FieldId field_id) {
        const auto id = static_cast<PredicateId>(out_->predicates.size());
        out_->predicates.push_back({.field = field_id, .origin = out_->uses[field_id].origin});
        wakes_of_.emplace_back();
        return id;
    }

    Result<std::uint32_t> regex_for(FieldId field_id, const Pattern& pattern) {
        const std::pair key(field_id, pattern);
        if (const auto known = regexes_.find(key); known != regexes_.end()) return known->second;
        auto regex = FIELDWATCH_TRY(Regex::create(pattern));
        const auto words = needed_literals(pattern);
        const auto hint = words.empty() ? kNoPredicate : hint_for(field_id, words);
        out_->regexes.push_back({.field = field_id, .hint = hint, .regex = std::move(regex)});
        return regexes_.emplace(key, static_cast<std::uint32_t>(out_->regexes.size() - 1)).first->second;
    }

    PredicateId hint_for(FieldId field_id, const std::vector<NeededWord>& words) {
        const auto [known, added] = hints_.try_emplace({field_id, words}, kNoPredicate);
        if (!added) return known->second;
        known->second = next_predicate(field_id);
        wakes_of_[known->second].weight = weight_of(words, 0.5);
        for (const auto& word : words)
            out_->fields[field_id].add(literal_of(word), known->second);
        return known->second;
    }

    /// Adds what comes before the expression can hold to what wakes a rule; how often that is likely.
    double wake_by_hint(const FieldRegex& regex, Wake& wake) {
        if (regex.hint != kNoPredicate) {
            wake.any.push_back(regex.hint);
            return wakes_of_[regex.hint].weight;
        }
        auto& present = present_[regex.field];
        if (present == kNoPredicate) {
            present = next_predicate(regex.field);
            out_->fields[regex.field].add_present(present);
        }
        wake.any.push_back(present);
        return 1;
    }

    static Literal literal_of(const NeededWord& word) {
        return {.text = word.text, .edges = {.begins = word.begins, .ends = word.ends}};
    }

    /// Holds when one of the words is in the line: before that, what needs them cannot.
    Result<PredicateId> gated_by(const std::vector<NeededWord>& words) {
        std::vector<PredicateId> gates;
        for (const auto& word : words)
            gates.push_back(FIELDWATCH_TRY(gate(word)));
        const auto may = next_predicate(out_->command_line);
        for (const auto gate : gates)
            opens_.emplace_back(gate, may);
        return may;
    }

    Result<PredicateId> gate(const NeededWord& word) {
        if (out_->command_line == UINT32_MAX) {
            out_->command_line = FIELDWATCH_TRY(field("CommandLine"));
            for (const auto decoder : kDecoders)
                out_->decoder_gates.push_back(FIELDWATCH_TRY(gate({std::string(decoder), false, false})));
        }
        if (const auto known = gate_ids_.find(word); known != gate_ids_.end()) return known->second;
        const auto id = next_predicate(out_->command_line);
        gate_ids_.emplace(word, id);
        out_->gates.push_back(id);
        if (word.text == kTrailingBlankGate) {
            out_->trailing_blank_gate = id;
            return id;
        }
        out_->squeezed_gates.add({.text = word.text}, id);
        out_->fields[out_->command_line].add(literal_of(word), id);
        return id;
    }

    Result<void> add(SigmaRule& rule) {
        std::vector<PredicateId> ids;
        auto reads = FieldOrigin::Event;
        for (const auto& predicate : rule.predicates) {
            ids.push_back(FIELDWATCH_TRY(intern(predicate)));
            reads = std::max(reads, out_->predicates[ids.back()].origin);
        }
        const auto number = static_cast<std::uint32_t>(out_->metas.size());
        out_->roots.push_back(flatten(rule.condition, ids));
        out_->reads.push_back(reads);
        out_->source_of.push_back(source(rule.meta));
        std::vector<Wake> needs;
        needs_of(rule.condition, ids, needs);
        std::ranges::stable_sort(needs, {}, &Wake::weight);
        if (needs.empty()) {
            out_->always.push_back(number);
            out_->needs.add({});
        } else {
            for (const auto id : needs.front().any)
                wakes_.emplace_back(id, number);
            add_needs(std::span(needs).subspan(1));
        }
        out_->metas.push_back(std::move(rule.meta));
        return {};
    }

    std::uint32_t source(const RuleMeta& meta) {
        auto& sources = out_->sources;
        const LogSource wanted{meta.product, meta.category, meta.service};
        for (std::size_t i = 0; i < sources.size(); ++i) {
            if (sources[i].view() == wanted) return static_cast<std::uint32_t>(i);
        }
        sources.push_back({meta.product, meta.category, meta.service});
        return static_cast<std::uint32_t>(sources.size() - 1);
    }

    std::uint32_t flatten(const Expression& expression, const std::vector<PredicateId>& ids) {
        ProgramNode node{.kind = expression.kind, .least = expression.least};
        if (expression.kind == Expression::Kind::Leaf) {
            node.first = ids[expression.predicate];
        } else {
            std::vector<std::uint32_t> children;
            std::vector<std::pair<double, const Expression*>> ordered;
            for (const auto& child : expression.children) {
                const auto wake = wake_of(child, ids);
                // What the event says itself is known already; expressions have to be run, and command fields
                // read first.
                ordered.emplace_back((wake.certain ? wake.weight : 2.0) + (asks(child, ids) ? 4 : 0) +
                                         (reads_command(child, ids) ? 8 : 0),
                                     &child);
            }
            // The least likely first: most conjunctions then end at their first child.
            if (expression.kind == Expression::Kind::And)
                std::ranges::stable_sort(ordered, {}, &std::pair<double, const Expression*>::first);
            for (const auto& [weight, child] : ordered)
                children.push_back(flatten(*child, ids));
            node.first = static_cast<std::uint32_t>(out_->children.size());
            node.count = static_cast<std::uint32_t>(children.size());
            out_->children.insert(out_->children.end(), children.begin(), children.end());
        }
        out_->nodes.push_back(node);
        return static_cast<std::uint32_t>(out_->nodes.size() - 1);
    }

    /// What must hold beside what wakes the rule; what nearly always does is not worth a look.
    void add_needs(std::span<const Wake> needs) {
        constexpr std::size_t kSetsMax = 8, kPredicatesMax = 32;
        std::vector<Needs::Set> sets;
        for (const auto& need : needs) {
            if (sets.size() < kSetsMax && need.any.size() <= kPredicatesMax) sets.push_back(need.any);
        }
        out_->needs.add(sets);
    }

    /// Everything of which it is known that one predicate of it must hold.
    void needs_of(const Expression& expression, const std::vector<PredicateId>& ids,
                  std::vector<Wake>& out) const {
        if (expression.kind == Expression::Kind::And) {
            for (const auto& child : expression.children)
                needs_of(child, ids, out);
        } else if (auto wake = wake_of(expression, ids); wake.certain) {
            out.push_back(std::move(wake));
        }
    }

    Wake wake_of(const Expression& expression, const std::vector<PredicateId>& ids) const {
        switch (expression.kind) {
            case Expression::Kind::Leaf:
                return wakes_of_[ids[expression.predicate]];
            case Expression::Kind::Not:
                return {};
            case Expression::Kind::And: {
                Wake best;
                for (const auto& child : expression.children) {
                    auto wake = wake_of(child, ids);
                    if (wake.certain && (!best.certain || wake.weight < best.weight)) best = std::move(wake);
                }
                return best;
            }
            case Expression::Kind::AtLeast:
            case Expression::Kind::Or: {
                Wake all{.certain = true, .any = {}};
                for (const auto& child : expression.children) {
                    auto wake = wake_of(child, ids);
                    if (!wake.certain) return {};
                    all.weight += wake.weight;
                    all.any.insert(all.any.end(), wake.any.begin(), wake.any.end());
                }
                return all;
            }
        }
        return {};
    }

    template <class Test>
    static bool any_leaf(const Expression& expression, const std::vector<PredicateId>& ids,
                         const Test& test) {
        if (expression.kind == Expression::Kind::Leaf) return test(ids[expression.predicate]);
        return std::ranges::any_of(expression.children,
                                   [&](const auto& child) { return any_leaf(child, ids, test); });
    }
    bool reads_command(const Expression& expression, const std::vector<PredicateId>& ids) const {
        return any_leaf(expression, ids,
                        [&](auto id) { return out_->predicates[id].origin != FieldOrigin::Event; });
    }
    bool asks(const Expression& expression, const std::vector<PredicateId>& ids) const {
        return any_leaf(expression, ids, [&](auto id) { return out_->predicates[id].asks; });
    }

    void seal() {
        out_->squeezed_gates.seal();
        for (FieldId id = 0; id < out_->fields.size(); ++id) {
            out_->fields[id].seal();
            if (out_->uses[id].origin == FieldOrigin::Event && !out_->fields[id].absent().empty())
                out_->with_absent.push_back(id);
        }
        out_->opens = Rows(out_->predicates.size(), std::move(opens_));
        out_->asked = Rows(out_->predicates.size(), std::move(asked_));
        out_->woken = Rows(out_->predicates.size(), std::move(wakes_));
    }

    std::unique_ptr<RuleSetInternals> out_ = std::make_unique<RuleSetInternals>();
    std::map<Predicate, PredicateId> predicates_;
    std::vector<Wake> wakes_of_;  ///< by predicate: what it takes for it to hold
    std::map<NeededWord, PredicateId> gate_ids_;
    std::map<std::pair<FieldId, Pattern>, std::uint32_t> regexes_;
    std::map<std::pair<FieldId, std::vector<NeededWord>>, PredicateId> hints_;
    std::vector<PredicateId> present_;  ///< by field: holds for any text; none until something needs it
    std::vector<std::pair<std::uint32_t, std::uint32_t>> opens_;  ///< gate, predicate
    std::vector<std::pair<std::uint32_t, std::uint32_t>> asked_;  ///< predicate, regex
    std::vector<std::pair<std::uint32_t, std::uint32_t>> wakes_;  ///< predicate, rule
};

}  // namespace

RuleSet::Compiled RuleSet::compile(std::span<const SourceFile> rules, std::span<const SourceFile> word_lists,
                                   RuleOptions options) {
    std::vector<RuleError> errors;
    auto compiled = compile(parse_sigma_files(rules, word_lists, errors), std::move(options));
    compiled.errors.insert(compiled.errors.begin(), errors.begin(), errors.end());
    std::ranges::stable_sort(compiled.errors, [](const RuleError& a, const RuleError& b) {
        return std::tie(a.file, a.line) < std::tie(b.file, b.line);
    });
    return compiled;
}

RuleSet::Compiled RuleSet::compile(SigmaDocuments documents, RuleOptions options) {
    Compiled compiled;
    auto internals = RuleSetBuilder(std::move(options)).run(std::move(documents), compiled.errors);
    compiled.rules = RuleSetPtr(new RuleSet(std::move(internals)));
    return compiled;
}

RuleSet::RuleSet(std::unique_ptr<RuleSetInternals> internals) : internals_(std::move(internals)) {}
RuleSet::~RuleSet() = default;
std::span<const RuleMeta> RuleSet::rules() const {
    return internals_->metas;
}
const RuleOptions& RuleSet::options() const {
    return internals_->options;
}
std::span<const Correlation> RuleSet::correlations() const {
    return internals_->correlations;
}

}  // namespace fieldwatch::detect
