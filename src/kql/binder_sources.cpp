// Where a tabular expression begins: tables, print, range, datatable.
#include <fmt/format.h>

#include "kql/binder.hpp"

namespace fieldwatch::kql {

Parsed<Relation> Binder::source(const Node& node) {
    FIELDWATCH_TRY(add_node(node.span));
    if (node.kind == NodeKind::Query) return pipeline(*node.pipeline);
    if (node.kind == NodeKind::Call && node.text == "materialize" && node.args.size() == 1)
        return source(*node.args[0]);
    if (node.kind == NodeKind::Call && node.text == "table" && node.args.size() == 1 &&
        node.args[0]->kind == NodeKind::Literal) {
        if (const auto* table = catalog_.find(node.args[0]->token.text)) return scan(*table);
        return semantic_error(node.span,
                              fmt::format("unknown table '{}'", node.args[0]->token.text.substr(0, 100)));
    }
    if (node.kind == NodeKind::Call) {
        if (const auto* function = defined(node.text); function && function->let && function->let->function)
            return table_valued(*function, node, nullptr);
    }
    if (node.kind == NodeKind::Name) return table(node);
    if (node.kind == NodeKind::Call)
        return semantic_error(node.span, fmt::format("a table is expected here, and '{}' is no function that "
                                                     "gives one; let defines such a function",
                                                     node.text));
    return semantic_error(node.span, "a table is expected here");
}

Parsed<Relation> Binder::scan(const CatalogTable& table) {
    tables_.insert(table.name);
    auto plan = make_plan(PlanKind::Scan);
    plan->table = &table;
    Relation relation;
    ExprPtr time;
    std::map<std::string, std::uint32_t> ids;
    for (const auto& column : table.columns) {
        const auto id = new_id();
        plan->scan_ids.push_back(id);
        ids[column.name] = id;
        relation.fields.push_back({column.name, column_ref(id, column.type), column.hidden});
        if (column.name == table.time_column) time = relation.fields.back().value;
    }
    for (const auto& path : table.paths) {
        const auto id = new_id();
        plan->path_ids.push_back(id);
        if (ids.contains(path.column)) typed_paths_[ids[path.column]].emplace_back(path.path, id);
    }
    relation.plan = std::move(plan);
    if (time && options_.from)
        filter(relation,
               call(ColumnType::Bool, "({0} >= {1})",
                    {time, constant(ColumnType::DateTime, options_.from->ticks + kUnixEpochTicks)}));
    if (time && options_.to)
        filter(relation, call(ColumnType::Bool, "({0} < {1})",
                              {time, constant(ColumnType::DateTime, options_.to->ticks + kUnixEpochTicks)}));
    return relation;
}

Parsed<Relation> Binder::head(const Operator& op) {
    FIELDWATCH_TRY(add_node(op.span));
    if (op.name == "print") return print(op);
    if (op.name == "range") return range(op);
    if (op.name == "datatable") return datatable(op);
    if (op.name == "search") return search_tables(op);
    if (op.name == "find") return find_tables(op);
    std::vector<Relation> inputs;
    std::vector<std::string> names;
    for (const auto& input : op.inputs)
        FIELDWATCH_TRY(union_input(input, op, inputs, names));
    if (inputs.empty()) return semantic_error(op.span, "none of the tables exists");
    return union_of(std::move(inputs), std::move(names), op);
}

Parsed<Relation> Binder::print(const Operator& op) {
    auto plan = make_plan(PlanKind::Values);
    plan->rows.emplace_back();
    Relation relation;
    relation.plan = std::move(plan);
    int position = 0;
    const auto bags = FIELDWATCH_TRY(spread_bags(relation, op.items));
    for (const auto& item : op.items) {
        if (const auto bag = bags.find(&item); bag != bags.end()) {
            for (auto& field : spread_columns(item, bag->second))
                add_field(relation.fields, std::move(field.name), std::move(field.value));
            continue;
        }
        auto value = FIELDWATCH_TRY(expression(*item.value, {}));
        add_field(relation.fields, item.names.empty() ? fmt::format("print_{}", position) : item.names[0],
                  std::move(value));
        ++position;
    }
    return relation;
}

Parsed<Relation> Binder::range(const Operator& op) {
    auto from = FIELDWATCH_TRY(expression(*op.from, {}));
    auto to = FIELDWATCH_TRY(expression(*op.to, {}));
    auto step = FIELDWATCH_TRY(expression(*op.step, {}));
    const auto type = from->type;
    if (type == ColumnType::DateTime || type == ColumnType::TimeSpan) {
        if (to->type != type || step->type != ColumnType::TimeSpan)
            return semantic_error(to->type != type ? op.to->span : op.step->span,
                                  "range over times needs an end of the same type and a timespan as step");
    } else if (is_integral(type) && is_integral(to->type) && is_integral(step->type)) {
    } else if (is_number(type) && is_number(to->type) && is_number(step->type)) {
        from = widen(from, ColumnType::Real);
        to = widen(to, ColumnType::Real);
        step = widen(step, ColumnType::Real);
    } else {
        const auto& wrong = !is_number(type) ? op.from : !is_number(to->type) ? op.to : op.step;
        return semantic_error(wrong->span,
                              fmt::format("range does not go from {} to {} by {}", to_string(type),
                                          to_string(to->type), to_string(step->type)));
    }
    auto plan = make_plan(PlanKind::Range);
    const auto id = new_id();
    plan->scan_ids.push_back(id);
    const auto result = is_integral(from->type) ? ColumnType::Long : from->type;
    plan->types.push_back(result);
    plan->exprs = {from, to, step};
    Relation relation;
    relation.plan = std::move(plan);
    relation.fields.push_back({op.items[0].names[0], column_ref(id, result)});
    const auto* real_step = std::get_if<double>(&step->value);
    const bool down = real_step ? *real_step < 0 : integer_value(step).value_or(1) < 0;
    relation.order.push_back({relation.fields[0].value, down, true});
    return relation;
}

Parsed<Relation> Binder::datatable(const Operator& op) {
    auto plan = make_plan(PlanKind::Values);
    Relation relation;
    for (const auto& column : op.by) {
        const auto type = *type_by_name(column.type);
        plan->scan_ids.push_back(new_id());
        plan->types.push_back(type);
        add_field(relation.fields, column.names[0], column_ref(plan->scan_ids.back(), type));
    }
    for (std::size_t i = 0; i < op.items.size(); ++i) {
        if (i % op.by.size() == 0) plan->rows.emplace_back();
        const auto type = plan->types[i % op.by.size()];
        const auto value = FIELDWATCH_TRY(expression(*op.items[i].value, {}));
        auto stored = value->type == ColumnType::String && type != ColumnType::String ? convert(value, type)
                      : type == ColumnType::Dynamic                                   ? to_dynamic(value)
                                                                                      : widen(value, type);
        if (!stored)
            return semantic_error(op.items[i].span, fmt::format("column '{}' is {}, but this value is {}",
                                                                op.by[i % op.by.size()].names[0],
                                                                to_string(type), to_string(value->type)));
        plan->rows.back().push_back(std::move(stored));
    }
    relation.plan = std::move(plan);
    return relation;
}

}  // namespace fieldwatch::kql
