// Functions over the rows in their order: row_number, prev, next, row_cumsum and ranks, and where they start
// anew.
#include <fmt/format.h>

#include "kql/binder.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

/// Adds the calls below `node` whose last argument says where they start anew.
void restarting(const Node& node, std::vector<const Node*>& found) {
    if (node.kind == NodeKind::Call && node.args.size() == 2 &&
        (node.text == "row_cumsum" || node.text == "row_number" || node.text.starts_with("row_rank_")))
        found.push_back(&node);
    for (const auto& arg : node.args)
        restarting(*arg, found);
}

}  // namespace

/// The rows between two starts get one number, which is a column of `relation` then: window calls are told
/// apart by it. Two steps, because the condition may look at other rows itself.
Parsed<> Binder::number_restarts(Relation& relation, const std::vector<const Node*>& expressions) {
    std::vector<const Node*> calls;
    for (const auto* node : expressions)
        restarting(*node, calls);
    if (calls.empty()) return {};
    for (const auto* node : calls) {
        const auto& condition = *node->args[1];
        auto value = FIELDWATCH_TRY(expression(condition, {.relation = &relation, .windows = true}));
        if (value->type != Bool)
            return semantic_error(condition.span,
                                  fmt::format("{} starts anew where a condition holds", node->text));
        relation.fields.push_back({"$start", std::move(value), true});
    }
    seal(relation);
    const auto first = relation.fields.size() - calls.size();
    for (std::size_t i = 0; i < calls.size(); ++i) {
        auto number = std::make_shared<Expr>(*call(Long,
                                                   "CAST(sum(CASE WHEN {0} THEN 1 ELSE 0 END) OVER "
                                                   "({partition}{order} ROWS UNBOUNDED PRECEDING) AS BIGINT)",
                                                   {relation.fields[first + i].value}));
        number->window = true;
        number->order = relation.order;
        number->partition = relation.partition.keys;
        relation.fields[first + i].value = std::move(number);
    }
    seal(relation);
    for (std::size_t i = 0; i < calls.size(); ++i)
        restarts_[calls[i]] = relation.fields[first + i].value;
    relation.fields.resize(first);
    return {};
}

Parsed<ExprPtr> Binder::window(const Node& node, const Scope& scope, std::vector<ExprPtr> args) {
    const auto& n = node.text;
    if (!scope.windows)
        return unsupported(node.span, fmt::format("{} is supported in extend, project and where only", n));
    const auto restart = restarts_.find(&node);
    if (restart != restarts_.end()) args.pop_back();
    const auto finish = [&](ColumnType type, std::string sql) -> ExprPtr {
        auto expr = std::make_shared<Expr>(*call(type, std::move(sql), args));
        expr->window = true;
        expr->order = scope.relation->order;
        expr->partition = scope.relation->partition.keys;
        if (restart != restarts_.end()) expr->partition.push_back(restart->second);
        return expr;
    };
    if (n == "row_number") {
        if (args.size() > 1) return semantic_error(node.span, "row_number takes at most a start");
        if (args.empty()) return finish(Long, "CAST(row_number() OVER ({partition}{order}) AS BIGINT)");
        if (!is_integral(args[0]->type))
            return semantic_error(node.span, "row_number's start is a whole number");
        return finish(Long, "CAST(row_number() OVER ({partition}{order}) - 1 + {0} AS BIGINT)");
    }
    if (args.empty() || args.size() > (n == "row_cumsum" ? 1 : 3))
        return semantic_error(node.span, fmt::format("{} has the wrong number of arguments", n));
    if (n.starts_with("row_rank_")) {
        if (args.size() != 1) return semantic_error(node.span, fmt::format("{} takes one column", n));
        if (scope.relation->order.empty())
            return semantic_error(node.span, fmt::format("{} needs rows in order: sort them first", n));
        return finish(Long, fmt::format("CAST({}() OVER ({{partition}}{{order}}) AS BIGINT)",
                                        n == "row_rank_dense" ? "dense_rank" : "rank"));
    }
    if (n == "row_cumsum") {
        if (!is_number(args[0]->type)) return semantic_error(node.span, "row_cumsum needs a number");
        const auto type = args[0]->type == Real ? Real : Long;
        return finish(
            type,
            fmt::format("TRY_CAST(sum({{0}}) OVER ({{partition}}{{order}} ROWS UNBOUNDED PRECEDING) AS {})",
                        sql_type(type)));
    }
    if (args.size() > 1 && !integer_value(args[1]))
        return unsupported(node.args[1]->span, "the offset must be a constant");
    const auto offset = args.size() > 1 ? *integer_value(args[1]) : 1;
    if (offset < 0 || offset > 1'000'000)
        return semantic_error(node.args[1]->span, "the offset is 0 to 1000000");
    auto fallback = args.size() > 2 ? widen(args[2], args[0]->type) : null_of(args[0]->type);
    if (!fallback) return semantic_error(node.args[2]->span, "the default has another type than the column");
    args = {args[0], fallback};
    return finish(args[0]->type, fmt::format("{}({{0}}, {}, {{1}}) OVER ({{partition}}{{order}})",
                                             n == "prev" ? "lag" : "lead", offset));
}

}  // namespace fieldwatch::kql
