// make-series and what reads its series.
#include <algorithm>

#include <fmt/format.h>

#include "kql/binder.hpp"
#include "kql/functions_sql.hpp"

namespace fieldwatch::kql {

namespace {

using enum ColumnType;

/// How many arrays array_sort_asc() or array_sort_desc() is given: the last argument may say where nulls go.
std::size_t arrays_sorted(const Node& node) {
    if (node.kind != NodeKind::Call || !node.text.starts_with("array_sort_")) return 0;
    const bool flag = node.args.size() > 1 && node.args.back()->kind == NodeKind::Literal &&
                      node.args.back()->token.word == "bool";
    return node.args.size() - flag;
}

/// A function that gives several columns, and the one that gives them as a bag; "" is
/// Binder::computed_series, or Binder::sorted_arrays.
struct Spread {
    std::string_view name, bag;
    std::vector<std::pair<std::string_view, ColumnType>> columns;
};
std::optional<Spread> spread_of(const Node& node) {
    static const std::vector<Spread> kSpreads{
        {"series_fit_line",
         "series_fit_line_dynamic",
         {{"rsquare", Real},
          {"slope", Real},
          {"variance", Real},
          {"rvariance", Real},
          {"interception", Real},
          {"line_fit", Dynamic}}},
        {"series_stats",
         "series_stats_dynamic",
         {{"min", Real},
          {"min_idx", Long},
          {"max", Real},
          {"max_idx", Long},
          {"avg", Real},
          {"stdev", Real},
          {"variance", Real}}},
        {"series_fft", "", {{"real", Dynamic}, {"imag", Dynamic}}},
        {"series_ifft", "", {{"real", Dynamic}, {"imag", Dynamic}}},
        {"series_fit_poly",
         "",
         {{"rsquare", Real},
          {"coefficients", Dynamic},
          {"variance", Real},
          {"rvariance", Real},
          {"poly_fit", Dynamic}}},
        {"series_decompose",
         "",
         {{"baseline", Dynamic}, {"seasonal", Dynamic}, {"trend", Dynamic}, {"residual", Dynamic}}},
        {"series_decompose_anomalies",
         "",
         {{"ad_flag", Dynamic}, {"ad_score", Dynamic}, {"baseline", Dynamic}}}};
    if (node.kind != NodeKind::Call) return std::nullopt;
    if (const auto arrays = arrays_sorted(node); arrays > 1) {
        Spread spread{.name = node.text, .bag = "", .columns = {}};
        spread.columns.resize(arrays, {"sorted", Dynamic});
        return spread;
    }
    const auto at = std::ranges::find(kSpreads, node.text, &Spread::name);
    return at == kSpreads.end() ? std::nullopt : std::optional(*at);
}

}  // namespace

/// The begin of the first bin that holds a row, or the end of the last.
ExprPtr Binder::bound_of(const Relation& relation, const ExprPtr& on, const ExprPtr& step, bool end) {
    auto plan = make_plan(PlanKind::Aggregate, {relation.plan});
    plan->columns.push_back({new_id(), aggregate_call(on->type,
                                                      end ? "(max({0}) - max({0}) % nullif({1}, 0) + {1})"
                                                          : "(min({0}) - min({0}) % nullif({1}, 0))",
                                                      {on, step})});
    return scalar_of(std::move(plan), on->type);
}

/// Two steps: values by group and step number, then one row per group with arrays over all steps.
Parsed<> Binder::make_series(Relation& relation, const Operator& op) {
    auto on = FIELDWATCH_TRY(expression(*op.on, {.relation = &relation}));
    const auto step = FIELDWATCH_TRY(expression(*op.step, {}));
    const auto size = integer_value(step);
    auto from = op.from ? FIELDWATCH_TRY(expression(*op.from, {})) : bound_of(relation, on, step, false);
    auto to = op.to ? FIELDWATCH_TRY(expression(*op.to, {})) : bound_of(relation, on, step, true);
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
        const auto value = aggregate_call(
            Dynamic,
            fmt::format("'[' || array_to_string(list_transform({}, lambda e: coalesce(map(list({{5}}), "
                        "list({{0}}))[e], {{4}}, 'null')), ',') || ']'",
                        slots("{1}", "{2}", "{3}")),
            {one.value, from, to, step, one.fallback, column_ref(slot, Long)});
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
    if (outer->keys.empty() && op.parameter("kind") != "nonempty") {  // of no rows no series
        const auto rows = new_id();
        outer->columns.push_back({rows, aggregate_call(Long, "count(*)", {})});
        auto told = make_plan(PlanKind::Filter, {outer});
        told->exprs.push_back(call(Bool, "({0} > 0)", {column_ref(rows, Long)}));
        result.plan = std::move(told);
    } else {
        result.plan = std::move(outer);
    }
    relation = std::move(result);
    return {};
}

/// The bag of those that no row of the table of functions gives.
Parsed<ExprPtr> Binder::computed_series(const Node& node, std::vector<ExprPtr> args) {
    const auto& n = node.text;
    if (n.starts_with("series_decompose")) return decompose(node, std::move(args));
    const bool fit = n == "series_fit_poly";
    if (args.empty() || args.size() > (fit ? 3 : 2))
        return semantic_error(node.span, fmt::format("{} takes {}", n,
                                                     fit ? "a series, its places and a degree"
                                                         : "a series and perhaps its imaginary part"));
    for (std::size_t i = 0; i < std::min<std::size_t>(args.size(), 2); ++i) {
        if (args[i]->type != Dynamic)
            return semantic_error(
                node.args[i]->span,
                fmt::format("{} takes a series, which is dynamic, not {}", n, to_string(args[i]->type)));
    }
    const auto degree = args.size() > 2 ? widen(args[2], Long) : long_constant(1);
    if (!degree) return semantic_error(node.args[2]->span, "the degree is a whole number");
    const std::string_view kind = fit ? "CAST({2} AS VARCHAR) || ' '" : n == "series_fft" ? "'f'" : "'i'";
    const bool both = args.size() > 1 && !is_null(args[1]);
    return call(
        Dynamic,
        fmt::format("CASE WHEN json_type({{0}}) = 'ARRAY'{} THEN kql_{}({} || CAST(to_json([{}, {}]) AS "
                    "VARCHAR)) END",
                    both ? " AND json_type({1}) = 'ARRAY'" : "", fit ? "polynomial" : "fourier", kind,
                    NUMBERS("{0}"), both ? NUMBERS("{1}") : "NULL"),
        {args[0], both ? args[1] : null_of(Dynamic), degree});
}

/// The bags behind the calls among `items` that give several columns, each a column of `relation` now.
Parsed<std::map<const Item*, ExprPtr>> Binder::spread_bags(Relation& relation,
                                                           const std::vector<Item>& items) {
    std::map<const Item*, ExprPtr> bags;
    std::vector<const Item*> found;
    for (const auto& item : items) {
        const auto spread = spread_of(*item.value);
        if (!spread) continue;
        if (item.names.size() > spread->columns.size())
            return semantic_error(item.span,
                                  fmt::format("{} gives {} columns", spread->name, spread->columns.size()));
        auto args = FIELDWATCH_TRY(arguments(*item.value, {.relation = &relation}));
        auto bag = FIELDWATCH_TRY(arrays_sorted(*item.value) ? sorted_arrays(*item.value, std::move(args))
                                  : spread->bag.empty()      ? computed_series(*item.value, std::move(args))
                                                        : call_of(*item.value, spread->bag, std::move(args)));
        relation.fields.push_back({"$spread", std::move(bag), true});
        found.push_back(&item);
    }
    if (found.empty()) return bags;
    seal(relation);
    const auto first = relation.fields.size() - found.size();
    for (std::size_t i = 0; i < found.size(); ++i)
        bags[found[i]] = relation.fields[first + i].value;
    relation.fields.resize(first);
    return bags;
}

/// The columns that such a call gives: named as the item says, or by call and argument, sorted arrays by
/// theirs. A single name is the first column's.
std::vector<Field> Binder::spread_columns(const Item& item, const ExprPtr& bag) const {
    const auto spread = *spread_of(*item.value);
    const bool sorted = arrays_sorted(*item.value) > 0;
    const auto& args = item.value->args;
    const auto argument = args.empty() ? std::string() : default_name(*args[0]);
    std::vector<Field> out;
    for (std::size_t i = 0; i < spread.columns.size(); ++i) {
        if (item.tuple && i >= item.names.size()) break;
        const auto& [key, type] = spread.columns[i];
        auto name = sorted ? default_name(*args[i]) : fmt::format("{}_{}", spread.name, argument);
        if (name.empty()) name = fmt::format("array{}", i + 1);
        out.push_back({i < item.names.size() ? item.names[i] : fmt::format("{}_{}", name, key),
                       sorted ? json_element(bag, static_cast<std::int64_t>(i))
                              : convert(json_member(bag, key), type)});
    }
    return out;
}

}  // namespace fieldwatch::kql
