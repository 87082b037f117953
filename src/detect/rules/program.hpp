// The inside of a RuleSet: distinct predicates, one index per field, boolean programs, and which predicate
// wakes which rule. Private to detect/rules.
#pragma once

#include <string>
#include <vector>

#include "detect/rules/correlation.hpp"
#include "detect/rules/field_index.hpp"
#include "detect/rules/field_names.hpp"
#include "detect/rules/fields.hpp"

namespace fieldwatch::detect {

using FieldId = std::uint32_t;

struct ProgramNode {
    Expression::Kind kind = Expression::Kind::Leaf;
    std::uint32_t first = 0;  ///< Leaf: predicate; else the first child, in RuleSetInternals::children
    std::uint32_t count = 0;
    std::uint32_t least = 0;  ///< AtLeast: how many children must hold
};

struct OwnedLogSource {
    std::string product, category, service;
};

/// Where a field's values come from: the event, or its command line once that is parsed.
enum class FieldOrigin : std::uint8_t { Event, Line, Segment };
struct FieldUse {
    FieldOrigin origin = FieldOrigin::Event;
    CommandField source;
};

/// A predicate that compares two fields of the event.
struct FieldReference {
    PredicateId predicate;
    FieldId field, other;
    PatternKind kind;
    bool cased = false;
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
    FieldNames field_names;
    FieldId keywords = UINT32_MAX;      ///< the full-log field, if any rule reads it
    FieldId command_line = UINT32_MAX;  ///< CommandLine, which carries the gates; none without them
    std::vector<FieldId> with_absent;   ///< fields of the event that some rule wants absent
    std::vector<FieldReference> references;
    std::uint32_t predicate_count = 0;
    std::vector<FieldId> field_of;           ///< by predicate
    std::vector<PredicateId> gates;          ///< all of them
    std::vector<PredicateId> decoder_gates;  ///< those that open all others
    FieldIndex squeezed_gates;               ///< the gates' words where words may touch: squeeze()
    PredicateId trailing_blank_gate = UINT32_MAX;
    std::vector<std::uint32_t> woken_first, woken;  ///< by predicate: rules, compressed rows
    std::vector<std::uint32_t> always;              ///< rules that no single predicate can wake
};

}  // namespace fieldwatch::detect
