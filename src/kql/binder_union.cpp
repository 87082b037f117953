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

std::string_view search_form(const Operator& op) {
    return op.parameter("kind") == "case_sensitive" ? "has_cs" : "has";
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

/// The term that any column has; at its ends * stands for more of a word.
Parsed<ExprPtr> Binder::found_anywhere(const Relation& relation, std::string op, std::string_view term,
                                       Span span) {
    const bool before = term.starts_with('*'), after = term.size() > 1 && term.ends_with('*');
    if (op.starts_with("has") && (before || after)) {
        term.remove_prefix(before);
        term.remove_suffix(after);
        const std::string_view cased = op.ends_with("_cs") ? "_cs" : "";
        op = fmt::format("{}{}", before && after ? "contains" : before ? "hassuffix" : "hasprefix", cased);
    }
    ExprPtr found;
    for (const auto& field : relation.fields) {
        if (field.value->type != String && field.value->type != Dynamic) continue;
        const auto one =
            FIELDWATCH_TRY(text_operator(op, field.value, text_constant(std::string(term)), span));
        found = found ? call(Bool, "({0} OR {1})", {found, one}) : one;
    }
    return found ? found : constant(Bool, false);
}

/// A search's predicate: terms that any column has, conditions, and both joined by and, or, not().
Parsed<ExprPtr> Binder::search_condition(const Relation& relation, const Node& node, std::string_view has) {
    if (node.kind == NodeKind::Literal && node.token.kind == TokenKind::Text)
        return found_anywhere(relation, std::string(has), node.token.text, node.span);
    if (node.kind == NodeKind::Star) return constant(Bool, true);
    if (node.kind == NodeKind::Call && node.text == "not" && node.args.size() == 1) {
        const auto inner = FIELDWATCH_TRY(search_condition(relation, *node.args[0], has));
        return call(Bool, "(NOT {0})", {inner});
    }
    if (node.kind == NodeKind::Binary && (node.text == "and" || node.text == "or")) {
        ExprPtr all;
        for (const auto& arg : node.args) {
            const auto one = FIELDWATCH_TRY(search_condition(relation, *arg, has));
            all = all ? call(Bool, node.text == "and" ? "({0} AND {1})" : "({0} OR {1})", {all, one}) : one;
        }
        return all;
    }
    if (node.kind == NodeKind::Binary && node.args[0]->kind == NodeKind::Star) {
        const auto term = text_value(FIELDWATCH_TRY(expression(*node.args[1], {})));
        if (!term) return semantic_error(node.args[1]->span, "the term is a constant string");
        return found_anywhere(relation, node.text, *term, node.span);
    }
    return boolean(node, {.relation = &relation});
}

Parsed<> Binder::search(Relation& relation, const Operator& op) {
    if (!op.inputs.empty()) return unsupported(op.span, "'search in (…)' begins a query");
    filter(relation, FIELDWATCH_TRY(search_condition(relation, *op.on, search_form(op))));
    return {};
}

Parsed<Relation> Binder::search_tables(const Operator& op) {
    Operator inner;
    std::vector<Relation> inputs;
    std::vector<std::string> names;
    const auto add = [&](Relation relation, std::string name) -> Parsed<> {
        filter(relation, FIELDWATCH_TRY(search_condition(relation, *op.on, search_form(op))));
        inputs.push_back(std::move(relation));
        names.push_back(std::move(name));
        return {};
    };
    for (const auto& input : op.inputs) {
        auto table = FIELDWATCH_TRY(source(*input.source));
        FIELDWATCH_TRY(add(std::move(table), input.source->text));
    }
    std::optional<Failure> last;
    for (const auto& table : catalog_.tables) {
        if (table.alias || !op.inputs.empty()) continue;
        // A table without a column that the predicate names is passed over.
        auto added = add(FIELDWATCH_TRY(scan(table)), table.name);
        if (!added) last = added.error();
    }
    if (inputs.empty() && last) return std::unexpected(*last);
    if (inputs.empty()) return semantic_error(op.span, "there is no table to search");
    inner.name = "union";
    inner.span = op.span;
    inner.parameters.emplace_back("withsource", "$table");
    return union_of(std::move(inputs), std::move(names), inner);
}

}  // namespace fieldwatch::kql
