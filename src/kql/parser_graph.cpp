// make-graph and the graph-match behind it, which are one operator here: a graph has no rows of its own.
#include <charconv>

#include <fmt/format.h>

#include "kql/parser.hpp"

namespace fieldwatch::kql {
namespace {

constexpr std::size_t kStepsMax = 10;

}  // namespace

/// `Source --> Target [with_node_id=Name] [with Nodes on Id] | graph-match …`
Parsed<> Parser::make_graph(Operator& op) {
    const auto column = [&](std::string_view what) -> Parsed<> {
        Item item;
        item.span = peek().span;
        item.names.push_back(FIELDWATCH_TRY(name(what)));
        op.by.push_back(std::move(item));
        return {};
    };
    FIELDWATCH_TRY(parameters_are_hints(op));
    FIELDWATCH_TRY(column("the column of an edge's source"));
    for (const std::string_view symbol : {"-", "-", ">"})
        FIELDWATCH_TRY(expect(symbol, "in the arrow --> between source and target"));
    FIELDWATCH_TRY(column("the column of an edge's target"));
    FIELDWATCH_TRY(parameters(op));
    if (take_word("with")) {
        op.inputs.push_back(FIELDWATCH_TRY(input()));
        FIELDWATCH_TRY(expect_word("on", "after the table of nodes"));
        FIELDWATCH_TRY(column("the nodes' column"));
        if (is(","))
            return unsupported(peek().span,
                               "make-graph takes one table of nodes; union puts several together");
    }
    const auto start = peek().span;
    if (!take("|") || FIELDWATCH_TRY(operator_name()) != "graph-match")
        return syntax_error(start, "behind make-graph stands graph-match");
    return graph_match(op);
}

/// `[cycles=…] (a)-[e]->(b)… [where condition] project …`
Parsed<> Parser::graph_match(Operator& op) {
    FIELDWATCH_TRY(parameters(op));
    Step first;
    first.span = peek().span;
    first.node = FIELDWATCH_TRY(graph_node());
    op.steps.push_back(std::move(first));
    while (is("-") || is("<")) {
        op.steps.push_back(FIELDWATCH_TRY(graph_edge()));
        if (op.steps.size() > kStepsMax + 1)
            return limit_error(peek().span, fmt::format("more than {} edges in one pattern", kStepsMax));
    }
    if (is(",")) return unsupported(peek().span, "graph-match takes one sequence of nodes and edges");
    if (op.steps.size() < 2) return syntax_error(peek().span, "a pattern has an edge, as in (a)-[e]->(b)");
    if (take_word("where")) op.on = FIELDWATCH_TRY(expression());
    FIELDWATCH_TRY(expect_word("project", "after graph-match's pattern"));
    return items(op.items, false);
}

Parsed<std::string> Parser::graph_node() {
    FIELDWATCH_TRY(expect("(", "before a node"));
    std::string result;
    if (!is(")")) result = FIELDWATCH_TRY(name("a node's name"));
    FIELDWATCH_TRY(expect(")", "after a node"));
    return result;
}

/// `-[e*1..5]->(node)`, `<-[e]-(node)`, `-[e]-(node)`; without brackets `-->`, `<--` and `--`.
Parsed<Step> Parser::graph_edge() {
    Step step;
    const auto start = peek().span;
    const bool left = take("<");
    FIELDWATCH_TRY(expect("-", "in an edge"));
    if (take("[")) {
        if (is_name()) step.edge = FIELDWATCH_TRY(name("an edge's name"));
        if (take("*")) FIELDWATCH_TRY(graph_range(step));
        FIELDWATCH_TRY(expect("]", "after an edge"));
    }
    FIELDWATCH_TRY(expect("-", "in an edge"));
    const bool right = take(">");
    if (left && right) return syntax_error(since(start), "an edge has one direction, or none");
    step.direction = left ? Step::Direction::Left : right ? Step::Direction::Right : Step::Direction::Any;
    step.span = since(start);
    step.node = FIELDWATCH_TRY(graph_node());
    return step;
}

/// `1..5`
Parsed<> Parser::graph_range(Step& step) {
    const auto number = [&]() -> Parsed<std::size_t> {
        const auto& token = peek();
        std::size_t value = 0;
        const auto end = std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
        if (token.kind != TokenKind::Number || end.ec != std::errc{} ||
            end.ptr != token.text.data() + token.text.size() || value < 1 || value > kStepsMax)
            return syntax_error(
                token.span,
                fmt::format("how often an edge repeats is two numbers of 1 to {}, as in *1..5", kStepsMax));
        ++at_;
        return value;
    };
    step.repeats = true;
    const auto start = peek().span;
    step.low = FIELDWATCH_TRY(number());
    FIELDWATCH_TRY(expect("..", "between the least and the most"));
    step.high = FIELDWATCH_TRY(number());
    if (step.high < step.low) return syntax_error(since(start), "the most is no less than the least");
    return {};
}

}  // namespace fieldwatch::kql
