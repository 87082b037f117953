// find: the rows of several tables that meet one condition, with the columns they share; the rest in a bag.
#include <algorithm>

#include <fmt/format.h>

#include "kql/binder.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

/// The names that a condition reads, and whether it also looks through all columns.
struct Mentioned {
    std::vector<std::string> names;
    bool anywhere = false;
};
void read_names(const Node& node, Mentioned& found) {
    if (node.kind == NodeKind::Name && std::ranges::find(found.names, node.text) == found.names.end())
        found.names.push_back(node.text);
    if (node.kind == NodeKind::Star) found.anywhere = true;
    const bool joins = node.kind == NodeKind::Binary && (node.text == "and" || node.text == "or");
    for (const auto& arg : node.args) {
        const bool term = arg->kind == NodeKind::Literal && arg->token.kind == TokenKind::Text;
        if (term && (joins || (node.kind == NodeKind::Call && node.text == "not"))) found.anywhere = true;
        read_names(*arg, found);
    }
}

const Field* visible(const Relation& relation, std::string_view name) {
    const auto at = std::ranges::find_if(
        relation.fields, [&](const Field& field) { return field.name == name && !field.hidden; });
    return at == relation.fields.end() ? nullptr : &*at;
}

struct Wanted {
    std::string name;
    std::optional<ColumnType> type;
    Span span;
};

}  // namespace

Parsed<Relation> Binder::find_tables(const Operator& op) {
    Operator of_union;
    of_union.name = "find";
    of_union.span = op.span;
    auto source_name = op.parameter("withsource");
    for (const auto& [key, value] : op.parameters) {
        if (key != "withsource" && key != "datascope" && !key.starts_with("hint."))
            return semantic_error(op.span, fmt::format("find has no parameter '{}'", key));
    }
    if (source_name.empty()) source_name = "source_";
    of_union.parameters.emplace_back("withsource", source_name);
    std::vector<Relation> inputs;
    std::vector<std::string> names;
    for (const auto& input : op.inputs)
        FIELDWATCH_TRY(union_input(input, of_union, inputs, names));
    for (const auto& table : catalog_.tables) {
        if (table.alias || !op.inputs.empty()) continue;
        inputs.push_back(FIELDWATCH_TRY(scan(table)));
        names.push_back(table.name);
    }
    Mentioned mentioned;
    read_names(*op.on, mentioned);
    mentioned.anywhere |= op.on->kind == NodeKind::Literal;
    std::erase_if(mentioned.names, [&](const std::string& name) { return defined(name) != nullptr; });
    // A column that another table has is null here; a table with none of them is passed over.
    std::map<std::string, ColumnType> types;
    std::vector<std::string> known;
    for (const auto& input : inputs) {
        for (const auto& field : input.fields) {
            if (!field.hidden) types.try_emplace(field.name, field.value->type);
        }
    }
    for (const auto& [name, type] : types)
        known.push_back(name);
    for (std::size_t i = inputs.size(); i-- > 0;) {
        const bool any = std::ranges::any_of(
            mentioned.names, [&](const std::string& name) { return visible(inputs[i], name) != nullptr; });
        if (any || mentioned.anywhere || mentioned.names.empty()) continue;
        inputs.erase(inputs.begin() + static_cast<std::ptrdiff_t>(i));
        names.erase(names.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (inputs.empty()) {
        const auto& wrong = mentioned.names.empty() ? std::string("*") : mentioned.names.front();
        return semantic_error(op.on->span,
                              fmt::format("no table has a column '{}'{}", wrong, did_you_mean(wrong, known)));
    }
    for (auto& input : inputs) {
        auto whole = input;
        for (const auto& name : mentioned.names) {
            const auto type = types.find(name);
            if (type != types.end() && !visible(input, name))
                whole.fields.push_back({name, null_of(type->second)});
        }
        const auto condition = FIELDWATCH_TRY(search_condition(whole, *op.on, "has"));
        filter(input, condition);
    }
    std::vector<Wanted> wanted;
    bool packs = !op.has_by;
    for (const auto& item : op.by) {
        if (item.order == "pack")
            packs = true;
        else if (!types.contains(item.names[0]))
            return semantic_error(item.span, fmt::format("no table has a column '{}'{}", item.names[0],
                                                         did_you_mean(item.names[0], known)));
        else
            wanted.push_back({item.names[0], type_by_name(item.type), item.span});
    }
    if (!op.has_by) {  // what all of them have, and what the condition reads
        for (const auto& input : inputs) {
            for (const auto& field : input.fields) {
                const bool read = std::ranges::find(mentioned.names, field.name) != mentioned.names.end();
                const bool common = std::ranges::all_of(inputs, [&](const Relation& other) {
                    const auto* own = visible(other, field.name);
                    return own && own->value->type == field.value->type;
                });
                if (!field.hidden && (read || common) &&
                    std::ranges::find(wanted, field.name, &Wanted::name) == wanted.end())
                    wanted.push_back({field.name, std::nullopt, op.span});
            }
        }
    }
    bool any_rest = op.has_by;
    for (auto& input : inputs) {
        std::vector<Field> chosen;
        std::vector<std::pair<ExprPtr, ExprPtr>> rest;
        for (const auto& column : wanted) {
            const auto* field = visible(input, column.name);
            const auto value = field ? field->value : null_of(types.at(column.name));
            if (field || op.has_by)
                chosen.push_back({column.name, column.type ? convert(value, *column.type) : value});
        }
        for (const auto& field : input.fields) {
            if (!field.hidden && std::ranges::find(wanted, field.name, &Wanted::name) == wanted.end())
                rest.emplace_back(text_constant(field.name), field.value);
        }
        any_rest |= !rest.empty();
        if (packs) chosen.push_back({"pack_", FIELDWATCH_TRY(bag(*op.on, std::move(rest)))});
        input.fields = std::move(chosen);
    }
    if (!any_rest) {
        for (auto& input : inputs)
            std::erase_if(input.fields, [](const Field& field) { return field.name == "pack_"; });
    }
    return union_of(std::move(inputs), std::move(names), of_union);
}

}  // namespace fieldwatch::kql
