// The inside of a RuleSet: distinct predicates, one index per field, boolean programs, and which predicate
// wakes which rule. Private to detect/rules.
#pragma once

#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "detect/rules/correlation.hpp"
#include "detect/rules/field_index.hpp"
#include "detect/rules/fields.hpp"
#include "detect/rules/regex.hpp"
#include "detect/rules/text_numbers.hpp"

namespace fieldwatch::detect {

using FieldId = std::uint32_t;
inline constexpr PredicateId kNoPredicate = UINT32_MAX;

/// Lists of numbers by number, in compressed rows.
class Rows {
  public:
    Rows() = default;
    /// Of (row, value) pairs; one that stands twice counts once.
    Rows(std::size_t rows, std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs) : first_(rows + 1, 0) {
        std::ranges::sort(pairs);
        const auto repeated = std::ranges::unique(pairs);
        pairs.erase(repeated.begin(), repeated.end());
        for (const auto& [row, value] : pairs) {
            ++first_[row + 1];
            values_.push_back(value);
        }
        std::partial_sum(first_.begin(), first_.end(), first_.begin());
    }
    std::span<const std::uint32_t> operator[](std::size_t row) const {
        return std::span(values_).subspan(first_[row], first_[row + 1] - first_[row]);
    }

  private:
    std::vector<std::uint32_t> first_, values_;
};

/// By rule: sets of predicates, of each of which one must hold before the rule can.
class Needs {
  public:
    using Set = std::vector<PredicateId>;

    /// Of the next rule.
    void add(std::span<const Set> sets) {
        for (const auto& set : sets) {
            words_.push_back(static_cast<std::uint32_t>(set.size()));
            words_.insert(words_.end(), set.begin(), set.end());
        }
        first_.push_back(static_cast<std::uint32_t>(words_.size()));
    }
    template <class Holds>
    bool all_met(std::uint32_t rule, Holds holds) const {
        const auto* at = words_.data() + first_[rule];
        const auto* const end = words_.data() + first_[rule + 1];
        while (at != end) {
            const auto* const last = at + 1 + *at;
            if (std::none_of(at + 1, last, holds)) return false;
            at = last;
        }
        return true;
    }

  private:
    std::vector<std::uint32_t> first_ = {0};
    std::vector<std::uint32_t> words_;  ///< of each set its size, then its predicates
};

struct ProgramNode {
    Expression::Kind kind = Expression::Kind::Leaf;
    std::uint32_t first = 0;  ///< Leaf: predicate; else the first child, in RuleSetInternals::children
    std::uint32_t count = 0;
    std::uint32_t least = 0;  ///< AtLeast: how many children must hold
};

struct OwnedLogSource {
    std::string product, category, service;

    LogSource view() const { return {product, category, service}; }
};

/// Where a field's values come from: the event, or its command line once that is parsed.
enum class FieldOrigin : std::uint8_t { Event, Line, Segment };
struct FieldUse {
    FieldOrigin origin = FieldOrigin::Event;
    CommandField source;
};

struct PredicateUse {
    FieldId field = 0;
    FieldOrigin origin = FieldOrigin::Event;
    bool asks = false;               ///< expressions decide it too: RuleSetInternals::asked
    bool refers = false;             ///< a field of the event decides it too: RuleSetInternals::references
    PredicateId may = kNoPredicate;  ///< of a command field: holds when this one may; none: always
};

/// A predicate that compares a field, of the event or of its command line, with one of the event.
struct FieldReference {
    PredicateId predicate;
    FieldId field, other;
    PatternKind kind;
    bool cased = false;
};

/// An expression over a field, run only when a rule asks.
struct FieldRegex {
    FieldId field;
    /// Holds when the value has a literal that every match contains; none where no literal is known.
    PredicateId hint = kNoPredicate;
    Regex regex;
};

inline constexpr std::uint32_t kNoProgram = UINT32_MAX;

struct RuleSetInternals {
    RuleOptions options;
    std::vector<RuleMeta> metas;            ///< sorted by id
    std::vector<Correlation> correlations;  ///< inner ones first
    std::vector<ProgramNode> nodes;
    std::vector<std::uint32_t> children;
    std::vector<std::uint32_t> roots;      ///< by rule; kNoProgram for a correlation
    std::vector<std::uint32_t> source_of;  ///< by rule: index into sources
    std::vector<FieldOrigin> reads;        ///< by rule: the deepest origin among its fields
    std::vector<OwnedLogSource> sources;   ///< distinct
    std::vector<FieldIndex> fields;
    std::vector<FieldUse> uses;  ///< by field
    TextNumbers field_names;
    FieldId keywords = UINT32_MAX;      ///< the full-log field, if any rule reads it
    FieldId command_line = UINT32_MAX;  ///< CommandLine, which carries the gates; none without them
    std::vector<FieldId> with_absent;   ///< fields of the event that some rule wants absent
    std::vector<FieldReference> references;
    std::vector<FieldRegex> regexes;
    Rows asked;  ///< by predicate: regexes of which each makes it hold too
    std::vector<PredicateUse> predicates;
    std::vector<PredicateId> gates;          ///< all of them
    Rows opens;                              ///< by gate: what may hold once it is open
    std::vector<PredicateId> decoder_gates;  ///< those that open all others
    LiteralIndex squeezed_gates;             ///< the gates' words where words may touch: squeeze()
    PredicateId trailing_blank_gate = UINT32_MAX;
    Rows woken;                         ///< by predicate: rules
    Needs needs;                        ///< by rule, beside what wakes it
    std::vector<std::uint32_t> always;  ///< rules that no single predicate can wake
};

}  // namespace fieldwatch::detect
