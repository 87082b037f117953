// parse and parse-where: the pattern of texts and columns becomes one regular expression.
#include <algorithm>

#include <fmt/format.h>
#include <re2/re2.h>

#include "kql/binder.hpp"
#include "kql/functions.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

struct ParsedColumn {
    std::string name;
    ColumnType type;
    int group;
};
struct ParsePattern {
    std::string text;
    int groups = 0;
    std::vector<ParsedColumn> columns;
};

/// What a column's text looks like. A relaxed one takes any text: what is none of its type is null.
std::string_view shape(std::string_view type, std::string_view kind, bool last) {
    const bool relaxed = kind == "relaxed";
    if (type == "int" || type == "long") return relaxed ? "(-?\\d+|.*?)" : "(-?\\d+)";
    if (type == "real" || type == "decimal")
        return relaxed ? "(-?\\d+(?:[.]\\d+)?|.*?)" : "(-?\\d+(?:[.]\\d+)?)";
    return last || kind == "regex" ? "(.*)" : "(.*?)";
}

}  // namespace

Parsed<> Binder::parse(Relation& relation, const Operator& op) {
    auto kind = op.parameter("kind");
    const auto flags = op.parameter("flags");
    if (kind.empty()) kind = "simple";
    if (kind != "simple" && kind != "relaxed" && kind != "regex")
        return semantic_error(op.span,
                              fmt::format("parse's kind is simple, relaxed or regex, not '{}'", kind));
    if (flags.find_first_not_of("Uims") != std::string::npos || (!flags.empty() && kind != "regex"))
        return semantic_error(op.span, "flags belong to kind=regex and are of U, i, m and s");
    auto text = to_string_expr(FIELDWATCH_TRY(expression(*op.on, {.relation = &relation})));
    const bool regex = kind == "regex";
    ParsePattern pattern{.text = regex ? (flags.empty() ? "^" : fmt::format("(?{})^", flags)) : "(?s)^"};
    const std::string_view any = flags.contains('U') ? ".*" : ".*?";
    for (std::size_t i = 0; i < op.items.size(); ++i) {
        const auto& piece = op.items[i];
        const bool last = i + 1 == op.items.size();
        if (piece.order == "*") {
            pattern.text += last ? ".*" : any;
        } else if (piece.value) {
            const auto value = FIELDWATCH_TRY(expression(*piece.value, {}));
            const auto literal = text_value(value);
            if (!literal || literal->empty())
                return semantic_error(piece.span, "a piece of the pattern is a string that is not empty");
            if (regex) FIELDWATCH_TRY(check_regex(value, piece.span));
            pattern.text += regex ? fmt::format("(?:{})", *literal) : RE2::QuoteMeta(*literal);
            if (regex) pattern.groups += capture_groups(*literal);
        } else {
            if (i > 0 && !op.items[i - 1].names.empty() && piece.type == "string")
                return semantic_error(piece.span, "between two columns the pattern needs a string");
            pattern.text += shape(piece.type, kind, last);
            pattern.columns.push_back({piece.names[0], *type_by_name(piece.type), ++pattern.groups});
        }
    }
    pattern.text += op.items.back().value ? ".*$" : "$";
    if (pattern.groups > 16) return limit_error(op.span, "parse takes at most 16 columns and groups");
    const auto whole = text_constant(pattern.text);
    FIELDWATCH_TRY(check_regex(whole, op.span));
    auto result = relation;
    ExprPtr matched = call(Bool, "regexp_matches({0}, {1})", {text, whole});
    std::vector<ExprPtr> values;
    for (const auto& column : pattern.columns) {
        const auto part =
            call(String, fmt::format("regexp_extract({{0}}, {{1}}, {})", column.group), {text, whole});
        values.push_back(column.type == Dynamic ? special(ExprKind::Parse, Dynamic, part)
                                                : convert(part, column.type));
        const bool checked = column.type != String && column.type != Dynamic && column.type != Decimal &&
                             !is_number(column.type);
        if (kind != "relaxed" && checked)
            matched = call(Bool, "({0} AND {1} IS NOT NULL)", {matched, values.back()});
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto& value = values[i];
        const bool strict = matched->args.size() == 2 && matched->sql.starts_with("({0} AND");
        set_field(result, pattern.columns[i].name,
                  strict ? call(value->type,
                                value->type == String ? "CASE WHEN {0} THEN {1} ELSE '' END"
                                                      : "CASE WHEN {0} THEN {1} END",
                                {matched, value})
                         : value);
    }
    relation = std::move(result);
    if (op.name == "parse-where") filter(relation, matched);
    return {};
}

}  // namespace fieldwatch::kql
