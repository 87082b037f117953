#include "kql/parser.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace fieldwatch::kql {
namespace {

NodePtr make_node(NodeKind kind, Span span, std::string text = {}) {
    auto node = std::make_unique<Node>();
    node->kind = kind;
    node->span = span;
    node->text = std::move(text);
    return node;
}

/// Words that are comparison operators between two operands.
constexpr std::array<std::string_view, 14> kWordOperators{
    "contains", "contains_cs", "startswith", "startswith_cs", "endswith",     "endswith_cs", "has",
    "has_cs",   "hasprefix",   "hassuffix",  "hasprefix_cs",  "hassuffix_cs", "matches",     "like"};
constexpr std::array<std::string_view, 8> kSymbolOperators{"==", "!=", "<>", "<", "<=", ">", ">=", "=~"};
constexpr std::array<std::string_view, 6> kListOperators{"in", "!in", "in~", "!in~", "has_any", "has_all"};

/// Functions that the language has under two names: the one that ours goes by.
std::string_view function_of(std::string_view name) {
    if (name == "notnull") return "isnotnull";
    if (name == "notempty") return "isnotempty";
    if (name == "parseurl") return "parse_url";
    if (name == "weekofyear") return "week_of_year";
    return name;
}

template <class List>
bool contains(const List& list, std::string_view word) {
    return std::ranges::find(list, word) != list.end();
}

}  // namespace

Parsed<> Parser::check_depth() const {
    if (depth_ > limits_.depth_max)
        return limit_error(peek().span, fmt::format("nested deeper than {} levels", limits_.depth_max));
    return {};
}

std::string Parser::found() const {
    const auto& token = peek();
    switch (token.kind) {
        case TokenKind::End:
            return "the end of the query";
        case TokenKind::Text:
            return "a string";
        case TokenKind::Typed:
            return fmt::format("'{}(…)'", token.word);
        default:
            return fmt::format("'{}{}'", token.text.substr(0, 60), token.word);
    }
}

Parsed<> Parser::expect(std::string_view symbol, std::string_view where) {
    if (take(symbol)) return {};
    return syntax_error(peek().span, fmt::format("expected '{}' {}, found {}", symbol, where, found()));
}

Parsed<> Parser::expect_word(std::string_view word, std::string_view where) {
    if (take_word(word)) return {};
    return syntax_error(peek().span, fmt::format("expected '{}' {}, found {}", word, where, found()));
}

Parsed<std::string> Parser::name(std::string_view what) {
    if (!is_name()) return syntax_error(peek().span, fmt::format("expected {}, found {}", what, found()));
    return tokens_[at_++].text;
}

Parsed<NodePtr> Parser::binary(NodePtr left, std::string op, NodePtr right) const {
    auto node = make_node(NodeKind::Binary, left->span + right->span, std::move(op));
    node->args.push_back(std::move(left));
    node->args.push_back(std::move(right));
    return node;
}

Parsed<NodePtr> Parser::expression() {
    const Depth guard(depth_);
    FIELDWATCH_TRY(check_depth());
    auto left = FIELDWATCH_TRY(logical_and());
    std::size_t chained = 0;
    while (take_word("or")) {
        if (++chained > 1000) return limit_error(peek().span, "more than 1000 alternatives joined by 'or'");
        auto right = FIELDWATCH_TRY(logical_and());
        // A flat list, so that a long chain does not nest.
        if (left->kind == NodeKind::Binary && left->text == "or" && chained > 1) {
            left->span = left->span + right->span;
            left->args.push_back(std::move(right));
        } else {
            left = FIELDWATCH_TRY(binary(std::move(left), "or", std::move(right)));
        }
    }
    return left;
}

Parsed<NodePtr> Parser::logical_and() {
    auto left = FIELDWATCH_TRY(comparison());
    std::size_t chained = 0;
    while (take_word("and")) {
        if (++chained > 1000) return limit_error(peek().span, "more than 1000 conditions joined by 'and'");
        auto right = FIELDWATCH_TRY(comparison());
        if (left->kind == NodeKind::Binary && left->text == "and" && chained > 1) {
            left->span = left->span + right->span;
            left->args.push_back(std::move(right));
        } else {
            left = FIELDWATCH_TRY(binary(std::move(left), "and", std::move(right)));
        }
    }
    return left;
}

Parsed<NodePtr> Parser::comparison() {
    auto left = FIELDWATCH_TRY(additive());
    if (searching_ && take(":")) {
        auto term = FIELDWATCH_TRY(additive());
        return binary(std::move(left), "has", std::move(term));
    }
    const auto& token = peek();
    if (token.kind != TokenKind::Symbol && token.kind != TokenKind::Name) return left;
    const std::string op = token.text;
    const std::string_view positive =
        op.starts_with('!') ? std::string_view(op).substr(1) : std::string_view(op);
    if (positive == "between") {
        ++at_;
        FIELDWATCH_TRY(expect("(", "after between"));
        auto low = FIELDWATCH_TRY(additive());
        FIELDWATCH_TRY(expect("..", "between the two bounds"));
        auto high = FIELDWATCH_TRY(additive());
        FIELDWATCH_TRY(expect(")", "after the upper bound"));
        auto node = make_node(NodeKind::Between, since(left->span), op);
        node->args.push_back(std::move(left));
        node->args.push_back(std::move(low));
        node->args.push_back(std::move(high));
        return node;
    }
    if (contains(kListOperators, op)) {
        ++at_;
        FIELDWATCH_TRY(expect("(", fmt::format("after {}", op)));
        auto list = FIELDWATCH_TRY(arguments());
        auto node = make_node(NodeKind::In, since(left->span), op);
        node->args.push_back(std::move(left));
        for (auto& value : list)
            node->args.push_back(std::move(value));
        return node;
    }
    const bool symbol = token.kind == TokenKind::Symbol && (contains(kSymbolOperators, op) || op == "!~");
    if (!symbol && !contains(kWordOperators, positive)) {
        if (op.size() > 1 && op[0] == '!')
            return syntax_error(token.span, fmt::format("unknown operator '{}'", op));
        return left;
    }
    if (op == "!matches")
        return syntax_error(token.span, "there is no '!matches'; not(a matches regex b) says it");
    ++at_;
    if (op == "matches") FIELDWATCH_TRY(expect_word("regex", "after matches"));
    auto right = FIELDWATCH_TRY(additive());
    return binary(std::move(left), op == "<>" ? "!=" : op, std::move(right));
}

Parsed<NodePtr> Parser::additive() {
    auto left = FIELDWATCH_TRY(multiplicative());
    for (std::size_t chained = 0; is("+") || is("-"); ++chained) {
        if (chained > limits_.depth_max) return limit_error(peek().span, "too many terms in one sum");
        const std::string op = tokens_[at_++].text;
        auto right = FIELDWATCH_TRY(multiplicative());
        left = FIELDWATCH_TRY(binary(std::move(left), op, std::move(right)));
    }
    return left;
}

Parsed<NodePtr> Parser::multiplicative() {
    auto left = FIELDWATCH_TRY(unary());
    for (std::size_t chained = 0; is("*") || is("/") || is("%"); ++chained) {
        if (chained > limits_.depth_max) return limit_error(peek().span, "too many factors in one product");
        const std::string op = tokens_[at_++].text;
        auto right = FIELDWATCH_TRY(unary());
        left = FIELDWATCH_TRY(binary(std::move(left), op, std::move(right)));
    }
    return left;
}

Parsed<NodePtr> Parser::unary() {
    if (!is("-") && !is("+")) return postfix();
    const Depth guard(depth_);
    FIELDWATCH_TRY(check_depth());
    const auto start = peek().span;
    const bool negative = tokens_[at_++].text == "-";
    auto operand = FIELDWATCH_TRY(unary());
    if (!negative) return operand;
    auto node = make_node(NodeKind::Unary, since(start), "-");
    node->args.push_back(std::move(operand));
    return node;
}

Parsed<NodePtr> Parser::postfix() {
    auto node = FIELDWATCH_TRY(primary());
    for (std::size_t chained = 0;; ++chained) {
        if (chained > limits_.depth_max) return limit_error(peek().span, "a path of too many steps");
        if (take(".")) {
            if (!is_name())
                return syntax_error(peek().span,
                                    fmt::format("expected a member's name after '.', found {}", found()));
            auto outer = make_node(NodeKind::Member, node->span + peek().span, tokens_[at_].text);
            ++at_;
            outer->args.push_back(std::move(node));
            node = std::move(outer);
        } else if (take("[")) {
            auto index = FIELDWATCH_TRY(expression());
            FIELDWATCH_TRY(expect("]", "after the index"));
            auto outer = make_node(NodeKind::Index, since(node->span));
            outer->args.push_back(std::move(node));
            outer->args.push_back(std::move(index));
            node = std::move(outer);
        } else {
            return node;
        }
    }
}

Parsed<NodePtr> Parser::primary() {
    const auto& token = peek();
    switch (token.kind) {
        case TokenKind::Text:
        case TokenKind::Number:
        case TokenKind::Duration:
        case TokenKind::Typed: {
            ++at_;
            auto node = make_node(NodeKind::Literal, token.span);
            node->token = token;
            // Adjacent strings are one string.
            while (token.kind == TokenKind::Text && peek().kind == TokenKind::Text)
                node->token.text += tokens_[at_++].text;
            return node;
        }
        case TokenKind::QuotedName:
            ++at_;
            return make_node(NodeKind::Name, token.span, token.text);
        case TokenKind::Name:
            break;
        case TokenKind::Symbol:
            if (take("(")) {
                auto inside = FIELDWATCH_TRY(input());
                if (is(","))
                    return syntax_error(peek().span,
                                        "expected ')' to close the parenthesis, found ','; several values "
                                        "stand behind in, has_any and has_all");
                FIELDWATCH_TRY(expect(")", "to close the parenthesis"));
                if (!inside.head && inside.operators.empty()) {
                    inside.source->span = since(token.span);
                    return std::move(inside.source);
                }
                auto node = make_node(NodeKind::Query, since(token.span));
                node->pipeline = std::make_unique<Pipeline>(std::move(inside));
                return node;
            }
            if (take("*")) return make_node(NodeKind::Star, token.span);
            [[fallthrough]];
        case TokenKind::End:
            return syntax_error(token.span, fmt::format("expected an expression, found {}", found()));
    }
    if (token.text == "typeof" && is("(", 1)) {
        at_ += 2;
        auto type = FIELDWATCH_TRY(type_name());
        FIELDWATCH_TRY(expect(")", "after the type"));
        return make_node(NodeKind::Typeof, since(token.span), type);
    }
    if (is("(", 1)) {
        at_ += 2;
        auto args = FIELDWATCH_TRY(arguments());
        auto node = make_node(NodeKind::Call, since(token.span), std::string(function_of(token.text)));
        node->args = std::move(args);
        return node;
    }
    ++at_;
    if (token.text == "true" || token.text == "false") {
        auto node = make_node(NodeKind::Literal, token.span);
        node->token = {.kind = TokenKind::Typed, .span = token.span, .text = token.text, .word = "bool"};
        return node;
    }
    return make_node(NodeKind::Name, token.span, token.text);
}

Parsed<std::vector<NodePtr>> Parser::arguments() {
    std::vector<NodePtr> list;
    if (take(")")) return list;
    while (true) {
        if (list.size() >= 100'000) return limit_error(peek().span, "more than 100000 values in one list");
        if (is_name() && is("=", 1)) {
            auto node = make_node(NodeKind::Assign, peek().span, peek().text);
            at_ += 2;
            node->args.push_back(FIELDWATCH_TRY(expression()));
            list.push_back(std::move(node));
        } else {
            auto inside = FIELDWATCH_TRY(input());
            if (!inside.head && inside.operators.empty()) {
                list.push_back(std::move(inside.source));
            } else {
                auto node = make_node(NodeKind::Query, inside.span);
                node->pipeline = std::make_unique<Pipeline>(std::move(inside));
                list.push_back(std::move(node));
            }
        }
        if (take(")")) return list;
        FIELDWATCH_TRY(expect(",", "or ')' after the value"));
    }
}

Parsed<std::string> Parser::type_name() {
    const auto span = peek().span;
    auto word = FIELDWATCH_TRY(name("a type"));
    static const std::vector<std::string> kTypes{"bool", "int",      "long",     "real",    "string",
                                                 "guid", "datetime", "timespan", "dynamic", "decimal"};
    if (word == "boolean") return "bool";
    if (word == "double") return "real";
    if (word == "date") return "datetime";
    if (word == "time") return "timespan";
    if (word == "uuid" || word == "uniqueid") return "guid";
    if (!contains(kTypes, word))
        return syntax_error(span, fmt::format("unknown type '{}'{}", word, did_you_mean(word, kTypes)));
    return word;
}

Parsed<Statement> parse(const std::vector<Token>& tokens, const Limits& limits) {
    return Parser(tokens, limits).statement();
}

std::string nearest(std::string_view wrong, const std::vector<std::string>& known) {
    std::string best;
    std::size_t best_distance = std::min<std::size_t>(5, wrong.size() / 2 + 2);
    if (wrong.size() > 100) return {};
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    for (const auto& candidate : known) {
        if (candidate.size() > 100) continue;
        // Letters added, left out, changed, or two of them swapped.
        std::vector<std::size_t> row(candidate.size() + 1), before, oldest;
        for (std::size_t j = 0; j < row.size(); ++j)
            row[j] = j;
        for (std::size_t i = 1; i <= wrong.size(); ++i) {
            oldest = std::exchange(before, row);
            row[0] = i;
            for (std::size_t j = 1; j < row.size(); ++j) {
                const auto same = [&](std::size_t a, std::size_t b) {
                    return lower(wrong[i - a]) == lower(candidate[j - b]);
                };
                row[j] = std::min({before[j] + 1, row[j - 1] + 1, before[j - 1] + !same(1, 1)});
                if (i > 1 && j > 1 && same(1, 2) && same(2, 1)) row[j] = std::min(row[j], oldest[j - 2] + 1);
            }
        }
        if (row.back() < best_distance) best_distance = row.back(), best = candidate;
    }
    return best;
}

std::string did_you_mean(std::string_view wrong, const std::vector<std::string>& known) {
    const auto name = nearest(wrong, known);
    return name.empty() ? "" : fmt::format("; did you mean '{}'?", name);
}

}  // namespace fieldwatch::kql
