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

/// The longest run of plain characters in an expression: what a text must more or less contain.
std::size_t plain_run(std::string_view expression) {
    std::size_t longest = 0;
    std::size_t run = 0;
    for (std::size_t i = 0; i < expression.size(); ++i) {
        const char c = expression[i];
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           c == '/' || c == '_' || c == ' ';
        if (c == '\\') ++i;  // an escape ends a run; whether it is a character or a class does not matter
        run = plain ? run + 1 : 0;
        longest = std::max(longest, run);
    }
    return longest;
}

/// How often one of the patterns is likely to hold. A guess that decides which predicate wakes a rule, never
/// whether it fires.
double weight_of(const Predicate& predicate) {
    constexpr double kBitsMax = 12;
    double weight = 0;
    for (const auto& pattern : predicate.any_of) {
        double bits = static_cast<double>(pattern.literal_bytes) / 2;
        if (pattern.kind >= PatternKind::Null && pattern.kind <= PatternKind::Present) {
            bits = 0;
        } else if (pattern.kind == PatternKind::Exact) {
            bits = 6 + static_cast<double>(pattern.text.size()) / 2;  // a whole value is rarer than a part
        } else if (pattern.kind == PatternKind::Regex && pattern.cased) {
            bits = static_cast<double>(plain_run(pattern.text));
        }
        weight += std::exp2(-std::min(kBitsMax, bits));
    }
    return std::min(weight, 1.0);
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
        seal(errors);
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
        out_->correlations.push_back(std::move(correlation));
    }

    Result<FieldId> field(const std::string& name) {
        if (const auto known = out_->field_names.find(name); known != FieldNames::kNone) return known;
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
        std::optional<Gates> gates;
        if (use.origin != FieldOrigin::Event) {
            const auto words = gates_of(predicate, use.source);
            if (words) gates = FIELDWATCH_TRY(gates_for(*words));
        }
        const auto id = next_predicate(field_id);
        for (const auto& pattern : predicate.any_of) {
            if (!is_reference(pattern.kind)) {
                FIELDWATCH_TRY(out_->fields[field_id].add(pattern, id));
                continue;
            }
            if (use.origin != FieldOrigin::Event)
                return fail(Errc::Unsupported,
                            "fieldref compares fields of the event, not '" + predicate.field + "'");
            const auto other = FIELDWATCH_TRY(field(pattern.text));
            out_->references.push_back({id, field_id, other, pattern.kind, pattern.cased});
        }
        predicates_.emplace(predicate, id);
        weights_[id] = weight_of(predicate);
        gates_[id] = std::move(gates);
        return id;
    }

    PredicateId next_predicate(FieldId field_id) {
        const auto id = static_cast<PredicateId>(out_->field_of.size());
        out_->field_of.push_back(field_id);
        weights_.push_back(1.0);
        gates_.emplace_back();
        return id;
    }

    struct Gates {
        std::vector<PredicateId> any;
        double weight = 0;
    };
    Result<Gates> gates_for(const std::vector<NeededWord>& words) {
        Gates out;
        for (const auto& word : words) {
            out.any.push_back(FIELDWATCH_TRY(gate(word)));
            // Letters of a word in a line say some two bits each; opening a gate costs a parse.
            const double bits =
                2.0 * static_cast<double>(word.text.size()) + (word.begins ? 1 : 0) + (word.ends ? 1 : 0);
            out.weight += 4 * std::exp2(-std::min(12.0, bits));
        }
        out.weight = std::min(1.0, out.weight);
        return out;
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
        auto pattern = string_pattern(word.text, {.open_start = true, .open_end = true, .literal = true});
        FIELDWATCH_TRY(out_->squeezed_gates.add(pattern, id));
        pattern.text = (word.begins ? "\\b" : "") + pattern.text + (word.ends ? "\\b" : "");
        FIELDWATCH_TRY(out_->fields[out_->command_line].add(pattern, id));
        return id;
    }

    Result<void> add(SigmaRule& rule) {
        std::vector<PredicateId> ids;
        auto reads = FieldOrigin::Event;
        for (const auto& predicate : rule.predicates) {
            ids.push_back(FIELDWATCH_TRY(intern(predicate)));
            reads = std::max(reads, out_->uses[out_->field_of[ids.back()]].origin);
        }
        const auto number = static_cast<std::uint32_t>(out_->metas.size());
        out_->roots.push_back(flatten(rule.condition, ids));
        out_->reads.push_back(reads);
        out_->source_of.push_back(source(rule.meta));
        const auto wake = wake_of(rule.condition, ids);
        if (!wake.certain) out_->always.push_back(number);
        for (const auto id : wake.any) {
            if (wake.certain) wakes_.emplace_back(id, number);
        }
        out_->metas.push_back(std::move(rule.meta));
        return {};
    }

    std::uint32_t source(const RuleMeta& meta) {
        auto& sources = out_->sources;
        for (std::size_t i = 0; i < sources.size(); ++i) {
            if (sources[i].product == meta.product && sources[i].category == meta.category &&
                sources[i].service == meta.service)
                return static_cast<std::uint32_t>(i);
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
                // What the event says itself is known already; command fields have to be read first.
                ordered.emplace_back((wake.certain ? wake.weight : 2.0) + (reads_command(child, ids) ? 4 : 0),
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

    Wake wake_of(const Expression& expression, const std::vector<PredicateId>& ids) const {
        switch (expression.kind) {
            case Expression::Kind::Leaf: {
                const auto id = ids[expression.predicate];
                if (out_->uses[out_->field_of[id]].origin == FieldOrigin::Event)
                    return {.certain = true, .weight = weights_[id], .any = {id}};
                if (!gates_[id]) return {};
                return {.certain = true, .weight = gates_[id]->weight, .any = gates_[id]->any};
            }
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

    bool reads_command(const Expression& expression, const std::vector<PredicateId>& ids) const {
        if (expression.kind == Expression::Kind::Leaf)
            return out_->uses[out_->field_of[ids[expression.predicate]]].origin != FieldOrigin::Event;
        return std::ranges::any_of(expression.children,
                                   [&](const auto& child) { return reads_command(child, ids); });
    }

    void seal(std::vector<RuleError>& errors) {
        out_->predicate_count = static_cast<std::uint32_t>(out_->field_of.size());
        if (auto sealed = out_->squeezed_gates.seal(); !sealed)
            errors.push_back({"", 0, {}, sealed.error().message});
        for (FieldId id = 0; id < out_->fields.size(); ++id) {
            if (auto sealed = out_->fields[id].seal(); !sealed)
                errors.push_back({"", 0, {}, sealed.error().message});
            if (out_->uses[id].origin == FieldOrigin::Event && !out_->fields[id].absent().empty())
                out_->with_absent.push_back(id);
        }
        std::ranges::sort(wakes_);
        const auto repeated = std::ranges::unique(wakes_);
        wakes_.erase(repeated.begin(), repeated.end());
        out_->woken_first.assign(out_->predicate_count + 1, 0);
        for (const auto& [predicate, rule] : wakes_) {
            ++out_->woken_first[predicate + 1];
            out_->woken.push_back(rule);
        }
        for (std::size_t i = 1; i < out_->woken_first.size(); ++i)
            out_->woken_first[i] += out_->woken_first[i - 1];
    }

    std::unique_ptr<RuleSetInternals> out_ = std::make_unique<RuleSetInternals>();
    std::map<Predicate, PredicateId> predicates_;
    std::vector<double> weights_;              ///< by predicate
    std::vector<std::optional<Gates>> gates_;  ///< by predicate
    std::map<NeededWord, PredicateId> gate_ids_;
    std::vector<std::pair<PredicateId, std::uint32_t>> wakes_;
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
