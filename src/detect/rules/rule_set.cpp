#include "detect/rules/rule_set.hpp"

#include <algorithm>
#include <cmath>

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
        if (pattern.kind == PatternKind::Present || pattern.kind == PatternKind::Absent) {
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

    std::unique_ptr<RuleSetInternals> run(std::vector<SigmaRule> rules, std::vector<RuleError>& errors) {
        std::ranges::stable_sort(
            rules, {}, [](const SigmaRule& rule) -> const std::string& { return rule.meta.origin.id; });
        for (auto& rule : rules) {
            if (!out_->metas.empty() && out_->metas.back().origin.id == rule.meta.origin.id) {
                errors.push_back({rule.meta.file, rule.meta.line, rule.meta.origin.id,
                                  "another rule has this id: " + out_->metas.back().file});
                continue;
            }
            if (auto added = add(rule); !added) {
                errors.push_back(
                    {rule.meta.file, rule.meta.line, rule.meta.origin.id, added.error().message});
            }
        }
        seal(errors);
        return std::move(out_);
    }

  private:
    Result<FieldId> field(const std::string& name) {
        if (const auto known = out_->field_ids.find(name); known != out_->field_ids.end())
            return known->second;
        const auto id = static_cast<FieldId>(out_->fields.size());
        for (const auto& [prefix, uses] : {std::pair{std::string_view("cmd."), &out_->segment_fields},
                                           std::pair{std::string_view("line."), &out_->line_fields}}) {
            if (!std::string_view(name).starts_with(prefix)) continue;
            const auto source = command_field(std::string_view(name).substr(prefix.size()));
            if (!source) return fail(Errc::NotFound, "there is no field '" + name + "'");
            uses->push_back({id, *source});
        }
        out_->fields.emplace_back();
        out_->field_ids.emplace(name, id);
        if (name.empty()) out_->keywords = id;
        return id;
    }

    Result<PredicateId> intern(const Predicate& predicate) {
        if (const auto known = predicates_.find(predicate); known != predicates_.end()) return known->second;
        const auto id = static_cast<PredicateId>(predicates_.size());
        const auto field_id = FIELDWATCH_TRY(field(predicate.field));
        for (const auto& pattern : predicate.any_of)
            FIELDWATCH_TRY(out_->fields[field_id].add(pattern, id));
        predicates_.emplace(predicate, id);
        weights_.push_back(weight_of(predicate));
        return id;
    }

    Result<void> add(SigmaRule& rule) {
        std::vector<PredicateId> ids;
        bool per_segment = false;
        for (const auto& predicate : rule.predicates) {
            ids.push_back(FIELDWATCH_TRY(intern(predicate)));
            per_segment = per_segment || predicate.field.starts_with("cmd.");
        }
        const auto number = static_cast<std::uint32_t>(out_->metas.size());
        out_->roots.push_back(flatten(rule.condition, ids));
        out_->per_segment.push_back(per_segment);
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
        ProgramNode node{.kind = expression.kind};
        if (expression.kind == Expression::Kind::Leaf) {
            node.first = ids[expression.predicate];
        } else {
            std::vector<std::uint32_t> children;
            std::vector<std::pair<double, const Expression*>> ordered;
            for (const auto& child : expression.children) {
                const auto wake = wake_of(child, ids);
                ordered.emplace_back(wake.certain ? wake.weight : 2.0, &child);
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
                return {.certain = true, .weight = weights_[id], .any = {id}};
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

    void seal(std::vector<RuleError>& errors) {
        out_->predicate_count = static_cast<std::uint32_t>(predicates_.size());
        for (const auto& [name, id] : out_->field_ids) {
            if (auto sealed = out_->fields[id].seal(); !sealed)
                errors.push_back({"", 0, {}, sealed.error().message});
            const bool derived = name.starts_with("cmd.") || name.starts_with("line.");
            if (!derived && !out_->fields[id].absent().empty()) out_->with_absent.push_back(id);
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
    std::vector<double> weights_;
    std::vector<std::pair<PredicateId, std::uint32_t>> wakes_;
};

/// `rules/words/miners.txt` is the list `miners`.
std::string list_name(std::string_view file) {
    file = file.substr(file.rfind('/') + 1);
    return std::string(file.substr(0, file.rfind('.')));
}

}  // namespace

RuleSet::Compiled RuleSet::compile(std::span<const SourceFile> rules, std::span<const SourceFile> word_lists,
                                   RuleOptions options) {
    Compiled compiled;
    WordLists words;
    for (const auto& list : word_lists)
        words[list_name(list.name)] = parse_word_list(list.text);
    std::vector<SigmaRule> parsed;
    for (const auto& file : rules)
        parse_sigma(file, words, parsed, compiled.errors);
    auto internals = RuleSetBuilder(std::move(options)).run(std::move(parsed), compiled.errors);
    compiled.rules = RuleSetPtr(new RuleSet(std::move(internals)));
    std::ranges::stable_sort(compiled.errors, [](const RuleError& a, const RuleError& b) {
        return std::tie(a.file, a.line) < std::tie(b.file, b.line);
    });
    return compiled;
}

RuleSet::RuleSet(std::unique_ptr<RuleSetInternals> internals) : internals_(std::move(internals)) {}
RuleSet::~RuleSet() = default;
std::span<const RuleMeta> RuleSet::rules() const {
    return internals_->metas;
}

}  // namespace fieldwatch::detect
