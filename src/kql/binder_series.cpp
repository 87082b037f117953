// make-series and what reads its series.
#include <fmt/format.h>

#include "kql/binder.hpp"

namespace fieldwatch::kql {

using enum ColumnType;

/// Two steps: values by group and step number, then one row per group with arrays over all steps.
Parsed<> Binder::make_series(Relation& relation, const Operator& op) {
    if (!op.from || !op.to) return unsupported(op.span, "make-series needs 'from' and 'to' here");
    auto on = FIELDWATCH_TRY(expression(*op.on, {.relation = &relation}));
    auto from = FIELDWATCH_TRY(expression(*op.from, {}));
    auto to = FIELDWATCH_TRY(expression(*op.to, {}));
    const auto step = FIELDWATCH_TRY(expression(*op.step, {}));
    const auto size = integer_value(step);
    const bool times =
        on->type == DateTime && from->type == DateTime && to->type == DateTime && step->type == TimeSpan;
    const bool numbers =
        is_integral(on->type) && is_integral(from->type) && is_integral(to->type) && is_integral(step->type);
    if (!times && !numbers)
        return semantic_error(
            op.span,
            "make-series goes over datetimes by a timespan, or over whole numbers by a whole number");
    if (!size || *size <= 0) return semantic_error(op.step->span, "the step is a constant above zero");
    if (op.end_included)
        to = FIELDWATCH_TRY(
            arithmetic("+", to, times ? constant(TimeSpan, 1) : long_constant(1), op.to->span));
    filter(relation, call(Bool, "({0} >= {1} AND {0} < {2})", {on, from, to}));
    auto inner = std::make_shared<Plan>();
    inner->kind = PlanKind::Aggregate;
    inner->inputs.push_back(relation.plan);
    std::vector<Field> groups;
    inner->keys = FIELDWATCH_TRY(group_keys(relation, op.by, groups));
    const auto slot = new_id();
    inner->keys.push_back({slot, call(Long, "(({0} - {1}) // {2})", {on, from, step})});
    // Bounds that a sub-query gives become columns of each group: the engine takes no sub-query inside a
    // lambda.
    std::vector<ExprPtr*> carried;
    for (auto* bound : {&from, &to}) {
        if (!(*bound)->subquery) continue;
        const auto id = new_id();
        inner->keys.push_back({id, *bound});
        *bound = column_ref(id, (*bound)->type);
        carried.push_back(bound);
    }
    struct Series {
        std::string name;
        ExprPtr value, fallback;
    };
    std::vector<Series> series;
    for (const auto& item : op.items) {
        const auto value =
            FIELDWATCH_TRY(expression(*item.value, {.relation = &relation, .aggregates = true}));
        if (!value->aggregate)
            return semantic_error(item.span, "make-series takes aggregates, such as count() or sum(…)");
        if (!is_number(value->type))
            return semantic_error(item.span,
                                  fmt::format("make-series takes numbers, not {}", to_string(value->type)));
        ExprPtr fallback = long_constant(0);
        if (item.fallback) fallback = FIELDWATCH_TRY(expression(*item.fallback, {}));
        if (!is_null(fallback) && !is_number(fallback->type))
            return semantic_error(item.fallback->span, "the default is a number");
        auto name = item.names.empty() ? default_name(*item.value) : item.names[0];
        if (name.empty()) name = fmt::format("Column{}", series.size() + 1);
        const auto id = new_id();
        inner->columns.push_back({id, value});
        series.push_back({std::move(name), to_dynamic(column_ref(id, value->type)), to_dynamic(fallback)});
    }
    auto outer = std::make_shared<Plan>();
    outer->kind = PlanKind::Aggregate;
    outer->inputs.push_back(inner);
    Relation result;
    for (const auto& group : groups) {
        const auto id = new_id();
        outer->keys.push_back({id, group.value});
        add_field(result.fields, group.name, column_ref(id, group.value->type));
    }
    for (auto* bound : carried) {
        const auto id = new_id();
        outer->keys.push_back({id, *bound});
        result.fields.push_back({"$bound", column_ref(id, (*bound)->type), true});
    }
    // At most 100,000 steps: an array beyond that is a mistake in the step.
    const auto slots = [](std::string_view a, std::string_view b, std::string_view c) {
        return fmt::format("range(CAST(least(greatest(({0} - {1} + {2} - 1) // {2}, 0), 100000) AS BIGINT))",
                           b, a, c);
    };
    for (const auto& one : series) {
        const auto id = new_id();
        auto value = std::make_shared<Expr>(
            *call(Dynamic,
                  fmt::format("'[' || array_to_string(list_transform({}, lambda e: coalesce(map(list({{5}}), "
                              "list({{0}}))[e], {{4}}, 'null')), ',') || ']'",
                              slots("{1}", "{2}", "{3}")),
                  {one.value, from, to, step, one.fallback, column_ref(slot, Long)}));
        value->aggregate = true;
        outer->columns.push_back({id, value});
        add_field(result.fields, one.name, column_ref(id, Dynamic));
    }
    // The axis, over the columns of the outer step.
    for (std::size_t i = 0, at = groups.size(); i < carried.size(); ++i)
        *carried[i] = result.fields[at + i].value;
    std::erase_if(result.fields, [](const Field& field) { return field.name == "$bound"; });
    auto axis_name = default_name(*op.on);
    if (axis_name.empty()) axis_name = "Column1";
    const auto point = times ? to_dynamic(call(DateTime, "({1} + e * {3})", {from, from, to, step}))
                             : call(Dynamic, "CAST({1} + e * {3} AS VARCHAR)", {from, from, to, step});
    const auto axis =
        call(Dynamic,
             fmt::format("'[' || array_to_string(list_transform({}, lambda e: {{4}}), ',') || ']'",
                         slots("{1}", "{2}", "{3}")),
             {from, from, to, step, point});
    add_field(result.fields, axis_name, axis);
    result.plan = std::move(outer);
    relation = std::move(result);
    return {};
}

/// (RSquare, Slope, Variance, RVariance, Interception, LineFit) = series_fit_line(series): least squares over
/// 0, 1, 2 …
Parsed<> Binder::fit_line(Relation& relation, const Item& item) {
    const auto& node = *item.value;
    if (node.args.size() != 1) return semantic_error(node.span, "series_fit_line takes one series");
    const auto series = FIELDWATCH_TRY(expression(*node.args[0], {.relation = &relation}));
    if (series->type != Dynamic)
        return semantic_error(
            node.args[0]->span,
            fmt::format("series_fit_line takes a dynamic array, but this is {}", to_string(series->type)));
    if (!item.tuple && !item.names.empty())
        return unsupported(item.span, "write (RSquare, Slope, …) = series_fit_line(…)");
    const auto base = "series_fit_line_" + default_name(*node.args[0]);
    const std::vector<std::string> names =
        item.tuple ? item.names : std::vector<std::string>{base + "_rsquare",      base + "_slope",
                                                           base + "_variance",     base + "_rvariance",
                                                           base + "_interception", base + "_line_fit"};
    if (names.size() > 6) return semantic_error(item.span, "series_fit_line gives six columns");
    seal(relation);
    const auto sealed = FIELDWATCH_TRY(expression(*node.args[0], {.relation = &relation}));
    // The series as numbers, then its sums, each once.
    const auto step = [&](ColumnType type, std::string sql, std::vector<ExprPtr> args) {
        auto plan = std::make_shared<Plan>();
        plan->kind = PlanKind::Project;
        plan->inputs.push_back(relation.plan);
        for (auto& field : relation.fields) {
            const auto id = new_id();
            plan->columns.push_back({id, field.value});
            field.value = column_ref(id, field.value->type);
        }
        const auto id = new_id();
        plan->columns.push_back({id, call(type, std::move(sql), std::move(args))});
        relation.plan = std::move(plan);
        return column_ref(id, type);
    };
    const auto numbers = step(Dynamic,
                              "list_transform(CAST(json_extract_string({0}, '$[*]') AS VARCHAR[]), lambda e: "
                              "coalesce(TRY_CAST(e AS DOUBLE), 0))",
                              {sealed});
    relation.fields.push_back({"$numbers", numbers, true});
    const auto sums = step(
        Dynamic,
        "struct_pack(n := CAST(len({0}) AS DOUBLE), sy := list_sum({0}), syy := list_sum(list_transform({0}, "
        "lambda e: e * e)), sxy := list_sum(list_transform({0}, lambda e, i: e * (i - 1))))",
        {numbers});
    relation.fields.pop_back();
    const std::string sxx = "(({0}.n * {0}.n - 1) * {0}.n / 12)",
                      sxy = "({0}.sxy - ({0}.n - 1) / 2 * {0}.sy)",
                      syy = "({0}.syy - {0}.sy * {0}.sy / {0}.n)";
    const std::string slope = fmt::format("CASE WHEN {{0}}.n > 1 THEN {} / {} ELSE 0 END", sxy, sxx);
    const std::string residual =
        fmt::format("({} - CASE WHEN {{0}}.n > 1 THEN {} * {} / {} ELSE 0 END)", syy, sxy, sxy, sxx);
    const std::string intercept = fmt::format("({{0}}.sy / {{0}}.n - ({}) * ({{0}}.n - 1) / 2)", slope);
    const std::string sql[] = {
        fmt::format("CASE WHEN {} > 0 THEN greatest(1 - {} / {}, 0) ELSE 0 END", syy, residual, syy),
        slope,
        fmt::format("({} / nullif({{0}}.n, 0))", syy),
        fmt::format("(greatest({}, 0) / nullif({{0}}.n, 0))", residual),
        intercept,
        fmt::format("CAST(to_json(list_transform(range(CAST({{0}}.n AS BIGINT)), lambda e: {} + e * ({}))) "
                    "AS VARCHAR)",
                    intercept, slope)};
    for (std::size_t i = 0; i < names.size(); ++i)
        set_field(relation, names[i], call(i == 5 ? Dynamic : Real, sql[i], {sums}));
    return {};
}

}  // namespace fieldwatch::kql
