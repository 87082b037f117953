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

/// Adds the calls of `name` below `node`.
void calls_of(std::string_view name, const Node& node, std::vector<const Node*>& found) {
    if (node.kind == NodeKind::Call && node.text == name) found.push_back(&node);
    for (const auto& arg : node.args)
        calls_of(name, *arg, found);
}

ExprPtr over_rows(const Relation& relation, std::string sql, std::vector<ExprPtr> args) {
    auto expr = std::make_shared<Expr>(*call(Long, std::move(sql), std::move(args)));
    expr->window = true;
    expr->order = relation.order;
    expr->partition = relation.partition.keys;
    return expr;
}

/// How many rows up to each one say `start`.
ExprPtr starts_before(const Relation& relation, const ExprPtr& start) {
    return over_rows(relation,
                     "CAST(sum(CASE WHEN {0} THEN 1 ELSE 0 END) OVER ({partition}{order} ROWS UNBOUNDED "
                     "PRECEDING) AS BIGINT)",
                     {start});
}

}  // namespace

/// row_window_session(value, from first, between neighbours [, restart]): what each row's session begins with
/// becomes a column of `relation`. A session depends on the one before, so the values of all rows, or of
/// those between two restarts, are looked at in one go.
Parsed<> Binder::begin_sessions(Relation& relation, const std::vector<const Node*>& expressions) {
    std::vector<const Node*> calls;
    for (const auto* node : expressions)
        calls_of("row_window_session", *node, calls);
    for (const auto* node : calls)
        FIELDWATCH_TRY(begin_session(relation, *node));
    return {};
}

Parsed<> Binder::begin_session(Relation& relation, const Node& node) {
    if (node.args.size() < 3 || node.args.size() > 4)
        return semantic_error(node.span,
                              "row_window_session takes a time, the greatest distances from the first and "
                              "between neighbours, and perhaps where it starts anew");
    const Scope scope{.relation = &relation, .windows = true};
    auto value = FIELDWATCH_TRY(expression(*node.args[0], scope));
    if (value->type != DateTime && !is_integral(value->type))
        return semantic_error(node.args[0]->span, fmt::format("row_window_session takes a datetime, not {}",
                                                              to_string(value->type)));
    std::int64_t distances[2] = {};
    for (std::size_t i = 0; i < 2; ++i) {
        const auto distance = FIELDWATCH_TRY(expression(*node.args[i + 1], {}));
        const auto wanted = value->type == DateTime ? TimeSpan : Long;
        const auto number = integer_value(distance);
        if (!number || distance->type != wanted)
            return semantic_error(node.args[i + 1]->span,
                                  fmt::format("the distance is a constant {}", to_string(wanted)));
        distances[i] = *number;
    }
    auto restart = constant(Bool, false);
    if (node.args.size() == 4) restart = FIELDWATCH_TRY(expression(*node.args[3], scope));
    if (restart->type != Bool)
        return semantic_error(node.args[3]->span, "row_window_session starts anew where a condition holds");
    const auto type = value->type;
    const auto first = relation.fields.size();
    relation.fields.push_back({"$value", std::move(value), true});
    relation.fields.push_back({"$restart", std::move(restart), true});
    seal(relation);
    relation.fields[first + 1].value = starts_before(relation, relation.fields[first + 1].value);
    relation.fields.push_back(
        {"$row", over_rows(relation, "CAST(row_number() OVER ({order}) AS BIGINT)", {}), true});
    seal(relation);
    relation.plan = make_plan(PlanKind::Shared, {relation.plan});
    const auto row = relation.fields[first + 2].value;

    auto sessions = make_plan(PlanKind::Aggregate, {relation.plan});
    for (const auto& key : relation.partition.keys)
        sessions->keys.push_back({new_id(), key});
    sessions->keys.push_back({new_id(), relation.fields[first + 1].value});
    const std::vector<SortKey> in_order{{row, false, true}};
    const auto rows = new_id(), begins = new_id();
    sessions->columns.push_back({rows, aggregate_call(Dynamic, "list({0}{order})", {row}, in_order)});
    sessions->columns.push_back(
        {begins,
         aggregate_call(Dynamic,
                        fmt::format("kql_sessions('{} {} ' || string_agg(coalesce(CAST({{0}} AS VARCHAR), "
                                    "'-'), ' '{{order}}))",
                                    distances[0], distances[1]),
                        {relation.fields[first].value}, in_order)});
    auto unnested = make_plan(PlanKind::Unnest, {sessions});
    const auto of = new_id(), begin = new_id();
    unnested->columns.push_back({of, column_ref(rows, Dynamic)});
    unnested->columns.push_back({begin, call(Dynamic, "CAST(json_extract_string({0}, '$[*]') AS BIGINT[])",
                                             {column_ref(begins, Dynamic)})});
    auto joined = make_plan(PlanKind::Join, {relation.plan, unnested});
    joined->exprs = {row, column_ref(of, Long)};
    relation.plan = std::move(joined);
    relation.fields.resize(first);
    restarts_[&node] = column_ref(begin, type);
    return {};
}

/// The rows between two starts get one number, which is a column of `relation` then: window calls are told
/// apart by it. Two steps, because the condition may look at other rows itself.
Parsed<> Binder::number_restarts(Relation& relation, const std::vector<const Node*>& expressions) {
    FIELDWATCH_TRY(begin_sessions(relation, expressions));
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
    for (std::size_t i = 0; i < calls.size(); ++i)
        relation.fields[first + i].value = starts_before(relation, relation.fields[first + i].value);
    seal(relation);
    for (std::size_t i = 0; i < calls.size(); ++i)
        restarts_[calls[i]] = relation.fields[first + i].value;
    relation.fields.resize(first);
    return {};
}

Parsed<ExprPtr> Binder::window(const Node& node, const Scope& scope, std::vector<ExprPtr> args) {
    const auto& n = node.text;
    if (!scope.windows || (n == "row_window_session" && !restarts_.contains(&node)))
        return unsupported(node.span, fmt::format("{} is supported in extend, project and where only", n));
    const auto restart = restarts_.find(&node);
    if (n == "row_window_session") return restart->second;
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
