#include <algorithm>
#include <charconv>
#include <limits>

#include <fmt/format.h>
#include <re2/re2.h>

#include "base/text.hpp"
#include "kql/binder.hpp"

namespace fieldwatch::kql {
namespace {

std::optional<ExprPtr> typed_literal(const Token& token) {
    const auto type = type_by_name(token.word).value_or(ColumnType::String);
    std::string text = token.text;
    text.erase(0, text.find_first_not_of(" \t\r\n"));
    text.erase(text.find_last_not_of(" \t\r\n") + 1);
    if (text == "null") return null_of(type);
    if (text.size() >= 2 && (text[0] == '"' || text[0] == '\'') && text.back() == text[0])
        text = text.substr(1, text.size() - 2);
    switch (type) {
        case ColumnType::Bool:
            if (text == "true" || text == "1") return constant(type, true);
            if (text == "false" || text == "0") return constant(type, false);
            return std::nullopt;
        case ColumnType::Int:
        case ColumnType::Long: {
            std::int64_t value = 0;
            const bool hexadecimal = text.starts_with("0x");
            const auto* begin = text.data() + (hexadecimal ? 2 : 0);
            const auto end = std::from_chars(begin, text.data() + text.size(), value, hexadecimal ? 16 : 10);
            if (end.ec != std::errc{} || end.ptr != text.data() + text.size()) return std::nullopt;
            if (type == ColumnType::Int && (value < INT32_MIN || value > INT32_MAX)) return std::nullopt;
            return constant(type, value);
        }
        case ColumnType::Real: {
            double value = 0;
            if (text.starts_with('+')) text.erase(0, 1);
            const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
            if (end.ec != std::errc{} || end.ptr != text.data() + text.size()) return std::nullopt;
            return constant(type, value);
        }
        case ColumnType::DateTime:
            if (const auto ticks = parse_datetime_literal(text)) return constant(type, *ticks);
            return std::nullopt;
        case ColumnType::TimeSpan:
            if (const auto ticks = parse_timespan_literal(text)) return constant(type, *ticks);
            return std::nullopt;
        case ColumnType::Guid: {
            std::string guid;
            for (const char c : text)
                guid.push_back(c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c);
            static const RE2 kGuid("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");
            if (!RE2::FullMatch(guid, kGuid)) return std::nullopt;
            return constant(type, guid);
        }
        default:
            return std::nullopt;
    }
}

/// decimal(…): digits with a point, and perhaps an exponent.
Parsed<ExprPtr> decimal_literal(const Node& node) {
    const auto text = trimmed(node.token.text);
    if (text == "null") return null_of(ColumnType::Decimal);
    static const RE2 kDecimal("[+-]?(\\d+([.]\\d*)?|[.]\\d+)([eE][+-]?\\d{1,2})?");
    if (text.size() > 60 || !RE2::FullMatch(text, kDecimal))
        return syntax_error(node.span, fmt::format("'{}' is no decimal literal", text.substr(0, 80)));
    return convert(text_constant(std::string(text)), ColumnType::Decimal);
}

}  // namespace

Parsed<ExprPtr> Binder::expression(const Node& node, const Scope& scope) {
    auto result = FIELDWATCH_TRY(unchecked(node, scope));
    if (result->weight > 200'000)
        return limit_error(node.span, "the expression grows too large when its parts are put in place");
    const auto asks = [](const ExprPtr& arg) { return arg->row_subquery; };
    if (result->kind == ExprKind::Call && is_closed_to_subqueries(result->sql) &&
        std::ranges::any_of(result->args, asks))
        return unsupported(node.span,
                           "'in (table)' and what reads time zones or whole series are not supported inside "
                           "this function; extend a column with it first");
    return result;
}

Parsed<ExprPtr> Binder::unchecked(const Node& node, const Scope& scope) {
    switch (node.kind) {
        case NodeKind::Literal:
            return literal(node);
        case NodeKind::Name:
            return name(node, scope);
        case NodeKind::Member:
            return member(node, scope);
        case NodeKind::Index:
            return index(node, scope);
        case NodeKind::Call:
            return function(node, scope);
        case NodeKind::Between:
            return between(node, scope);
        case NodeKind::In:
            return in(node, scope);
        case NodeKind::Binary:
            return binary(node, scope);
        case NodeKind::Unary: {
            const auto& operand = *node.args[0];
            if (operand.kind == NodeKind::Literal && operand.token.kind == TokenKind::Number &&
                operand.token.text == "9223372036854775808")  // is no long without its sign
                return constant(ColumnType::Long, std::numeric_limits<std::int64_t>::min());
            auto value = FIELDWATCH_TRY(expression(operand, scope));
            if (value->type == ColumnType::Dynamic && !is_null(value))
                value = convert(value, ColumnType::Real);
            if (value->type == ColumnType::Decimal) return call(value->type, "(-{0})", {value});
            if (!is_number(value->type) && value->type != ColumnType::TimeSpan)
                return semantic_error(
                    node.span, fmt::format("'-' needs a number or timespan, not {}", to_string(value->type)));
            if (const auto number = integer_value(value); number && *number != INT64_MIN)
                return constant(value->type, -*number);
            if (value->type == ColumnType::Real) {
                if (const auto* number = std::get_if<double>(&value->value))
                    return constant(value->type, -*number);
                return call(value->type, "(-{0})", {value});
            }
            return call(value->type,
                        fmt::format("TRY_CAST(-CAST({{0}} AS HUGEINT) AS {})", sql_type(value->type)),
                        {value});
        }
        case NodeKind::Star:
            return syntax_error(node.span, "'*' has no meaning here");
        case NodeKind::Typeof:
            return syntax_error(node.span, "typeof(…) has no meaning here");
        case NodeKind::Assign:
            return syntax_error(node.span, fmt::format("'{} =' has no meaning here", node.text));
        case NodeKind::Query:
            return semantic_error(
                node.span,
                "a table stands where a single value is expected; toscalar(…) takes its first cell");
    }
    return syntax_error(node.span, "not an expression");
}

Parsed<ExprPtr> Binder::boolean(const Node& node, const Scope& scope) {
    auto value = FIELDWATCH_TRY(expression(node, scope));
    if (value->type == ColumnType::Dynamic) value = convert(value, ColumnType::Bool);
    if (value->type != ColumnType::Bool)
        return semantic_error(
            node.span, fmt::format("a condition is expected here, but this is {}", to_string(value->type)));
    return value;
}

Parsed<ExprPtr> Binder::literal(const Node& node) {
    const auto& token = node.token;
    if (token.kind == TokenKind::Text) return text_constant(token.text);
    if (token.kind == TokenKind::Duration) {
        if (const auto ticks = duration_ticks(token.text, token.word))
            return constant(ColumnType::TimeSpan, *ticks);
        return syntax_error(node.span,
                            fmt::format("'{}{}' is no timespan: units are d, h, m, s, ms, microsecond, tick",
                                        token.text, token.word));
    }
    if (token.kind == TokenKind::Number) {
        const bool real = !token.text.starts_with("0x") && !token.text.starts_with("0X") &&
                          token.text.find_first_of(".eE") != std::string::npos;
        Token as = token;
        as.word = real ? "real" : "long";
        if (as.text.starts_with("0X")) as.text[1] = 'x';
        if (auto value = typed_literal(as)) return *value;
        return syntax_error(node.span, "the number does not fit into 64 bits");
    }
    if (token.word == "decimal") return decimal_literal(node);
    if (token.word == "dynamic") {
        if (token.text.find_first_not_of(" \t\r\n") == std::string::npos || token.text == "null")
            return null_of(ColumnType::Dynamic);
        auto json = FIELDWATCH_TRY(compact_json(token.text, node.span));
        if (json == "null") return null_of(ColumnType::Dynamic);
        return constant(ColumnType::Dynamic, std::move(json));
    }
    if (auto value = typed_literal(token)) return *value;
    // long(x) with an expression inside is the conversion's short form only for literals.
    return syntax_error(node.span,
                        fmt::format("'{}' is no {} literal", token.text.substr(0, 80), token.word));
}

std::vector<std::string> Binder::visible_names(const Relation* relation) const {
    std::vector<std::string> names;
    if (relation) {
        for (const auto& field : relation->fields)
            names.push_back(field.name);
    }
    for (const auto* at = visible_; at; at = at->outer)
        names.push_back(at->name);
    return names;
}

Parsed<ExprPtr> Binder::name(const Node& node, const Scope& scope) {
    if (scope.relation) {
        for (const auto& field : scope.relation->fields) {
            if (field.name == node.text) return field.value;
        }
    }
    if (const auto* found = defined(node.text)) {
        if (found->value) return found->value;
        if (found->table || found->let->tabular)
            return semantic_error(
                node.span,
                fmt::format(
                    "'{}' is a table, but a single value is expected here; toscalar(…) takes its first cell",
                    node.text));
        if (found->let->function)
            return semantic_error(node.span,
                                  fmt::format("'{0}' is a function: call it, as {0}(…)", node.text));
        return outside(*found, [&] { return expression(*found->let->scalar, {}); });
    }
    if (node.text == "null")
        return semantic_error(
            node.span, "null has a type, as in int(null); isnull(…) asks for it, isempty(…) of strings");
    const auto known = did_you_mean(node.text, visible_names(scope.relation));
    if (known.empty() && is_aggregate(node.text))
        return semantic_error(node.span, fmt::format("'{0}' is a function: call it, as {0}(…)", node.text));
    return semantic_error(node.span, fmt::format("unknown column '{}'{}", node.text, known));
}

Parsed<ExprPtr> Binder::member(const Node& node, const Scope& scope) {
    const auto& base = *node.args[0];
    if (base.kind == NodeKind::Name && (base.text == "$left" || base.text == "$right")) {
        const auto* side = base.text == "$left" ? scope.relation : scope.right;
        if (!scope.right)
            return semantic_error(node.span,
                                  fmt::format("'{}' has a meaning only in join's 'on'", base.text));
        for (const auto& field : side->fields) {
            if (field.name == node.text) return field.value;
        }
        return semantic_error(node.span,
                              fmt::format("unknown column '{}' on that side of the join{}", node.text,
                                          did_you_mean(node.text, visible_names(side))));
    }
    if (const auto step = base.kind == NodeKind::Name ? base.text : std::string();
        scan_steps_ && scan_steps_->contains(step)) {
        const auto& remembered = scan_steps_->at(step);
        for (const auto& field : remembered.fields) {
            if (field.name == node.text) return field.value;
        }
        return semantic_error(node.span, fmt::format("step '{}' has no column '{}'{}", step, node.text,
                                                     did_you_mean(node.text, visible_names(&remembered))));
    }
    if (base.kind == NodeKind::Name && scope.relation && graph_names_.contains(base.text)) {
        const auto property = base.text + "." + node.text;
        for (const auto& field : scope.relation->fields) {
            if (field.name == property) return field.value;
        }
        return semantic_error(node.span, fmt::format("'{}' has no property '{}'", base.text, node.text));
    }
    const auto value = FIELDWATCH_TRY(expression(base, scope));
    if (value->type != ColumnType::Dynamic)
        return semantic_error(
            node.span,
            fmt::format("'.{}' needs a dynamic value, but this is {}{}", node.text, to_string(value->type),
                        value->type == ColumnType::String     ? "; parse_json(…) makes it one"
                        : value->type == ColumnType::DateTime ? "; datetime_part('…', …) takes a part"
                                                              : ""));
    return json_member(value, node.text);
}

Parsed<ExprPtr> Binder::index(const Node& node, const Scope& scope) {
    const auto value = FIELDWATCH_TRY(expression(*node.args[0], scope));
    const auto key = FIELDWATCH_TRY(expression(*node.args[1], scope));
    if (value->type != ColumnType::Dynamic)
        return semantic_error(
            node.span, fmt::format("'[…]' needs a dynamic value, but this is {}", to_string(value->type)));
    if (const auto text = text_value(key)) return json_member(value, *text);
    if (const auto number = integer_value(key); number && is_integral(key->type))
        return json_element(value, *number);
    if (key->type == ColumnType::String || key->type == ColumnType::Dynamic) {
        return call(ColumnType::Dynamic,
                    "nullif(CAST(json_extract({0}, '/' || replace(replace({1}, '~', '~0'), '/', '~1')) AS "
                    "VARCHAR), 'null')",
                    {value, to_string_expr(key)});
    }
    if (is_integral(key->type)) {
        return call(ColumnType::Dynamic,
                    "nullif(CAST(json_extract({0}, '$[' || CASE WHEN {1} < 0 THEN '#' ELSE '' END || "
                    "CAST({1} AS VARCHAR) || ']') AS VARCHAR), 'null')",
                    {value, key});
    }
    return semantic_error(node.span,
                          fmt::format("an index is a number or a string, not {}", to_string(key->type)));
}

}  // namespace fieldwatch::kql
