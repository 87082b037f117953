// Tables one under the other: union, and search, which looks through all of them.
#include <algorithm>

#include <fmt/format.h>

#include "kql/binder.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

bool widen_keeps(ColumnType from, ColumnType to) {
    return from == to || (is_number(from) && is_number(to));
}

}  // namespace

/// One table of a union: by name, by a pattern of names, or any tabular expression. With isfuzzy=true a table
/// that does not exist is left out.
Parsed<> Binder::union_input(const Pipeline& input, const Operator& op, std::vector<Relation>& inputs,
                             std::vector<std::string>& names) {
    const auto& node = *input.source;
    if (node.kind == NodeKind::Star) {
        const auto before = inputs.size();
        for (const auto& table : catalog_.tables) {
            if (table.alias || !matches(table.name, node.text)) continue;
            inputs.push_back(FIELDWATCH_TRY(scan(table)));
            names.push_back(table.name);
        }
        if (inputs.size() == before)
            return semantic_error(node.span, fmt::format("no table's name is like '{}'", node.text));
        return {};
    }
    const bool named = node.kind == NodeKind::Name;
    if (named && op.parameter("isfuzzy") == "true" && !defined(node.text) && !catalog_.find(node.text))
        return {};
    names.push_back(named ? node.text : fmt::format("union_arg{}", inputs.size()));
    inputs.push_back(FIELDWATCH_TRY(source(node)));
    return {};
}

Parsed<Relation> Binder::union_of(std::vector<Relation> inputs, std::vector<std::string> names,
                                  const Operator& op) {
    const auto kind = op.parameter("kind");
    const auto source_name = op.parameter("withsource");
    for (const auto& [key, value] : op.parameters) {
        if (key != "kind" && key != "withsource" && key != "isfuzzy" && !key.starts_with("hint."))
            return unsupported(op.span, fmt::format("union's parameter '{}' is not supported", key));
    }
    if (!kind.empty() && kind != "inner" && kind != "outer")
        return semantic_error(op.span, fmt::format("union's kind is inner or outer, not '{}'", kind));
    struct Column {
        std::string name;
        ColumnType type;
        std::size_t inputs = 0;
    };
    std::vector<Column> columns;
    for (const auto& input : inputs) {
        for (const auto& field : input.fields) {
            if (field.hidden) continue;
            const auto type = field.value->type;
            auto at = std::ranges::find_if(columns, [&](const Column& c) {
                return c.name == field.name && (c.type == type || (is_number(c.type) && is_number(type)));
            });
            if (at == columns.end()) columns.push_back({field.name, type}), at = columns.end() - 1;
            at->type = std::max(at->type, type);
            ++at->inputs;
        }
    }
    if (kind == "inner") std::erase_if(columns, [&](const Column& c) { return c.inputs != inputs.size(); });
    auto plan = make_plan(PlanKind::Union, {});
    Relation result;
    if (!source_name.empty()) {
        plan->scan_ids.push_back(new_id());
        result.fields.push_back({source_name, column_ref(plan->scan_ids[0], String)});
    }
    for (const auto& column : columns) {
        plan->scan_ids.push_back(new_id());
        // One name with two types is two columns, each with its type behind its name.
        const bool alone = std::ranges::count(columns, column.name, &Column::name) == 1;
        add_field(result.fields,
                  alone ? column.name : fmt::format("{}_{}", column.name, to_string(column.type)),
                  column_ref(plan->scan_ids.back(), column.type));
    }
    if (plan->scan_ids.empty()) return semantic_error(op.span, "the tables have no column in common");
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        auto& row = plan->rows.emplace_back();
        if (!source_name.empty()) row.push_back(text_constant(names[i]));
        for (const auto& column : columns) {
            const auto field = std::ranges::find_if(inputs[i].fields, [&](const Field& f) {
                return f.name == column.name && !f.hidden && widen_keeps(f.value->type, column.type);
            });
            row.push_back(field == inputs[i].fields.end() ? null_of(column.type)
                                                          : widen(field->value, column.type));
        }
        plan->inputs.push_back(inputs[i].plan);
    }
    result.plan = std::move(plan);
    return result;
}

Parsed<> Binder::search(Relation& relation, const Operator& op) {
    if (!op.inputs.empty()) return unsupported(op.span, "'search in (…)' begins a query");
    const auto& node = *op.on;
    if (node.kind != NodeKind::Literal || node.token.kind != TokenKind::Text) {
        return where(relation, node);
    }
    ExprPtr found;
    for (const auto& field : relation.fields) {
        if (field.value->type != String && field.value->type != Dynamic) continue;
        const auto one =
            FIELDWATCH_TRY(text_operator("has", field.value, text_constant(node.token.text), node.span));
        found = found ? call(Bool, "({0} OR {1})", {found, one}) : one;
    }
    if (!found) found = constant(Bool, false);
    filter(relation, found);
    return {};
}

Parsed<Relation> Binder::search_tables(const Operator& op) {
    Operator inner;
    std::vector<Relation> inputs;
    std::vector<std::string> names;
    const auto& node = *op.on;
    if (node.kind != NodeKind::Literal || node.token.kind != TokenKind::Text)
        return unsupported(node.span,
                           "search over tables takes one string; after '|' it takes any condition");
    const auto add = [&](Relation relation, std::string name) -> Parsed<> {
        ExprPtr found;
        for (const auto& field : relation.fields) {
            if (field.value->type != String && field.value->type != Dynamic) continue;
            const auto one =
                FIELDWATCH_TRY(text_operator("has", field.value, text_constant(node.token.text), node.span));
            found = found ? call(Bool, "({0} OR {1})", {found, one}) : one;
        }
        filter(relation, found ? found : constant(Bool, false));
        inputs.push_back(std::move(relation));
        names.push_back(std::move(name));
        return {};
    };
    for (const auto& input : op.inputs) {
        auto table = FIELDWATCH_TRY(source(*input.source));
        FIELDWATCH_TRY(add(std::move(table), input.source->text));
    }
    if (op.inputs.empty()) {
        for (const auto& table : catalog_.tables) {
            if (table.alias) continue;
            auto relation = FIELDWATCH_TRY(scan(table));
            FIELDWATCH_TRY(add(std::move(relation), table.name));
        }
    }
    if (inputs.empty()) return semantic_error(op.span, "there is no table to search");
    inner.name = "union";
    inner.span = op.span;
    inner.parameters.emplace_back("withsource", "$table");
    return union_of(std::move(inputs), std::move(names), inner);
}

}  // namespace fieldwatch::kql
