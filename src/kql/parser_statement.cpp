// A statement's outline: let, pipelines, and what begins one.
#include <algorithm>

#include <fmt/format.h>

#include "kql/parser.hpp"

namespace fieldwatch::kql {

Parsed<Statement> Parser::statement() {
    Statement result;
    result.settings = FIELDWATCH_TRY(settings());
    if (is_word("declare")) result.lets = FIELDWATCH_TRY(query_parameters());
    for (auto& let : FIELDWATCH_TRY(lets()))
        result.lets.push_back(std::move(let));
    if (is_word("set") || is_word("declare") || is_word("alias"))
        return unsupported(peek().span, fmt::format("the statement '{}' is not supported", peek().text));
    if (peek().kind == TokenKind::End) return syntax_error(peek().span, "the query is empty");
    result.query = FIELDWATCH_TRY(pipeline());
    while (take(";")) {
    }
    if (is("=")) return syntax_error(peek().span, "'=' names a column; '==' compares");
    if (peek().kind != TokenKind::End)
        return syntax_error(peek().span, fmt::format("expected '|', ';' or the end of the query, found {}{}",
                                                     found(), missing()));
    return result;
}

namespace {

/// The operator between two operands that a word in capitals stands for, or "".
std::string_view lower_case_operator(std::string_view word) {
    constexpr std::string_view kOperators[] = {"and",     "or",      "in",      "has",        "contains",
                                               "between", "has_any", "has_all", "startswith", "endswith"};
    const auto same = [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); };
    const auto at = std::ranges::find_if(
        kOperators, [&](std::string_view known) { return std::ranges::equal(known, word, same); });
    return at == std::end(kOperators) || *at == word ? "" : *at;
}

}  // namespace

/// What the word that stands where none is expected may have been meant for.
std::string Parser::missing() const {
    const auto is_operator = [](const Token& token) {
        return token.kind == TokenKind::Name &&
               std::ranges::find(operator_names(), token.text) != operator_names().end();
    };
    if (at_ == 1 && (tokens_[0].text == "select" || tokens_[0].text == "SELECT" || is_operator(tokens_[0])))
        return "; a query begins with a table, as in Table | project Column";
    const auto before = at_ > 0 ? tokens_[at_ - 1] : Token{};
    if (before.text == ";") return "; there is one query at a time, and let gives names to what it uses";
    if (peek().kind == TokenKind::Symbol) {
        if (is("?")) return "; iff(condition, a, b) chooses";
        if ((is("/") && is("*", 1)) || (is("-") && is("-", 1))) return "; a comment begins with //";
        if (is("(") && before.text == "count") return "; the operator count has no parentheses";
        return "";
    }
    if (peek().kind != TokenKind::Name) return "";
    if (peek().text == "as") return "; a result's name stands before it, as in n = count()";
    if (is_operator(peek())) return "; an operator stands behind '|'";
    if (before.kind == TokenKind::Name && before.text == "not") return "; not is a function, not(…)";
    if (before.kind == TokenKind::Name && is_operator(before))
        return fmt::format("; '{}' is an operator, which stands behind '|'", before.text);
    if (peek().text == "not") return "; negative operators are !in, !has, !contains and so on";
    if (peek().text == "is" || peek().text == "IS")
        return "; isnull(…), isnotnull(…) and isempty(…) ask whether a value is there";
    if (const auto word = lower_case_operator(peek().text); !word.empty())
        return fmt::format("; the operator is written in lower case, '{}'", word);
    return peek().text == "by" ? "" : "; a comma, an operator or 'by' is missing before it";
}

/// `set name = value;` tells an engine how to work; only bin_auto() reads what some of them say.
Parsed<std::vector<Setting>> Parser::settings() {
    std::vector<Setting> result;
    while (is_word("set") && peek(1).kind == TokenKind::Name) {
        if (result.size() >= 100) return limit_error(peek().span, "more than 100 settings");
        auto& setting = result.emplace_back();
        setting.name = peek(1).text;
        at_ += 2;
        if (take("=")) setting.value = FIELDWATCH_TRY(unary());
        FIELDWATCH_TRY(expect(";", "after the setting"));
    }
    return result;
}

/// `declare query_parameters(name: type = value, …);`: nobody gives values here, so each is its default.
Parsed<std::vector<Let>> Parser::query_parameters() {
    ++at_;
    FIELDWATCH_TRY(expect_word("query_parameters", "after declare"));
    FIELDWATCH_TRY(expect("(", "before the parameters"));
    std::vector<Let> result;
    do {
        Let parameter;
        const auto start = peek().span;
        parameter.name = FIELDWATCH_TRY(name("a parameter's name"));
        FIELDWATCH_TRY(expect(":", "after the parameter's name"));
        FIELDWATCH_TRY(type_name());
        FIELDWATCH_TRY(expect("=", "before the parameter's value, which has to be there"));
        parameter.scalar = FIELDWATCH_TRY(unary());
        parameter.span = since(start);
        result.push_back(std::move(parameter));
        if (result.size() > 100) return limit_error(peek().span, "more than 100 parameters");
    } while (take(","));
    FIELDWATCH_TRY(expect(")", "after the parameters"));
    FIELDWATCH_TRY(expect(";", "after the parameters"));
    return result;
}

Parsed<std::vector<Let>> Parser::lets() {
    std::vector<Let> result;
    while (true) {
        while (take(";")) {
        }
        if (!is_word("let") || peek(1).kind == TokenKind::Symbol) return result;
        if (result.size() >= 500) return limit_error(peek().span, "more than 500 let statements");
        result.push_back(FIELDWATCH_TRY(let()));
        if (peek().kind == TokenKind::End)
            return syntax_error(peek().span, "after the let statements a query is expected");
        if (is("{"))
            return syntax_error(peek().span, "a function's parameters have types, as in (a: long) { … }");
        FIELDWATCH_TRY(expect(";", "after the let statement"));
    }
}

Parsed<Let> Parser::let() {
    const auto start = tokens_[at_++].span;
    Let result;
    result.name = FIELDWATCH_TRY(name("a name after let"));
    FIELDWATCH_TRY(expect("=", "after the let name"));
    if (at_let_function()) {
        FIELDWATCH_TRY(let_function(result));
    } else if (is_word("materialize") && is("(", 1)) {  // one snapshot serves the whole query: nothing to do
        at_ += 2;
        result.tabular = std::make_unique<Pipeline>(FIELDWATCH_TRY(input()));
        FIELDWATCH_TRY(expect(")", "after materialize"));
    } else {
        FIELDWATCH_TRY(let_value(result));
    }
    result.span = since(start);
    return result;
}

Parsed<> Parser::let_value(Let& let) {
    auto inside = FIELDWATCH_TRY(input());
    if (!inside.head && inside.operators.empty()) {
        let.scalar = std::move(inside.source);
    } else {
        let.tabular = std::make_unique<Pipeline>(std::move(inside));
    }
    return {};
}

/// `(…) {`, or parameters, which no expression looks like; perhaps after `view`.
bool Parser::at_let_function() const {
    const std::size_t at = is_word("view") ? 1 : 0;
    return is("(", at) && ((is(")", at + 1) && is("{", at + 2)) ||
                           (peek(at + 1).kind == TokenKind::Name && is(":", at + 2)));
}

Parsed<> Parser::let_function(Let& let) {
    const Depth guard(depth_);
    FIELDWATCH_TRY(check_depth());
    let.function = true;
    take_word("view");
    FIELDWATCH_TRY(expect("(", "before the parameters"));
    while (!take(")")) {
        if (let.parameters.size() >= 100) return limit_error(peek().span, "more than 100 parameters");
        LetParameter parameter;
        parameter.span = peek().span;
        parameter.name = FIELDWATCH_TRY(name("a parameter's name"));
        FIELDWATCH_TRY(expect(":", "after the parameter's name"));
        if (take("(")) {  // which columns a table has to have shows when the body is bound to one
            while (!is(")") && peek().kind != TokenKind::End)
                ++at_;
            FIELDWATCH_TRY(expect(")", "after the table's columns"));
        } else {
            parameter.type = FIELDWATCH_TRY(type_name());
            if (take("=")) parameter.fallback = FIELDWATCH_TRY(unary());
        }
        let.parameters.push_back(std::move(parameter));
        if (!take(",") && !is(")")) return expect(")", "after the parameters");
    }
    FIELDWATCH_TRY(expect("{", "before the function's body"));
    let.lets = FIELDWATCH_TRY(lets());
    FIELDWATCH_TRY(let_value(let));
    while (take(";")) {
    }
    return expect("}", "after the function's body");
}

bool Parser::at_tabular_head() const {
    if (peek().kind != TokenKind::Name) return false;
    const auto& word = peek().text;
    if (word == "print")
        return !(peek(1).kind == TokenKind::Symbol && (is("|", 1) || is(",", 1) || is(")", 1)));
    if (word == "range") return peek(1).kind == TokenKind::Name && is_word("from", 2);
    if (word == "datatable") return is("(", 1);
    if (word == "union") return peek(1).kind == TokenKind::Name || is("(", 1) || is("*", 1);
    if (word == "search")
        return peek(1).kind == TokenKind::Text || peek(1).kind == TokenKind::Name || is("*", 1) || is("(", 1);
    return word == "externaldata" || word == "find";
}

/// A tabular expression, or a scalar one when nothing makes it tabular: then only `source` is set.
Parsed<Pipeline> Parser::input() {
    if (at_tabular_head()) return pipeline();
    Pipeline result;
    const auto start = peek().span;
    result.source = FIELDWATCH_TRY(expression());
    FIELDWATCH_TRY(stages(result));
    result.span = since(start);
    return result;
}

Parsed<Pipeline> Parser::pipeline() {
    const Depth guard(depth_);
    FIELDWATCH_TRY(check_depth());
    Pipeline result;
    const auto start = peek().span;
    if (at_tabular_head()) {
        result.head = std::make_unique<Operator>(FIELDWATCH_TRY(head()));
    } else {
        result.source = FIELDWATCH_TRY(postfix());
    }
    FIELDWATCH_TRY(stages(result));
    result.span = since(start);
    return result;
}

Parsed<> Parser::stages(Pipeline& pipeline) {
    while (take("|")) {
        if (pipeline.operators.size() >= limits_.plan_nodes_max)
            return limit_error(peek().span, "too many operators");
        pipeline.operators.push_back(FIELDWATCH_TRY(stage()));
    }
    return {};
}

Parsed<Operator> Parser::head() {
    Operator op;
    const auto start = peek().span;
    op.name = tokens_[at_++].text;
    if (op.name == "print") {
        FIELDWATCH_TRY(items(op.items, false));
    } else if (op.name == "range") {
        op.items.emplace_back().names.push_back(FIELDWATCH_TRY(name("a column name")));
        FIELDWATCH_TRY(expect_word("from", "after range's column"));
        op.from = FIELDWATCH_TRY(expression());
        FIELDWATCH_TRY(expect_word("to", "after range's start"));
        op.to = FIELDWATCH_TRY(expression());
        FIELDWATCH_TRY(expect_word("step", "after range's end"));
        op.step = FIELDWATCH_TRY(expression());
    } else if (op.name == "datatable") {
        FIELDWATCH_TRY(datatable(op));
    } else if (op.name == "union") {
        FIELDWATCH_TRY(union_inputs(op));
    } else if (op.name == "search") {
        FIELDWATCH_TRY(body(op));
    } else if (op.name == "find") {
        FIELDWATCH_TRY(find(op));
    } else {
        return unsupported(start, fmt::format("the operator '{}' is not supported", op.name));
    }
    op.span = since(start);
    return op;
}

Parsed<> Parser::datatable(Operator& op) {
    FIELDWATCH_TRY(expect("(", "after datatable"));
    do {
        Item item;
        item.span = peek().span;
        item.names.push_back(FIELDWATCH_TRY(name("a column name")));
        FIELDWATCH_TRY(expect(":", "after the column's name"));
        item.type = FIELDWATCH_TRY(type_name());
        op.by.push_back(std::move(item));
        if (op.by.size() > 1000) return limit_error(peek().span, "more than 1000 columns");
    } while (take(","));
    FIELDWATCH_TRY(expect(")", "after the columns"));
    FIELDWATCH_TRY(expect("[", "before datatable's values"));
    while (!take("]")) {
        if (op.items.size() >= 100'000)
            return limit_error(peek().span, "more than 100000 values in one datatable");
        Item item;
        item.span = peek().span;
        item.value = FIELDWATCH_TRY(expression());
        op.items.push_back(std::move(item));
        if (!take(",") && !is("]")) return expect("]", "after datatable's values");
    }
    if (op.items.size() % op.by.size() != 0)
        return syntax_error(tokens_[at_ - 1].span,
                            fmt::format("datatable has {} values, which is no multiple of its {} columns",
                                        op.items.size(), op.by.size()));
    return {};
}

}  // namespace fieldwatch::kql
