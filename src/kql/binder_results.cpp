// Operators that end a query with several tables: facet and fork.
#include <fmt/format.h>

#include "kql/binder.hpp"

namespace fieldwatch::kql {

/// The relation as one of the query's results.
Parsed<BoundQuery> Binder::finished(Relation relation, std::string name, Span span) const {
    BoundQuery query{.plan = relation.plan, .order = std::move(relation.order), .render = render_};
    query.name = std::move(name);
    for (auto& field : relation.fields) {
        if (field.hidden) continue;
        query.columns.push_back({field.name, field.value->type});
        query.values.push_back(std::move(field.value));
    }
    if (query.columns.empty()) return semantic_error(span, "the result has no column");
    query.typed_paths = typed_paths_;
    return query;
}

Parsed<> Binder::add_result(Relation relation, std::string name, Span span) {
    results_.push_back(FIELDWATCH_TRY(finished(std::move(relation), std::move(name), span)));
    return {};
}

/// The table that `with` gives, then for each column its values and how often they occur.
Parsed<> Binder::facet(Relation& relation, const Operator& op) {
    if (&op != last_)
        return semantic_error(op.span, "facet gives several tables, so it stands at the end of the query");
    if (!op.inputs.empty()) {
        auto rows = relation;
        for (const auto& inner : op.inputs[0].operators)
            FIELDWATCH_TRY(stage(rows, inner));
        FIELDWATCH_TRY(add_result(std::move(rows), "with", op.span));
    }
    for (const auto& item : op.by) {
        auto plan = make_plan(PlanKind::Aggregate, {relation.plan});
        const auto value = FIELDWATCH_TRY(expression(*item.value, {.relation = &relation}));
        const auto name = default_name(*item.value);
        if (item.value->kind != NodeKind::Name || name.empty())
            return semantic_error(item.span, "facet takes columns");
        if (value->type == ColumnType::Dynamic)
            return semantic_error(
                item.span, "facet does not count dynamic values; convert them first, with tostring(…)");
        const auto key = new_id(), count = new_id();
        plan->keys.push_back({key, value});
        plan->columns.push_back({count, aggregate_call(ColumnType::Long, "count(*)", {})});
        const auto counted = column_ref(count, ColumnType::Long), valued = column_ref(key, value->type);
        FIELDWATCH_TRY(add_result({plan,
                                   {{name, valued}, {fmt::format("count_{}", name), counted}},
                                   {{counted, true, false}, {valued, false, true}}},
                                  name, item.span));
    }
    return {};
}

Parsed<> Binder::fork(Relation& relation, const Operator& op) {
    if (&op != last_)
        return semantic_error(op.span, "fork gives several tables, so it stands at the end of the query");
    for (std::size_t i = 0; i < op.inputs.size(); ++i) {
        auto rows = relation;
        for (const auto& inner : op.inputs[i].operators)
            FIELDWATCH_TRY(stage(rows, inner));
        const auto& named = op.items[i].names;
        FIELDWATCH_TRY(
            add_result(std::move(rows), named.empty() ? fmt::format("fork_{}", i + 1) : named[0], op.span));
    }
    return {};
}

}  // namespace fieldwatch::kql
