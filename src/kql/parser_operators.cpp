#include <algorithm>

#include <fmt/format.h>

#include "kql/parser.hpp"

namespace fieldwatch::kql {
namespace {

/// Operators of the language that we know of and refuse by name.
constexpr std::string_view kRefused[] = {"externaldata",     "range-join",   "materialize",
                                         "assert-schema",    "macro-expand", "extend-columns",
                                         "execute-and-cache"};

}  // namespace

const std::vector<std::string_view>& operator_names() {
    static const std::vector<std::string_view> names{
        "where",        "filter",       "project",        "extend",
        "summarize",    "distinct",     "take",           "limit",
        "top",          "sort",         "order",          "count",
        "join",         "union",        "mv-expand",      "make-series",
        "project-away", "project-keep", "project-rename", "project-reorder",
        "parse",        "search",       "render",         "serialize",
        "lookup",       "parse-where",  "sample",         "sample-distinct",
        "getschema",    "invoke",       "mv-apply",       "partition",
        "top-nested",   "evaluate",     "parse-kv",       "as",
        "top-hitters",  "consume",      "facet",          "fork",
        "scan",         "reduce",       "make-graph",     "graph-match"};
    return names;
}

namespace {

/// What other languages call an operator.
std::string_view called_here(std::string_view name) {
    constexpr std::pair<std::string_view, std::string_view> kNames[] = {
        {"select", "project"}, {"group", "summarize"},       {"groupby", "summarize"},
        {"having", "where"},   {"orderby", "order by"},      {"sortby", "sort by"},
        {"head", "take"},      {"stats", "summarize"},       {"eval", "extend"},
        {"dedup", "distinct"}, {"rename", "project-rename"}, {"expand", "mv-expand"}};
    for (const auto& [theirs, ours] : kNames) {
        if (theirs == name) return ours;
    }
    return "";
}

}  // namespace

std::vector<std::string_view> refused_operator_names() {
    return {std::begin(kRefused), std::end(kRefused)};
}

/// Operator names may have hyphens, which the lexer took for minus.
Parsed<std::string> Parser::operator_name() {
    if (is("|") && at_ > 0 && peek().span.offset == tokens_[at_ - 1].span.offset + 1)
        return syntax_error(tokens_[at_ - 1].span + peek().span, "'||' is written 'or' here");
    auto word = FIELDWATCH_TRY(name("an operator after '|'"));
    while (is("-") && peek().span.offset == tokens_[at_ - 1].span.offset + tokens_[at_ - 1].span.length &&
           peek(1).kind == TokenKind::Name && peek(1).span.offset == peek().span.offset + 1) {
        word += "-" + peek(1).text;
        at_ += 2;
    }
    return word;
}

Parsed<Operator> Parser::stage() {
    Operator op;
    const auto start = peek().span;
    op.name = FIELDWATCH_TRY(operator_name());
    op.span = since(start);
    if (op.name == "mvexpand") op.name = "mv-expand";
    if (op.name == "filter") op.name = "where";
    if (op.name == "order") op.name = "sort";
    if (op.name == "limit") op.name = "take";
    if (std::ranges::find(kRefused, op.name) != std::end(kRefused))
        return unsupported(op.span, fmt::format("the operator '{}' is not supported", op.name));
    const auto& known = operator_names();
    if (std::ranges::find(known, op.name) == known.end() && !called_here(op.name).empty())
        return syntax_error(op.span, fmt::format("unknown operator '{}'; here it is called '{}'", op.name,
                                                 called_here(op.name)));
    if (std::ranges::find(known, op.name) == known.end())
        return syntax_error(op.span, fmt::format("unknown operator '{}'{}", op.name,
                                                 did_you_mean(op.name, {known.begin(), known.end()})));
    FIELDWATCH_TRY(body(op));
    op.span = since(start);
    return op;
}

Parsed<> Parser::body(Operator& op) {
    const auto& n = op.name;
    if (n == "where") {
        op.on = FIELDWATCH_TRY(expression());
    } else if (n == "project" || n == "extend" || n == "distinct" || n == "project-rename") {
        FIELDWATCH_TRY(items(op.items, false));
    } else if (n == "project-away" || n == "project-keep" || n == "project-reorder") {
        do {  // names, in which * stands for any characters
            Item item;
            item.span = peek().span;
            std::string pattern;
            while (is_name() || is("*") || (!pattern.empty() && peek().kind == TokenKind::Number)) {
                if (!pattern.empty() && (is_word("asc") || is_word("desc"))) break;
                pattern += tokens_[at_++].text;
                if (peek().span.offset != tokens_[at_ - 1].span.offset + tokens_[at_ - 1].span.length) break;
            }
            if (pattern.empty())
                return syntax_error(peek().span, fmt::format("expected a column, found {}", found()));
            if (is_word("granny") && is("-", 1)) {  // numbers in names by their value
                item.nulls = "granny";
                at_ += 2;
            }
            if (is_word("asc") || is_word("desc")) item.order = tokens_[at_++].text;
            item.span = since(item.span);
            item.names.push_back(std::move(pattern));
            op.items.push_back(std::move(item));
        } while (take(","));
    } else if (n == "summarize") {
        return summarize(op);
    } else if (n == "take" || n == "sample") {
        op.count = FIELDWATCH_TRY(expression());
    } else if (n == "sample-distinct") {
        op.count = FIELDWATCH_TRY(expression());
        FIELDWATCH_TRY(expect_word("of", "after sample-distinct's count"));
        op.on = FIELDWATCH_TRY(expression());
    } else if (n == "invoke") {
        op.on = FIELDWATCH_TRY(postfix());
    } else if (n == "top") {
        return top(op);
    } else if (n == "sort") {
        FIELDWATCH_TRY(expect_word("by", "after sort or order"));
        return items(op.items, true);
    } else if (n == "join" || n == "lookup") {
        return join(op);
    } else if (n == "union") {
        return union_inputs(op);
    } else if (n == "mv-expand") {
        return mv_expand(op);
    } else if (n == "mv-apply") {
        return mv_apply(op);
    } else if (n == "partition") {
        return partition(op);
    } else if (n == "top-nested") {
        return top_nested(op);
    } else if (n == "evaluate") {
        return evaluate(op);
    } else if (n == "reduce") {
        return reduce(op);
    } else if (n == "make-graph") {
        return make_graph(op);
    } else if (n == "graph-match") {
        return syntax_error(op.span, "graph-match stands behind make-graph");
    } else if (n == "parse-kv") {
        return parse_pairs(op);
    } else if (n == "as") {  // a name for other tools to see; nothing here reads it
        FIELDWATCH_TRY(parameters_are_hints(op));
        op.items.emplace_back().names.push_back(FIELDWATCH_TRY(name("a name after as")));
    } else if (n == "make-series") {
        return make_series(op);
    } else if (n == "parse" || n == "parse-where") {
        return parse_pieces(op);
    } else if (n == "render") {
        return render(op);
    } else if (n == "search") {
        return search(op);
    } else if (n == "top-hitters") {
        return top_hitters(op);
    } else if (n == "facet") {
        return facet(op);
    } else if (n == "fork") {
        return fork(op);
    } else if (n == "scan") {
        return scan(op);
    } else if (n == "serialize") {
        if (is_name()) FIELDWATCH_TRY(items(op.items, false));
    }
    return {};
}

Parsed<Item> Parser::item() {
    Item item;
    item.span = peek().span;
    if (is_name() && is("=", 1)) {
        item.names.push_back(peek().text);
        at_ += 2;
    } else if (is("(")) {  // (A, B) = expression
        std::size_t ahead = 1;
        while (peek(ahead).kind == TokenKind::Name && is(",", ahead + 1))
            ahead += 2;
        if (peek(ahead).kind == TokenKind::Name && is(")", ahead + 1) && is("=", ahead + 2)) {
            for (std::size_t i = 1; i <= ahead; i += 2)
                item.names.push_back(peek(i).text);
            at_ += ahead + 3;
            item.tuple = true;
        }
    }
    item.value = FIELDWATCH_TRY(expression());
    item.span = since(item.span);
    return item;
}

Parsed<> Parser::order(Item& item) {
    if (is_word("asc") || is_word("desc")) item.order = tokens_[at_++].text;
    if (take_word("nulls")) {
        if (!is_word("first") && !is_word("last"))
            return syntax_error(peek().span,
                                fmt::format("expected 'first' or 'last' after nulls, found {}", found()));
        item.nulls = tokens_[at_++].text;
    }
    return {};
}

Parsed<> Parser::items(std::vector<Item>& items, bool ordered) {
    do {
        if (items.size() >= 1000)
            return limit_error(peek().span, "more than 1000 expressions in one operator");
        items.push_back(FIELDWATCH_TRY(item()));
        if (ordered) FIELDWATCH_TRY(order(items.back()));
    } while (take(","));
    return {};
}

Parsed<> Parser::parameters(Operator& op) {
    while (FIELDWATCH_TRY(parameter(op))) {
    }
    return {};
}

/// One `key=value`; false where none stands.
Parsed<bool> Parser::parameter(Operator& op) {
    if (peek().kind != TokenKind::Name) return false;
    std::string key = peek().text;
    std::size_t ahead = 1;
    while (is(".", ahead) && peek(ahead + 1).kind == TokenKind::Name)
        key += "." + peek(ahead + 1).text, ahead += 2;
    if (!is("=", ahead)) return false;
    const auto& value = peek(ahead + 1);
    if (value.kind != TokenKind::Name && value.kind != TokenKind::Text && value.kind != TokenKind::Number)
        return syntax_error(value.span, fmt::format("expected a value for '{}'", key));
    op.parameters.emplace_back(key, value.text);
    op.places.emplace_back(key, value.span);
    at_ += ahead + 2;
    return true;
}

Parsed<> Parser::summarize(Operator& op) {
    FIELDWATCH_TRY(parameters_are_hints(op));
    if (!is_word("by")) FIELDWATCH_TRY(items(op.items, false));
    if (take_word("by")) {
        op.has_by = true;
        FIELDWATCH_TRY(items(op.by, false));
    }
    return {};
}

/// `hint.…=` tell an engine how to work, not what to answer.
Parsed<> Parser::parameters_are_hints(Operator& op) {
    while (is_word("hint") && is(".", 1)) {
        if (!FIELDWATCH_TRY(parameter(op))) return {};
    }
    return {};
}

Parsed<> Parser::top(Operator& op) {
    if (is_word("by")) return syntax_error(peek().span, "top needs a number before 'by', as in top 10 by …");
    op.count = FIELDWATCH_TRY(expression());
    FIELDWATCH_TRY(expect_word("by", "after top's count"));
    return items(op.items, true);
}

/// `count of expression [by weight]`
Parsed<> Parser::top_hitters(Operator& op) {
    op.count = FIELDWATCH_TRY(expression());
    FIELDWATCH_TRY(expect_word("of", "after top-hitters' count"));
    op.items.push_back(FIELDWATCH_TRY(item()));
    if (take_word("by")) op.on = FIELDWATCH_TRY(expression());
    return {};
}

Parsed<> Parser::search(Operator& op) {
    if (is_word("in") || is_word("kind")) {
        FIELDWATCH_TRY(parameters(op));
        if (take_word("in")) {
            FIELDWATCH_TRY(expect("(", "after in"));
            do {
                op.inputs.push_back(FIELDWATCH_TRY(input()));
            } while (take(","));
            FIELDWATCH_TRY(expect(")", "after the tables"));
        }
    }
    op.on = FIELDWATCH_TRY(search_predicate());
    return {};
}

Parsed<NodePtr> Parser::search_predicate() {
    searching_ = true;
    auto predicate = expression();
    searching_ = false;
    return predicate;
}

Parsed<> Parser::join(Operator& op) {
    FIELDWATCH_TRY(parameters(op));
    auto right = FIELDWATCH_TRY(postfix());
    Pipeline table;
    table.span = right->span;
    table.source = std::move(right);
    op.inputs.push_back(std::move(table));
    FIELDWATCH_TRY(expect_word("on", "after the joined table"));
    return join_keys(op);
}

Parsed<> Parser::join_keys(Operator& op) {
    do {
        Item item;
        item.span = peek().span;
        item.value = FIELDWATCH_TRY(expression());
        op.items.push_back(std::move(item));
    } while (take(","));
    return {};
}

/// `Security*`: a name in which * stands for any characters.
Parsed<NodePtr> Parser::table_pattern() {
    auto node = std::make_unique<Node>();
    node->kind = NodeKind::Star;
    const auto start = peek().span;
    do {
        node->text += tokens_[at_++].text;
    } while ((peek().kind == TokenKind::Name || is("*")) &&
             peek().span.offset == tokens_[at_ - 1].span.offset + tokens_[at_ - 1].span.length);
    node->span = since(start);
    return node;
}

Parsed<> Parser::union_inputs(Operator& op) {
    FIELDWATCH_TRY(parameters(op));
    return table_list(op);
}

Parsed<> Parser::table_list(Operator& op) {
    do {
        Pipeline table;
        const auto start = peek().span;
        if (is("*") || (peek().kind == TokenKind::Name && is("*", 1))) {
            table.source = FIELDWATCH_TRY(table_pattern());
        } else {
            table.source = FIELDWATCH_TRY(postfix());
        }
        table.span = since(start);
        op.inputs.push_back(std::move(table));
        if (op.inputs.size() > 100)
            return limit_error(peek().span, fmt::format("more than 100 tables in one {}", op.name));
    } while (take(","));
    return {};
}

Parsed<> Parser::make_series(Operator& op) {
    while ((is_word("hint") && is(".", 1)) || (is_word("kind") && is("=", 1) && peek(2).text == "nonempty")) {
        if (!FIELDWATCH_TRY(parameter(op))) break;
    }
    do {
        auto next = FIELDWATCH_TRY(item());
        if (take_word("default")) {
            FIELDWATCH_TRY(expect("=", "after default"));
            next.fallback = FIELDWATCH_TRY(unary());
        }
        op.items.push_back(std::move(next));
    } while (take(","));
    FIELDWATCH_TRY(expect_word("on", "after make-series' aggregates"));
    op.on = FIELDWATCH_TRY(additive());
    if (take_word("in")) {  // the older form; its end belongs to the series
        FIELDWATCH_TRY(expect_word("range", "after in"));
        FIELDWATCH_TRY(expect("(", "after range"));
        op.from = FIELDWATCH_TRY(additive());
        FIELDWATCH_TRY(expect(",", "after the series' start"));
        op.to = FIELDWATCH_TRY(additive());
        FIELDWATCH_TRY(expect(",", "after the series' end"));
        op.step = FIELDWATCH_TRY(additive());
        FIELDWATCH_TRY(expect(")", "after the series' step"));
        op.end_included = true;
    } else {
        if (take_word("from")) op.from = FIELDWATCH_TRY(additive());
        if (take_word("to")) op.to = FIELDWATCH_TRY(additive());
        FIELDWATCH_TRY(expect_word("step", "in make-series"));
        op.step = FIELDWATCH_TRY(additive());
    }
    if (take_word("by")) {
        op.has_by = true;
        FIELDWATCH_TRY(items(op.by, false));
    }
    return {};
}

Parsed<> Parser::parse_pieces(Operator& op) {
    FIELDWATCH_TRY(parameters(op));
    op.on = FIELDWATCH_TRY(postfix());
    FIELDWATCH_TRY(expect_word("with", "after parse's text"));
    while (!is("|") && !is(")") && !is(";") && !is(",") && peek().kind != TokenKind::End) {
        Item piece;
        piece.span = peek().span;
        if (take("*")) {
            piece.order = "*";
        } else if (peek().kind == TokenKind::Text) {
            piece.value = FIELDWATCH_TRY(primary());
        } else {
            piece.names.push_back(FIELDWATCH_TRY(name("a column, a string or * in the pattern")));
            piece.type = "string";
            if (take(":")) piece.type = FIELDWATCH_TRY(type_name());
        }
        op.items.push_back(std::move(piece));
        if (op.items.size() > 200) return limit_error(peek().span, "more than 200 pieces in one pattern");
    }
    if (op.items.empty()) return syntax_error(peek().span, "parse needs a pattern after with");
    return {};
}

Parsed<> Parser::render(Operator& op) {
    static const std::vector<std::string> kVisualizations{
        "table",     "timechart",    "linechart", "columnchart",  "barchart",    "piechart",
        "areachart", "scatterchart", "card",      "anomalychart", "ladderchart", "stackedareachart",
        "treemap",   "pivotchart",   "timepivot", "plotly",       "graph"};
    const auto place = peek().span;
    auto visualization = FIELDWATCH_TRY(name("a visualization"));
    if (std::ranges::find(kVisualizations, visualization) == kVisualizations.end())
        return syntax_error(place, fmt::format("unknown visualization '{}'{}", visualization,
                                               did_you_mean(visualization, kVisualizations)));
    op.parameters.emplace_back("visualization", std::move(visualization));
    if (!take_word("with")) return parameters(op);
    FIELDWATCH_TRY(expect("(", "after with"));
    while (!take(")")) {
        const auto before = at_;
        FIELDWATCH_TRY(parameters(op));
        take(",");
        if (at_ == before) return expect(")", "after render's properties");
    }
    return {};
}

}  // namespace fieldwatch::kql
