// The inside of a RuleSet: distinct predicates, one index per field, boolean programs, and which predicate
// wakes which rule. Private to detect/rules.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "detect/rules/field_index.hpp"
#include "detect/rules/fields.hpp"

namespace fieldwatch::detect {

using FieldId = std::uint32_t;

struct ProgramNode {
    Expression::Kind kind = Expression::Kind::Leaf;
    std::uint32_t first = 0;  ///< Leaf: predicate; else the first child, in RuleSetInternals::children
    std::uint32_t count = 0;
};

struct OwnedLogSource {
    std::string product, category, service;
};

struct CommandUse {
    FieldId field;
    CommandField source;
};

struct RuleSetInternals {
    RuleOptions options;
    std::vector<RuleMeta> metas;  ///< sorted by id
    std::vector<ProgramNode> nodes;
    std::vector<std::uint32_t> children;
    std::vector<std::uint32_t> roots;       ///< by rule
    std::vector<std::uint32_t> source_of;   ///< by rule: index into sources
    std::vector<std::uint8_t> per_segment;  ///< by rule: reads cmd.*
    std::vector<OwnedLogSource> sources;    ///< distinct
    std::vector<FieldIndex> fields;
    std::unordered_map<std::string, FieldId, TextHash, std::equal_to<>> field_ids;
    FieldId keywords = UINT32_MAX;  ///< the full-log field, if any rule reads it
    std::vector<CommandUse> segment_fields, line_fields;
    std::vector<FieldId> with_absent;  ///< fields some rule wants absent
    std::uint32_t predicate_count = 0;
    std::vector<std::uint32_t> woken_first, woken;  ///< by predicate: rules, compressed rows
    std::vector<std::uint32_t> always;              ///< rules that no single predicate can wake
};

}  // namespace fieldwatch::detect
