// Sigma rules as read: YAML text to metadata, predicates and a boolean expression over them (Sigma
// specification 2.1). Knows nothing of how events are matched.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "detect/rules/correlation.hpp"
#include "detect/rules/rule_set.hpp"

namespace fieldwatch::detect {

enum class PatternKind : std::uint8_t {
    Exact,    ///< the whole value is `text`
    Literal,  ///< `text` occurs in the value, where `edges` allow it
    Regex,    ///< the expression `text` occurs in the value; strings with wildcards inside become this too
    Cidr,     ///< the value is an address inside `text`
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,  ///< the value, or `part` of it, is a number, compared with `text`
    Null,            ///< the field is not there, or is null
    Missing,         ///< the field is not there
    Exists,          ///< the field is there, whatever it holds
    Present,         ///< any text, the empty one included
    SameAs,
    Contains,
    StartsWith,
    EndsWith,  ///< the value compared with that of the field `text`
};
inline bool is_reference(PatternKind kind) {
    return kind >= PatternKind::SameAs;
}

/// The number that a time modifier takes out of a date.
enum class TimePart : std::uint8_t { None, Minute, Hour, Day, Week, Month, Year };

/// Where a literal must stand.
struct Edges {
    bool at_start = false, at_end = false;  ///< of the text
    bool begins = false, ends = false;      ///< no letter, digit or _ stands before, behind
    friend auto operator<=>(const Edges&, const Edges&) = default;
};

struct Pattern {
    PatternKind kind = PatternKind::Exact;
    std::string text;  ///< Exact and Literal without `cased`: in lower case
    bool cased = false;
    Edges edges;
    bool multiline = false;
    bool dot_all = true;
    TimePart part = TimePart::None;
    std::uint32_t literal_bytes = 0;  ///< characters that must be there: how rare a match is likely to be

    friend auto operator<=>(const Pattern&, const Pattern&) = default;
};

/// Compares two values of an event by a reference's kind.
bool compare_texts(std::string_view value, std::string_view other, PatternKind kind, bool cased);
/// `2026-01-31T12:00:00Z`, also with a blank for the T, or a date alone; nullopt when it is no date.
std::optional<std::int64_t> time_part(std::string_view date, TimePart part);

/// True when any pattern matches any value of the field. An empty field name is the full log.
struct Predicate {
    std::string field;
    std::vector<Pattern> any_of;  ///< sorted, distinct
    friend auto operator<=>(const Predicate&, const Predicate&) = default;
};

struct Expression {
    enum class Kind : std::uint8_t { And, Or, Not, AtLeast, Leaf };
    Kind kind = Kind::Leaf;
    std::uint32_t predicate = 0;  ///< Leaf: index into SigmaRule::predicates
    std::uint32_t least = 0;      ///< AtLeast: how many children must hold
    std::vector<Expression> children;
    std::string search = {};   ///< the named search that this is the whole of, for explanations
    std::string written = {};  ///< Leaf: `Image|endswith: /sh` as the rule has it, shortened
};

struct SigmaRule {
    RuleMeta meta;
    std::vector<Predicate> predicates;
    Expression condition;
};

using WordLists = std::map<std::string, std::vector<std::string>, std::less<>>;

/// One word a line; `#` starts a comment; at most 20,000 words of 256 bytes.
std::vector<std::string> parse_word_list(std::string_view text);

/// A filter document: what it names is left out of the rules it names.
struct SigmaFilter {
    std::string file;
    int line = 0;
    std::string title;
    std::vector<std::string> rules;  ///< ids or names; `any` for all of the log source
    std::string product, category, service;
    std::vector<Predicate> predicates;
    Expression suppressed;  ///< holds for what is left out
};

struct SigmaDocuments {
    std::vector<SigmaRule> rules;
    std::vector<SigmaFilter> filters;
    std::vector<Correlation> correlations;
};

/// A filter's searches join each rule that it names: the rule, and not what the filter names. Errors: a name
/// that no rule has.
void apply_filter(const SigmaFilter& filter, std::vector<SigmaRule>& rules, std::vector<RuleError>& errors);

/// Every document of a file (a YAML stream). What is wrong with one does not touch the others.
void parse_sigma(const SourceFile& file, const WordLists& words, SigmaDocuments& out,
                 std::vector<RuleError>& errors);

/// Every document of every file. Word lists are named by their files: `rules/words/miners.txt` is `miners`.
SigmaDocuments parse_sigma_files(std::span<const SourceFile> rules, std::span<const SourceFile> word_lists,
                                 std::vector<RuleError>& errors);

/// The known word that is fewest edits away: what somebody probably meant.
std::string nearest(std::string_view word, std::span<const std::string_view> known);

/// Why an expression is refused as too costly, or in a form that is not read; empty when it may be compiled.
std::string regex_problem(std::string_view expression);

/// A Sigma string (wildcards `*`, `?`, escape `\`) with what contains, startswith and endswith add around it.
struct StringMatch {
    bool open_start = false, open_end = false;  ///< anything may stand before, behind
    bool cased = false, word = false;
    bool literal = false;  ///< wildcards are characters like others
};
Pattern string_pattern(std::string_view text, StringMatch match);

/// `selection and not 1 of filter_*` over named searches. Errors: Malformed, NotFound for an unknown name.
Result<Expression> parse_condition(std::string_view text,
                                   const std::map<std::string, Expression, std::less<>>& searches);

}  // namespace fieldwatch::detect
