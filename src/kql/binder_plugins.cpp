// evaluate's plugins, whose columns may be named by what the rows hold.
#include <algorithm>

#include <fmt/format.h>

#include "kql/binder.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

void add_names(const Node& node, std::set<std::string>& names) {
    if (node.kind == NodeKind::Name) names.insert(node.text);
    for (const auto& arg : node.args)
        add_names(*arg, names);
}

/// The type that holds all values of these JSON types; nulls are of any.
ColumnType type_of(std::string_view types) {
    bool whole = false, real = false, text = false, boolean = false, other = false;
    while (!types.empty()) {
        const auto one = types.substr(0, types.find(','));
        types.remove_prefix(std::min(one.size() + 1, types.size()));
        if (one == "BIGINT" || one == "UBIGINT")
            whole = true;
        else if (one == "DOUBLE")
            real = true;
        else if (one == "VARCHAR")
            text = true;
        else if (one == "BOOLEAN")
            boolean = true;
        else if (one != "NULL")
            other = true;
    }
    if (other || (whole || real) + text + boolean != 1) return Dynamic;
    if (text) return String;
    if (boolean) return Bool;
    return real ? Real : Long;
}

/// Where a plugin's argument `name = value` stands, or nullptr.
const Node* named(const Node& call, std::string_view name) {
    for (const auto& arg : call.args) {
        if (arg->kind == NodeKind::Assign && arg->text == name) return arg->args[0].get();
    }
    return nullptr;
}

}  // namespace

Parsed<> Binder::evaluate(Relation& relation, const Operator& op) {
    const auto& plugin = op.on->text;
    if (plugin == "bag_unpack") return bag_unpack(relation, op);
    if (plugin == "pivot") return pivot(relation, op);
    if (plugin == "narrow") return narrow(relation, op);
    if (plugin == "ipv4_lookup" || plugin == "ipv6_lookup") return address_lookup(relation, op);
    if (plugin == "dcount_intersect") return dcount_intersect(relation, op);
    if (plugin == "basket") return basket(relation, op);
    if (plugin == "autocluster") return autocluster(relation, op);
    if (plugin == "diffpatterns") return diffpatterns(relation, op);
    return unsupported(op.on->span, fmt::format("the plugin '{}' is not supported", plugin));
}

/// What rows of two strings (a column's name, its values' types) answer, in the order of the names. Asked
/// only once: the query is compiled again with the answer.
Parsed<std::vector<DiscoveredColumn>> Binder::discover(Relation relation, const Operator& op) {
    const auto index = discoveries_++;
    const auto most = options_.limits.discovered_max;
    if (index < options_.discovered.size()) {
        if (options_.discovered[index].size() > most)
            return limit_error(op.span, fmt::format("more than {} columns would come out", most));
        return options_.discovered[index];
    }
    if (index >= options_.limits.discoveries_max)
        return limit_error(op.span, fmt::format("more than {} plugins whose columns depend on the rows",
                                                options_.limits.discoveries_max));
    relation.order = {{relation.fields[0].value, false, true}};
    auto limit = make_plan(PlanKind::Limit, {relation.plan});
    limit->count = static_cast<std::int64_t>(most) + 1;
    limit->order = relation.order;
    BoundQuery query{.plan = limit, .order = relation.order, .render = {}, .typed_paths = typed_paths_};
    for (const auto& field : relation.fields) {
        query.columns.push_back({field.name, String});
        query.values.push_back(field.value);
    }
    query.discovery = true;
    discovery_ = std::move(query);
    return limit_error(op.span, "the columns have to be asked for first");
}

/// bag_unpack(Bag [, 'prefix'] [, columnsConflict = 'error' | 'replace_source' | 'keep_source']
/// [, ignoredProperties = dynamic([…])]): a column for each key of the bags.
Parsed<> Binder::bag_unpack(Relation& relation, const Operator& op) {
    const auto& node = *op.on;
    if (node.args.empty() || node.args[0]->kind != NodeKind::Name)
        return semantic_error(node.span, "bag_unpack takes a column of bags");
    const auto bag_name = node.args[0]->text;
    const auto bag = FIELDWATCH_TRY(expression(*node.args[0], {.relation = &relation}));
    if (bag->type != Dynamic)
        return semantic_error(
            node.args[0]->span,
            fmt::format("bag_unpack takes dynamic values, but this is {}", to_string(bag->type)));
    std::string prefix, conflict = "error";
    const auto constant_text = [&](const Node& argument) -> Parsed<std::string> {
        const auto text = text_value(FIELDWATCH_TRY(expression(argument, {})));
        if (!text) return semantic_error(argument.span, "a constant string is expected here");
        return *text;
    };
    if (node.args.size() > 1 && node.args[1]->kind != NodeKind::Assign)
        prefix = FIELDWATCH_TRY(constant_text(*node.args[1]));
    if (const auto* given = named(node, "OutputColumnPrefix")) prefix = FIELDWATCH_TRY(constant_text(*given));
    if (const auto* given = named(node, "columnsConflict")) conflict = FIELDWATCH_TRY(constant_text(*given));
    if (conflict != "error" && conflict != "replace_source" && conflict != "keep_source")
        return semantic_error(node.span, "columnsConflict is 'error', 'replace_source' or 'keep_source'");
    std::vector<std::string> ignored;
    if (const auto* given = named(node, "ignoredProperties")) {
        const auto list = FIELDWATCH_TRY(expression(*given, {}));
        const auto* json = std::get_if<std::string>(&list->value);
        ignored = json ? json_strings(*json).value_or(std::vector<std::string>{}) : ignored;
    }
    seal(relation);
    const auto sealed = FIELDWATCH_TRY(expression(*node.args[0], {.relation = &relation}));
    std::vector<std::pair<std::string, ColumnType>> keys;
    if (!op.items.empty()) {
        for (const auto& item : op.items) {
            const bool outer =
                std::ranges::find(relation.fields, item.names[0], &Field::name) != relation.fields.end();
            if (!outer || item.names[0] == bag_name)
                keys.emplace_back(item.names[0], *type_by_name(item.type));
        }
    } else {
        auto unnest = make_plan(PlanKind::Unnest, {relation.plan});
        const auto key = new_id();
        unnest->columns.push_back(
            {key, call(Dynamic, "CASE WHEN json_type({0}) = 'OBJECT' THEN json_keys({0}) END", {sealed})});
        const auto key_text = column_ref(key, String);
        auto by_key = make_plan(PlanKind::Aggregate, {unnest});
        const auto name = new_id(), types = new_id();
        by_key->keys.push_back({name, key_text});
        const auto all = aggregate_call(
            String,
            "string_agg(DISTINCT json_type(json_extract({0}, '/' || replace(replace({1}, '~', '~0'), '/', "
            "'~1'))), ',')",
            {sealed, key_text});
        by_key->columns.push_back({types, all});
        const auto found = FIELDWATCH_TRY(discover(
            {by_key, {{"name", column_ref(name, String)}, {"types", column_ref(types, String)}}, {}}, op));
        for (const auto& column : found)
            keys.emplace_back(column.name, type_of(column.types));
    }
    std::erase_if(relation.fields, [&](const Field& field) { return field.name == bag_name; });
    for (const auto& [key, type] : keys) {
        if (std::ranges::find(ignored, key) != ignored.end()) continue;
        const auto name = prefix + key;
        const auto value = convert(json_member(sealed, key), type);
        const auto there = std::ranges::find(relation.fields, name, &Field::name);
        if (there == relation.fields.end()) {
            relation.fields.push_back({name, value});
        } else if (conflict == "replace_source") {
            there->value = value;
        } else if (conflict == "error") {
            return semantic_error(node.span,
                                  fmt::format("the bags have a key '{}', which is a column already; give a "
                                              "prefix, or say columnsConflict = 'keep_source'",
                                              key));
        }
    }
    return {};
}

/// pivot(Column [, aggregate] [, Column …]): a column for each value of the first, by all others; or for
/// those values that a declared schema names.
Parsed<> Binder::pivot(Relation& relation, const Operator& op) {
    const auto& node = *op.on;
    if (node.args.empty() || node.args[0]->kind != NodeKind::Name)
        return semantic_error(node.span, "pivot takes the column whose values become columns");
    const bool counts = node.args.size() < 2 || node.args[1]->kind != NodeKind::Call;
    Node count;
    count.kind = NodeKind::Call;
    count.text = "count";
    count.span = node.span;
    const auto& aggregate_node = counts ? count : *node.args[1];
    std::set<std::string> used{node.args[0]->text};
    std::vector<Item> by;
    for (std::size_t i = counts ? 1 : 2; i < node.args.size(); ++i) {
        if (node.args[i]->kind != NodeKind::Name)
            return semantic_error(node.args[i]->span, "pivot's rows are told apart by columns");
        used.insert(node.args[i]->text);
    }
    const bool listed = node.args.size() > (counts ? 1 : 2);
    if (!listed) add_names(aggregate_node, used);
    seal(relation);
    const auto pivot_value =
        to_string_expr(FIELDWATCH_TRY(expression(*node.args[0], {.relation = &relation})));
    const auto aggregated =
        FIELDWATCH_TRY(expression(aggregate_node, {.relation = &relation, .aggregates = true}));
    if (!aggregated->aggregate)
        return semantic_error(aggregate_node.span, "pivot takes an aggregate, such as count() or sum(…)");
    auto inner = make_plan(PlanKind::Aggregate, {relation.plan});
    auto outer = make_plan(PlanKind::Aggregate, {});
    Relation result;
    const auto group = [&](const Field& field) -> Parsed<> {
        if (field.value->type == Dynamic)
            return semantic_error(node.span, fmt::format("pivot does not group by '{}', which is dynamic; "
                                                         "convert it first, or name the columns to group by",
                                                         field.name));
        const auto id = new_id(), out = new_id();
        inner->keys.push_back({id, field.value});
        outer->keys.push_back({out, column_ref(id, field.value->type)});
        result.fields.push_back({field.name, column_ref(out, field.value->type)});
        return {};
    };
    if (listed) {
        for (std::size_t i = counts ? 1 : 2; i < node.args.size(); ++i) {
            const auto value = FIELDWATCH_TRY(expression(*node.args[i], {.relation = &relation}));
            FIELDWATCH_TRY(group({node.args[i]->text, value}));
        }
    } else {
        for (const auto& field : relation.fields) {
            if (!field.hidden && !used.contains(field.name)) FIELDWATCH_TRY(group(field));
        }
    }
    std::vector<DiscoveredColumn> found;
    const auto groups = result.fields;
    const auto is_group = [&](const std::string& name) {
        return std::ranges::find(groups, name, &Field::name) != groups.end();
    };
    if (op.items.empty()) {
        auto distinct = make_plan(PlanKind::Aggregate, {relation.plan});
        const auto name = new_id();
        distinct->keys.push_back({name, pivot_value});
        found = FIELDWATCH_TRY(
            discover({distinct, {{"name", column_ref(name, String)}, {"types", text_constant("")}}, {}}, op));
    }
    for (const auto& item : op.items) {
        if (!is_group(item.names[0])) found.push_back({item.names[0], ""});
    }
    const auto of = new_id(), value = new_id();
    inner->keys.push_back({of, pivot_value});
    inner->columns.push_back({value, aggregated});
    outer->inputs = {inner};
    const auto& function = aggregate_node.text;
    const bool zero =
        function.starts_with("count") || function.starts_with("dcount") || function.starts_with("sum");
    const auto type = aggregated->type;
    std::size_t unnamed = 0;
    for (const auto& column : found) {
        const auto id = new_id();
        const auto cell =
            aggregate_call(type,
                           zero             ? "coalesce(any_value({0}) FILTER (WHERE {1} = {2}), 0)"
                           : type == String ? "coalesce(any_value({0}) FILTER (WHERE {1} = {2}), '')"
                                            : "any_value({0}) FILTER (WHERE {1} = {2})",
                           {column_ref(value, type), column_ref(of, String), text_constant(column.name)});
        outer->columns.push_back({id, cell});
        add_field(result.fields, column.name.empty() ? fmt::format("Column{}", ++unnamed) : column.name,
                  column_ref(id, type));
    }
    if (!op.items.empty()) {
        auto declared = op.has_by ? groups : std::vector<Field>{};
        for (const auto& item : op.items) {
            if (op.has_by && is_group(item.names[0])) continue;
            const auto& value = std::ranges::find(result.fields, item.names[0], &Field::name)->value;
            const auto wanted = *type_by_name(item.type);
            add_field(declared, item.names[0], value->type == wanted ? value : convert(value, wanted));
        }
        result.fields = std::move(declared);
    }
    result.plan = outer;
    relation = std::move(result);
    return {};
}

/// narrow(): a row for each cell.
Parsed<> Binder::narrow(Relation& relation, const Operator& op) {
    if (!op.on->args.empty()) return semantic_error(op.on->span, "narrow takes no argument");
    auto number = std::make_shared<Expr>(*call(Long, "(row_number() OVER ({order}) - 1)", {}));
    number->order = relation.order;
    relation.fields.push_back({"$row", ExprPtr(number), true});
    seal(relation);
    const auto row = relation.fields.back().value;
    relation.fields.pop_back();
    std::vector<ExprPtr> names, values;
    for (const auto& field : relation.fields) {
        if (field.hidden) continue;
        names.push_back(text_constant(field.name));
        values.push_back(to_string_expr(field.value));
    }
    auto plan = make_plan(PlanKind::Unnest, {relation.plan});
    const auto name = new_id(), value = new_id();
    plan->columns.push_back({name, call(Dynamic, "[{*}]", std::move(names))});
    plan->columns.push_back({value, call(Dynamic, "[{*}]", std::move(values))});
    relation = {plan,
                {{"Row", row}, {"Column", column_ref(name, String)}, {"Value", column_ref(value, String)}},
                {{row, false, true}}};
    return {};
}

}  // namespace fieldwatch::kql
