// Sub-queries that run for each group of rows apart: mv-apply, partition, top-nested. Nothing loops: the
// operators inside work on all groups at once and keep them apart by the columns of Relation::partition.
#include <algorithm>

#include <fmt/format.h>

#include "kql/binder.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

constexpr std::string_view kWhole[] = {"join",        "lookup",   "union",     "search",    "make-series",
                                       "render",      "invoke",   "getschema", "sample",    "sample-distinct",
                                       "as",          "evaluate", "mv-apply",  "partition", "top-nested",
                                       "top-hitters", "facet",    "fork",      "reduce",    "make-graph"};

/// Any value of the group, null or not: all of them are the same.
ExprPtr first_of(const ExprPtr& value) {
    return aggregate_call(value->type, "first({0})", {value});
}

}  // namespace

/// Groups stay apart through an aggregation: their keys become keys of `plan`.
Partition Binder::through_aggregate(const Partition& partition, Plan& plan) {
    Partition result{.base = partition.base, .base_keys = partition.base_keys};
    result.base_carried = partition.base_carried;
    for (const auto& key : partition.keys) {
        const auto id = new_id();
        plan.keys.push_back({id, key});
        result.keys.push_back(column_ref(id, key->type));
    }
    for (const auto& field : partition.carried) {
        const auto id = new_id();
        plan.columns.push_back({id, first_of(field.value)});
        result.carried.push_back({field.name, column_ref(id, field.value->type), field.hidden});
    }
    return result;
}

/// An aggregation without `by` has a row for a group of which a filter left nothing. Such groups are those of
/// the base that `relation` lacks; what aggregates give for no rows is asked of no rows.
void Binder::add_empty_groups(Relation& relation, const PlanPtr& aggregate) {
    const auto& partition = relation.partition;
    auto nothing = make_plan(PlanKind::Filter, {aggregate->inputs[0]});
    nothing->exprs.push_back(constant(Bool, false));
    auto of_nothing = make_plan(PlanKind::Aggregate, {nothing});
    const auto own = aggregate->columns.size() - partition.carried.size();
    of_nothing->columns.assign(aggregate->columns.begin(),
                               aggregate->columns.begin() + static_cast<std::ptrdiff_t>(own));
    Relation empty{.plan = of_nothing};
    for (std::size_t i = 0; i < own; ++i)
        empty.fields.push_back(
            {"", column_ref(of_nothing->columns[i].id, of_nothing->columns[i].value->type)});
    seal(empty);
    Relation base{.plan = partition.base};
    for (const auto& key : partition.base_keys)
        base.fields.push_back({"", key});
    for (const auto& field : partition.base_carried)
        base.fields.push_back(field);
    seal(base);
    Relation there{.plan = aggregate};
    for (const auto& key : partition.keys)
        there.fields.push_back({"", key});
    seal(there);
    auto missing = make_plan(PlanKind::Join, {base.plan, there.plan});
    missing->join = JoinKind::LeftAnti;
    for (std::size_t i = 0; i < partition.keys.size(); ++i)
        missing->exprs.insert(missing->exprs.end(), {base.fields[i].value, there.fields[i].value});
    auto completed = make_plan(PlanKind::Join, {missing, empty.plan});
    completed->exprs = {long_constant(1), long_constant(1)};
    // One under the other: the aggregates, the keys, what is carried.
    auto both = make_plan(PlanKind::Union, {aggregate, completed});
    both->rows.resize(2);
    const auto column = [&](const ExprPtr& of_rows, const ExprPtr& of_none) {
        both->scan_ids.push_back(new_id());
        both->rows[0].push_back(of_rows);
        both->rows[1].push_back(of_none);
        return column_ref(both->scan_ids.back(), of_rows->type);
    };
    std::map<std::uint32_t, ExprPtr> replaced;
    for (std::size_t i = 0; i < own; ++i) {
        const auto& each = aggregate->columns[i];
        replaced[each.id] = column(column_ref(each.id, each.value->type), empty.fields[i].value);
    }
    auto after = partition;
    for (std::size_t i = 0; i < partition.keys.size(); ++i)
        after.keys[i] = column(partition.keys[i], base.fields[i].value);
    for (std::size_t i = 0; i < partition.carried.size(); ++i)
        after.carried[i].value =
            column(partition.carried[i].value, base.fields[partition.keys.size() + i].value);
    for (auto& field : relation.fields)
        field.value = with_columns(field.value, replaced);
    relation.plan = both;
    relation.partition = std::move(after);
}

/// The expression, reading other columns.
ExprPtr Binder::with_columns(const ExprPtr& value, const std::map<std::uint32_t, ExprPtr>& replaced) {
    if (value->kind == ExprKind::Column) {
        const auto at = replaced.find(value->column);
        return at == replaced.end() ? value : at->second;
    }
    if (value->args.empty()) return value;
    auto copy = std::make_shared<Expr>(*value);
    for (auto& arg : copy->args)
        arg = with_columns(arg, replaced);
    return copy;
}

/// The first `count` rows of each group.
void Binder::take_of_each(Relation& relation, std::int64_t count) {
    auto number = std::make_shared<Expr>(*call(Long, "row_number() OVER ({partition}{order})", {}));
    number->window = true;
    number->order = relation.order;
    number->partition = relation.partition.keys;
    relation.fields.push_back({"$number", ExprPtr(number), true});
    seal(relation);
    const auto place = relation.fields.back().value;
    relation.fields.pop_back();
    filter(relation, call(Bool, "({0} <= {1})", {place, long_constant(count)}));
}

Parsed<> Binder::run_inside(Relation& relation, const Pipeline& sub_query) {
    for (const auto& op : sub_query.operators) {
        if (std::ranges::find(kWhole, op.name) != std::end(kWhole))
            return unsupported(op.span,
                               fmt::format("the operator '{}' is not supported in a sub-query that runs for "
                                           "each group of rows",
                                           op.name));
        FIELDWATCH_TRY(stage(relation, op));
    }
    return {};
}

/// A row of the table with its number, once computed: what is joined back to it later finds the same numbers.
Parsed<> Binder::mv_apply(Relation& relation, const Operator& op) {
    auto number = std::make_shared<Expr>(*call(Long, "row_number() OVER ()", {}));
    number->window = true;
    relation.order.clear();
    relation.fields.push_back({"$row", ExprPtr(number), true});
    seal(relation);
    relation.plan = make_plan(PlanKind::Shared, {relation.plan});
    const auto row = relation.fields.back().value;
    relation.fields.pop_back();
    auto inner = relation;
    inner.partition = {.keys = {row}, .carried = relation.fields};
    inner.partition.base = relation.plan;
    inner.partition.base_keys = {row};
    inner.partition.base_carried = relation.fields;
    FIELDWATCH_TRY(mv_expand(inner, op));
    FIELDWATCH_TRY(run_inside(inner, op.inputs[0]));
    // The outer row's columns, then what the sub-query adds; a name of both is the sub-query's.
    Relation result{.plan = inner.plan};
    const auto inside = [&](const std::string& name) {
        return std::ranges::find(inner.fields, name, &Field::name);
    };
    std::set<std::string> outer;
    for (const auto& field : inner.partition.carried) {
        outer.insert(field.name);
        const auto own = inside(field.name);
        result.fields.push_back(own == inner.fields.end() ? field : *own);
    }
    for (const auto& field : inner.fields) {
        if (!field.hidden && !outer.contains(field.name)) result.fields.push_back(field);
    }
    relation = std::move(result);
    return {};
}

Parsed<> Binder::partition(Relation& relation, const Operator& op) {
    Node column_name;
    column_name.kind = NodeKind::Name;
    column_name.text = op.items[0].names[0];
    column_name.span = op.items[0].span;
    const auto key = FIELDWATCH_TRY(name(column_name, {.relation = &relation}));
    if (key->type == Dynamic)
        return semantic_error(
            column_name.span,
            "rows are not partitioned by a dynamic value; convert it first, with tostring(…)");
    relation.fields.push_back({"$partition", key, true});
    seal(relation);
    const auto column = relation.fields.back().value;
    relation.fields.pop_back();
    auto groups = make_plan(PlanKind::Aggregate, {relation.plan});
    const auto id = new_id();
    groups->keys.push_back({id, column});
    relation.partition = {.keys = {column}, .carried = {}};
    relation.partition.base = groups;
    relation.partition.base_keys = {column_ref(id, column->type)};
    FIELDWATCH_TRY(run_inside(relation, op.inputs[0]));
    relation.partition = {};
    return {};
}

/// What was chosen at the levels before tells groups apart, its aggregates come along; both as columns of
/// `plan`.
std::vector<ExprPtr> Binder::grouped_by(const std::vector<Field>& chosen, Plan& plan) {
    std::vector<ExprPtr> columns;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        const auto id = new_id();
        const auto& value = chosen[i].value;
        if (i % 2 == 0)
            plan.keys.push_back({id, value});
        else
            plan.columns.push_back({id, first_of(value)});
        columns.push_back(column_ref(id, value->type));
    }
    return columns;
}

/// For each of the groups so far, what its level and those below say of the rows that were not chosen: the
/// name of the others and the aggregate over them, or null where a level does not ask for others.
Parsed<Binder::Others> Binder::others_of(const Relation& rest, const std::vector<Field>& chosen,
                                         const Operator& op, std::size_t level) {
    auto plan = make_plan(PlanKind::Aggregate, {rest.plan});
    Others result;
    result.cells = grouped_by(chosen, *plan);
    for (auto at = level; at < op.items.size(); ++at) {
        if (!op.items[at].fallback) {
            result.cells.insert(result.cells.end(), {nullptr, nullptr});
            continue;
        }
        const auto aggregate =
            FIELDWATCH_TRY(expression(*op.by[at].value, {.relation = &rest, .aggregates = true}));
        const auto id = new_id();
        plan->columns.push_back({id, aggregate});
        result.cells.push_back(FIELDWATCH_TRY(expression(*op.items[at].fallback, {})));
        result.cells.push_back(column_ref(id, aggregate->type));
    }
    const auto count = new_id();
    plan->columns.push_back({count, aggregate_call(Long, "count(*)", {})});
    auto some = make_plan(PlanKind::Filter, {plan});
    some->exprs.push_back(call(Bool, "({0} > 0)", {column_ref(count, Long)}));
    result.plan = some;
    return result;
}

Parsed<> Binder::add_others(Relation& relation, const std::vector<Others>& others, const Operator& op) {
    if (others.empty()) return {};
    auto plan = make_plan(PlanKind::Union, {relation.plan});
    std::vector<ExprPtr> own;
    for (const auto& field : relation.fields)
        own.push_back(field.value);
    plan->rows.push_back(own);
    for (const auto& each : others) {
        plan->inputs.push_back(each.plan);
        auto& row = plan->rows.emplace_back();
        for (std::size_t i = 0; i < own.size(); ++i) {
            const auto type = own[i]->type;
            auto cell = each.cells[i] ? widen(each.cells[i], type) : null_of(type);
            if (!cell)
                return semantic_error(op.items[i / 2].fallback->span,
                                      fmt::format("the others are {}, as the level's values are, not {}",
                                                  to_string(type), to_string(each.cells[i]->type)));
            row.push_back(std::move(cell));
        }
    }
    for (auto& field : relation.fields) {
        plan->scan_ids.push_back(new_id());
        field.value = column_ref(plan->scan_ids.back(), field.value->type);
    }
    relation.plan = std::move(plan);
    return {};
}

/// Level by level: the best values of the first expression; of the rows that have them, the best of the
/// second within each of the first; and so on.
Parsed<> Binder::top_nested(Relation& relation, const Operator& op) {
    relation.order.clear();
    seal(relation);
    std::vector<Field> chosen;
    std::vector<Others> others;
    for (std::size_t level = 0; level < op.items.size(); ++level) {
        const auto& item = op.items[level];
        const auto& by = op.by[level];
        auto plan = make_plan(PlanKind::Aggregate, {relation.plan});
        Relation best{.plan = plan};
        const auto before = grouped_by(chosen, *plan);
        for (std::size_t i = 0; i < chosen.size(); ++i) {
            best.fields.push_back({chosen[i].name, before[i]});
            if (i % 2 == 0) best.partition.keys.push_back(before[i]);
        }
        const auto value = FIELDWATCH_TRY(expression(*item.value, {.relation = &relation}));
        if (value->type == Dynamic)
            return semantic_error(item.span,
                                  "top-nested does not go over dynamic values; convert them first");
        auto name = item.names.empty() ? default_name(*item.value) : item.names[0];
        if (name.empty()) name = fmt::format("Column{}", level + 1);
        const auto key = new_id();
        plan->keys.push_back({key, value});
        best.fields.push_back({name, column_ref(key, value->type)});
        const auto aggregate =
            FIELDWATCH_TRY(expression(*by.value, {.relation = &relation, .aggregates = true}));
        if (!aggregate->aggregate)
            return semantic_error(by.span, "top-nested takes an aggregate after by, such as count()");
        const auto id = new_id();
        plan->columns.push_back({id, aggregate});
        best.fields.push_back(
            {by.names.empty() ? "aggregated_" + name : by.names[0], column_ref(id, aggregate->type)});
        if (by.fallback) {
            const bool descending = item.order != "asc";
            best.order = {{best.fields.back().value, descending, !descending}};
            take_of_each(best, FIELDWATCH_TRY(constant_count(*by.fallback, "top-nested", 1'000'000)));
            best.order.clear();
        }
        seal(best);
        // The rows that are left, each with what was chosen for it.
        auto join = make_plan(PlanKind::Join, {relation.plan, best.plan});
        for (std::size_t i = 0; i < best.fields.size(); i += 2) {
            const auto& own = i < chosen.size() ? chosen[i].value : value;
            join->exprs.insert(join->exprs.end(), {own, best.fields[i].value});
        }
        if (item.fallback) {
            auto left_out = std::make_shared<Plan>(*join);
            left_out->join = JoinKind::LeftAnti;
            auto rest = relation;
            rest.plan = left_out;
            others.push_back(FIELDWATCH_TRY(others_of(rest, chosen, op, level)));
        }
        if (level + 1 == op.items.size()) {
            relation = {.plan = best.plan, .fields = std::move(best.fields)};
            return add_others(relation, others, op);
        }
        relation.plan = join;
        // Kept among the relation's columns, out of sight, so that they follow it through the next sealing.
        std::erase_if(relation.fields, [](const Field& field) { return field.name.starts_with("$level"); });
        for (std::size_t i = 0; i < best.fields.size(); ++i)
            relation.fields.push_back({fmt::format("$level{}", i), best.fields[i].value, true});
        seal(relation);
        chosen = best.fields;
        for (std::size_t i = 0; i < chosen.size(); ++i)
            chosen[i].value = relation.fields[relation.fields.size() - chosen.size() + i].value;
    }
    return {};
}

}  // namespace fieldwatch::kql
