// Sigma rules as read: YAML text to metadata, predicates and a boolean expression over them (Sigma
// specification 2.1). Knows nothing of how events are matched.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "detect/rules/rule_set.hpp"

namespace fieldwatch::detect {

enum class PatternKind : std::uint8_t {
    Exact,  ///< the whole value is `text`
    Regex,  ///< `text` occurs in the value; wildcard strings become this too
    Cidr,   ///< the value is an address inside `text`
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,  ///< the value is a number, compared with `text`
    Absent,          ///< the field is not there or empty
    Present,
};

struct Pattern {
    PatternKind kind = PatternKind::Exact;
    std::string text;  ///< Exact without `cased`: in lower case
    bool cased = false;
    bool multiline = false;
    bool dot_all = true;
    std::uint32_t literal_bytes = 0;  ///< characters that must be there: how rare a match is likely to be

    friend auto operator<=>(const Pattern&, const Pattern&) = default;
};

/// True when any pattern matches any value of the field. An empty field name is the full log.
struct Predicate {
    std::string field;
    std::vector<Pattern> any_of;  ///< sorted, distinct
    friend auto operator<=>(const Predicate&, const Predicate&) = default;
};

struct Expression {
    enum class Kind : std::uint8_t { And, Or, Not, Leaf };
    Kind kind = Kind::Leaf;
    std::uint32_t predicate = 0;  ///< Leaf: index into SigmaRule::predicates
    std::vector<Expression> children;
};

struct SigmaRule {
    RuleMeta meta;
    std::vector<Predicate> predicates;
    Expression condition;
};

using WordLists = std::map<std::string, std::vector<std::string>, std::less<>>;

/// One word a line; `#` starts a comment; at most 20,000 words of 256 bytes.
std::vector<std::string> parse_word_list(std::string_view text);

/// Every rule of a file (a YAML stream). What is wrong with one rule does not touch the others.
void parse_sigma(const SourceFile& file, const WordLists& words, std::vector<SigmaRule>& rules,
                 std::vector<RuleError>& errors);

/// A Sigma string (wildcards `*`, `?`, escape `\`) with what contains, startswith and endswith add around it.
struct StringMatch {
    bool open_start = false, open_end = false;  ///< anything may stand before, behind
    bool cased = false, word = false;
};
Pattern string_pattern(std::string_view text, StringMatch match);

/// `selection and not 1 of filter_*` over named searches. Errors: Malformed, NotFound for an unknown name.
Result<Expression> parse_condition(std::string_view text,
                                   const std::map<std::string, Expression, std::less<>>& searches);

}  // namespace fieldwatch::detect
