// Which columns a result has and where (project-away and its kin), and operators that end a query with
// several tables: facet and fork.
#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "kql/binder.hpp"

namespace fieldwatch::kql {
namespace {

/// A name whose numbers stand in the order of their values: each after the count of its digits.
std::string with_wide_numbers(std::string_view name) {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    std::string wide;
    for (std::size_t at = 0; at < name.size();) {
        if (!is_digit(name[at])) {
            wide.push_back(name[at++]);
            continue;
        }
        const auto end = std::ranges::find_if_not(name.substr(at), is_digit) - name.begin();
        while (at + 1 < static_cast<std::size_t>(end) && name[at] == '0')
            ++at;
        const auto digits = name.substr(at, static_cast<std::size_t>(end) - at);
        wide += fmt::format("{:04}{}", digits.size(), digits);
        at = static_cast<std::size_t>(end);
    }
    return wide;
}

}  // namespace

Parsed<> Binder::project_names(Relation& relation, const Operator& op) {
    std::vector<bool> chosen(relation.fields.size());
    std::vector<Field> picked;
    for (const auto& item : op.items) {
        const auto& pattern = item.names[0];
        bool any = false;
        std::vector<Field> found;
        for (std::size_t i = 0; i < relation.fields.size(); ++i) {
            if (!matches(relation.fields[i].name, pattern)) continue;
            any = true;
            if (!chosen[i]) found.push_back(relation.fields[i]);
            chosen[i] = true;
        }
        const auto key = [&](const Field& field) {
            return item.nulls.empty() ? field.name : with_wide_numbers(field.name);
        };
        if (item.order == "asc") std::ranges::stable_sort(found, {}, key);
        if (item.order == "desc") std::ranges::stable_sort(found, std::ranges::greater{}, key);
        std::ranges::move(found, std::back_inserter(picked));
        if (!any && pattern.find('*') == std::string::npos)
            return semantic_error(item.span, fmt::format("unknown column '{}'{}", pattern,
                                                         did_you_mean(pattern, visible_names(&relation))));
    }
    std::vector<Field> rest, kept;
    for (std::size_t i = 0; i < relation.fields.size(); ++i)
        (chosen[i] ? kept : rest).push_back(relation.fields[i]);
    if (op.name == "project-away") {
        relation.fields = std::move(rest);
    } else if (op.name == "project-keep") {
        relation.fields = std::move(kept);
    } else {
        relation.fields = std::move(picked);
        std::ranges::move(rest, std::back_inserter(relation.fields));
    }
    return {};
}

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
