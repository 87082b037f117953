// Operators whose syntax has a form of its own: those that run a sub-query for each group of rows (mv-apply,
// partition, top-nested), plugins (evaluate) and parse-kv.
#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "kql/parser.hpp"

namespace fieldwatch::kql {
namespace {

constexpr std::string_view kPlugins[] = {"autocluster",      "bag_unpack",   "basket",
                                         "dcount_intersect", "diffpatterns", "ipv4_lookup",
                                         "ipv6_lookup",      "narrow",       "pivot"};

}  // namespace

std::vector<std::string_view> plugin_names() {
    return {std::begin(kPlugins), std::end(kPlugins)};
}

/// `( operator | operator … )`: what a sub-query does to the rows that it is given.
Parsed<Pipeline> Parser::sub_query(std::string_view where) {
    const Depth guard(depth_);
    FIELDWATCH_TRY(check_depth());
    FIELDWATCH_TRY(expect("(", where));
    Pipeline result;
    const auto start = peek().span;
    result.operators.push_back(FIELDWATCH_TRY(stage()));
    FIELDWATCH_TRY(stages(result));
    result.span = since(start);
    FIELDWATCH_TRY(expect(")", "after the sub-query"));
    return result;
}

Parsed<> Parser::expanded(std::vector<Item>& items) {
    do {
        auto next = FIELDWATCH_TRY(item());
        if (take_word("to")) {
            FIELDWATCH_TRY(expect_word("typeof", "after to"));
            FIELDWATCH_TRY(expect("(", "after typeof"));
            next.type = FIELDWATCH_TRY(type_name());
            FIELDWATCH_TRY(expect(")", "after the type"));
        }
        items.push_back(std::move(next));
    } while (take(","));
    return {};
}

Parsed<> Parser::mv_expand(Operator& op) {
    while ((is_word("bagexpansion") || is_word("kind") || is_word("with_itemindex")) && is("=", 1) &&
           peek(2).kind == TokenKind::Name) {
        op.parameters.emplace_back(peek().text, peek(2).text);
        at_ += 3;
    }
    FIELDWATCH_TRY(expanded(op.items));
    if (take_word("limit")) op.count = FIELDWATCH_TRY(expression());
    return {};
}

Parsed<> Parser::mv_apply(Operator& op) {
    FIELDWATCH_TRY(mv_expand(op));
    FIELDWATCH_TRY(expect_word("on", "before mv-apply's sub-query"));
    op.inputs.push_back(FIELDWATCH_TRY(sub_query("after on")));
    return {};
}

Parsed<> Parser::partition(Operator& op) {
    FIELDWATCH_TRY(parameters_are_hints(op));
    FIELDWATCH_TRY(expect_word("by", "after partition"));
    Item column;
    column.span = peek().span;
    column.names.push_back(FIELDWATCH_TRY(name("a column after by")));
    op.items.push_back(std::move(column));
    if (is("{"))
        return unsupported(peek().span,
                           "partition with a sub-query in braces is not supported; write it in parentheses");
    op.inputs.push_back(FIELDWATCH_TRY(sub_query("after partition's column")));
    return {};
}

/// A level a pair: its expression in `items` (with the direction of its order), its aggregate in `by`, with
/// the number of rows to keep as `fallback`; the level's own is the name of the others.
Parsed<> Parser::top_nested(Operator& op) {
    while (true) {
        Item level, aggregate;
        level.span = peek().span;
        if (!is_word("of")) aggregate.fallback = FIELDWATCH_TRY(unary());
        FIELDWATCH_TRY(expect_word("of", "in top-nested"));
        auto of = FIELDWATCH_TRY(item());
        level.names = std::move(of.names);
        level.value = std::move(of.value);
        if (take_word("with")) {
            FIELDWATCH_TRY(expect_word("others", "after with"));
            FIELDWATCH_TRY(expect("=", "after others"));
            level.fallback = FIELDWATCH_TRY(unary());
        }
        FIELDWATCH_TRY(expect_word("by", "after top-nested's expression"));
        auto by = FIELDWATCH_TRY(item());
        aggregate.names = std::move(by.names);
        aggregate.value = std::move(by.value);
        aggregate.span = by.span;
        FIELDWATCH_TRY(order(level));
        op.items.push_back(std::move(level));
        op.by.push_back(std::move(aggregate));
        if (op.items.size() > 10) return limit_error(peek().span, "more than 10 levels of top-nested");
        if (!take(",")) return {};
        const auto start = peek().span;
        if (FIELDWATCH_TRY(operator_name()) != "top-nested")
            return syntax_error(start, "another 'top-nested' is expected after the comma");
    }
}

/// `plugin(arguments)`, and perhaps `: (Name: type, …)`, which says what it gives.
Parsed<> Parser::evaluate(Operator& op) {
    FIELDWATCH_TRY(parameters_are_hints(op));
    const auto& plugin = peek().text;  // before its arguments, which may be of a form of their own
    if (is_name() && is("(", 1) && std::ranges::find(kPlugins, plugin) == std::end(kPlugins))
        return unsupported(peek().span, fmt::format("the plugin '{}' is not supported; {} are", plugin,
                                                    fmt::join(kPlugins, ", ")));
    op.on = FIELDWATCH_TRY(postfix());
    if (op.on->kind != NodeKind::Call)
        return syntax_error(op.on->span, "evaluate takes a plugin's call, such as bag_unpack(Column)");
    if (!take(":")) return {};
    FIELDWATCH_TRY(expect("(", "before the plugin's columns"));
    if (take("*")) {
        op.has_by = true;
        if (!take(",") && !is(")")) return expect(")", "after the plugin's columns");
    }
    while (!take(")")) {
        Item column;
        column.span = peek().span;
        column.names.push_back(FIELDWATCH_TRY(name("a column name")));
        FIELDWATCH_TRY(expect(":", "after the column's name"));
        column.type = FIELDWATCH_TRY(type_name());
        op.items.push_back(std::move(column));
        if (op.items.size() > 1000) return limit_error(peek().span, "more than 1000 columns");
        if (!take(",") && !is(")")) return expect(")", "after the plugin's columns");
    }
    return {};
}

/// `[kind=source] by text [with threshold=0.1, characters='…']`
Parsed<> Parser::reduce(Operator& op) {
    FIELDWATCH_TRY(parameters(op));
    FIELDWATCH_TRY(expect_word("by", "after reduce"));
    op.on = FIELDWATCH_TRY(expression());
    if (!take_word("with")) return {};
    do {
        if (!FIELDWATCH_TRY(parameter(op)))
            return syntax_error(peek().span,
                                fmt::format("expected threshold= or characters=, found {}", found()));
    } while (take(",") || (peek().kind == TokenKind::Name && is("=", 1)));
    return {};
}

/// `text as (Key: type, …) with (pair_delimiter=';', kv_delimiter='=', quote='"')`
Parsed<> Parser::parse_pairs(Operator& op) {
    op.on = FIELDWATCH_TRY(postfix());
    FIELDWATCH_TRY(expect_word("as", "after parse-kv's text"));
    FIELDWATCH_TRY(expect("(", "after as"));
    do {
        Item key;
        key.span = peek().span;
        key.names.push_back(FIELDWATCH_TRY(name("a key's name")));
        FIELDWATCH_TRY(expect(":", "after the key's name"));
        key.type = FIELDWATCH_TRY(type_name());
        op.items.push_back(std::move(key));
        if (op.items.size() > 100) return limit_error(peek().span, "more than 100 keys in one parse-kv");
    } while (take(","));
    FIELDWATCH_TRY(expect(")", "after the keys"));
    if (!take_word("with")) return {};
    FIELDWATCH_TRY(expect("(", "after with"));
    while (!take(")")) {
        const auto before = at_;
        FIELDWATCH_TRY(parameters(op));
        take(",");
        if (at_ == before) return expect(")", "after parse-kv's properties");
    }
    return {};
}

}  // namespace fieldwatch::kql
