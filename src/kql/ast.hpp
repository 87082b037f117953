// What the parser understood, before any name has a meaning.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kql/lexer.hpp"

namespace fieldwatch::kql {

struct Node;
struct Pipeline;
using NodePtr = std::unique_ptr<Node>;

enum class NodeKind : std::uint8_t {
    Literal,  ///< token
    Name,     ///< text
    Member,   ///< args[0] . text
    Index,    ///< args[0] [ args[1] ]
    Call,     ///< text ( args )
    Unary,    ///< text is "-"
    Binary,   ///< args[0] text args[1]
    Between,  ///< text is "between" or "!between": args[0], low, high
    In,       ///< text is "in", "!in", "in~", "has_any" …: args[0], then the list
    Star,     ///< *
    Typeof,   ///< typeof(text)
    Query,    ///< a tabular expression in parentheses: pipeline
    Assign,   ///< name = args[0], inside an argument list (sum(x), default = 0)
};

struct Node {
    NodeKind kind = NodeKind::Literal;
    Span span;
    std::string text;
    Token token;
    std::vector<NodePtr> args;
    std::unique_ptr<Pipeline> pipeline;
};

/// `Name = expression`, `(A, B) = expression`, a sort key, a parse piece.
struct Item {
    std::vector<std::string> names;
    Span span;
    NodePtr value;
    bool tuple = false;
    std::string order, nulls;  ///< asc | desc, first | last, or ""
    std::string type;          ///< `to typeof(T)`, `Column: T`
    NodePtr fallback;          ///< make-series: default =
};

/// Of graph-match's pattern: an edge and the node that it leads to; the first has no edge. Names may be "".
struct Step {
    enum class Direction : std::uint8_t { Right, Left, Any };

    Span span;
    std::string edge, node;
    Direction direction = Direction::Right;
    bool repeats = false;
    std::size_t low = 1, high = 1;  ///< how often
};

struct Operator {
    std::string name;
    Span span;
    std::vector<Item> items, by;
    std::vector<Pipeline> inputs;
    std::vector<std::pair<std::string, std::string>> parameters;  ///< kind=, withsource=, render's
    std::vector<std::pair<std::string, Span>> places;             ///< where their values stand
    std::vector<Step> steps;
    NodePtr count, from, to, step, on;
    bool has_by = false;
    /// The value of `key=`, or "".
    std::string parameter(std::string_view key) const {
        for (const auto& [given, value] : parameters) {
            if (given == key) return value;
        }
        return "";
    }
    /// Where that stands, or the operator.
    Span place(std::string_view key) const {
        for (const auto& [given, where] : places) {
            if (given == key) return where;
        }
        return span;
    }
    bool end_included = false;  ///< make-series … in range(…)
};

struct Pipeline {
    NodePtr source;  ///< a name, a call, a parenthesised query; or null when head says how rows begin
    std::unique_ptr<Operator> head;  ///< print, range, datatable, union, search
    std::vector<Operator> operators;
    Span span;
};

/// `name: type = default`, or `name: (…)` for a table.
struct LetParameter {
    std::string name;
    Span span;
    std::string type;  ///< "" for a table
    NodePtr fallback;
};

struct Let {
    std::string name;
    Span span;
    NodePtr scalar;  ///< one of these; a bare name may be either
    std::unique_ptr<Pipeline> tabular;
    bool function = false;  ///< then scalar or tabular is its body, over parameters and the body's own lets
    std::vector<LetParameter> parameters;
    std::vector<Let> lets;
};

/// `set name = value;`, or without a value.
struct Setting {
    std::string name;
    NodePtr value;
};

struct Statement {
    std::vector<Setting> settings;
    std::vector<Let> lets;
    Pipeline query;
};

/// Errors: Syntax; Limit when nested deeper than limits.depth_max; Unsupported for operators by name.
Parsed<Statement> parse(const std::vector<Token>& tokens, const Limits& limits);

/// The operators that parse() knows, for documentation and suggestions.
const std::vector<std::string_view>& operator_names();
std::vector<std::string_view> refused_operator_names();
std::vector<std::string_view> plugin_names();  ///< of evaluate

/// The known name nearest to a mistyped one, or "" when none is near.
std::string nearest(std::string_view wrong, const std::vector<std::string>& known);
std::string did_you_mean(std::string_view wrong, const std::vector<std::string>& known);

}  // namespace fieldwatch::kql
