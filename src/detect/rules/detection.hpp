// The `detection` of a rule or filter: searches, values, modifiers, condition. YAML in, expression out.
#pragma once

#include <yaml-cpp/yaml.h>

#include <map>
#include <string>

#include "detect/rules/sigma.hpp"

namespace fieldwatch::detect {

/// What is wrong and where; thrown only inside the parser, where yaml-cpp throws too.
struct RuleProblem {
    int line;
    std::string why;
};
[[noreturn]] void refuse(const YAML::Node& node, std::string why);
int line_of(const YAML::Node& node);

/// Reads searches and condition. Keys in `beside` are not searches (a filter's `rules`). Appends predicates.
/// Throws RuleProblem and YAML::Exception.
Expression read_detection(const YAML::Node& detection, const WordLists& words,
                          std::span<const std::string_view> beside, std::vector<Predicate>& predicates);

/// What the modifiers behind a field name ask for, in no order: each says something of its own.
struct Modifiers {
    StringMatch match;
    bool all = false, regex = false, cidr = false, exists = false, windash = false, expand = false;
    bool base64 = false, base64_offset = false, negated = false, reference = false;
    bool insensitive = false, multiline = false, dot_all = false;
    enum class Wide : std::uint8_t { None, LittleEndian, BigEndian, Marked } wide = Wide::None;
    PatternKind compare = PatternKind::Exact;
    TimePart part = TimePart::None;
};
/// `|contains|all`, as written in `key`.
Modifiers read_modifiers(const YAML::Node& key, std::string_view text);

/// The patterns that one written value stands for. Throws RuleProblem.
std::vector<Pattern> read_value(const YAML::Node& node, const Modifiers& modifiers, const WordLists& words);

}  // namespace fieldwatch::detect
