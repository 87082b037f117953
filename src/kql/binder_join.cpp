// Operators that bring two tables together or take values apart: join, lookup, mv-expand.
#include <algorithm>

#include <fmt/format.h>

#include "kql/binder.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

/// What other languages call a kind of join.
std::string_view kind_called_here(std::string_view kind) {
    constexpr std::pair<std::string_view, std::string_view> kNames[] = {{"outer", "fullouter"},
                                                                        {"full", "fullouter"},
                                                                        {"left", "leftouter"},
                                                                        {"right", "rightouter"},
                                                                        {"semi", "leftsemi"}};
    for (const auto& [theirs, ours] : kNames) {
        if (theirs == kind) return ours;
    }
    return "";
}

bool has_column(const Relation& relation, std::string_view name) {
    return std::ranges::find(relation.fields, name, &Field::name) != relation.fields.end();
}

/// Strings of a side without a match are '', not null.
void fill_strings(Relation& relation) {
    for (auto& field : relation.fields) {
        if (field.value->type == String) field.value = call(String, "coalesce({0}, '')", {field.value});
    }
}

}  // namespace

Parsed<> Binder::join(Relation& left, const Operator& op) {
    auto right = FIELDWATCH_TRY(source(*op.inputs[0].source));
    const bool lookup = op.name == "lookup";
    auto kind = op.parameter("kind");
    if (kind.empty()) kind = lookup ? "leftouter" : "innerunique";
    if (lookup && kind != "leftouter" && kind != "inner")
        return semantic_error(op.place("kind"),
                              fmt::format("lookup's kind is leftouter or inner, not '{}'", kind));
    static const std::map<std::string, JoinKind> kKinds{
        {"inner", JoinKind::Inner},           {"innerunique", JoinKind::Inner},
        {"leftouter", JoinKind::LeftOuter},   {"rightouter", JoinKind::RightOuter},
        {"fullouter", JoinKind::FullOuter},   {"leftsemi", JoinKind::LeftSemi},
        {"leftanti", JoinKind::LeftAnti},     {"anti", JoinKind::LeftAnti},
        {"leftantisemi", JoinKind::LeftAnti}, {"rightsemi", JoinKind::LeftSemi},
        {"rightanti", JoinKind::LeftAnti},    {"rightantisemi", JoinKind::LeftAnti}};
    const auto known = kKinds.find(kind);
    if (known == kKinds.end()) {
        std::vector<std::string> names;
        for (const auto& [name, unused] : kKinds)
            names.push_back(name);
        if (const auto ours = kind_called_here(kind); !ours.empty())
            return semantic_error(op.place("kind"),
                                  fmt::format("unknown join kind '{}'; here it is called '{}'", kind, ours));
        return semantic_error(op.place("kind"),
                              fmt::format("unknown join kind '{}'{}", kind, did_you_mean(kind, names)));
    }
    for (const auto& [key, value] : op.parameters) {
        if (key != "kind" && !key.starts_with("hint."))
            return semantic_error(op.span, fmt::format("{} has no parameter '{}'", op.name, key));
    }
    left.order.clear();
    right.order.clear();
    seal(left);
    seal(right);
    auto plan = make_plan(PlanKind::Join, {});
    plan->join = known->second;
    std::vector<ExprPtr> left_keys;
    std::set<std::string> right_keys;
    std::vector<const Node*> keys;
    for (const auto& item : op.items) {  // conditions joined by 'and' are so many keys
        const bool joined = item.value->kind == NodeKind::Binary && item.value->text == "and";
        if (!joined) keys.push_back(item.value.get());
        for (const auto& each : item.value->args) {
            if (joined) keys.push_back(each.get());
        }
    }
    for (const auto* key : keys) {
        const auto& node = *key;
        ExprPtr a, b;
        if (node.kind == NodeKind::Name) {
            const bool in_left = has_column(left, node.text), in_right = has_column(right, node.text);
            if (in_left != in_right)
                return semantic_error(
                    node.span, fmt::format("the {0} table has no column '{1}'; columns of two names are "
                                           "joined as $left.{2} == $right.{3}{4}",
                                           in_left ? "right" : "left", node.text, in_left ? node.text : "…",
                                           in_left ? "…" : node.text,
                                           did_you_mean(node.text, visible_names(in_left ? &right : &left))));
            a = FIELDWATCH_TRY(name(node, {.relation = &left}));
            b = FIELDWATCH_TRY(name(node, {.relation = &right}));
            right_keys.insert(node.text);
        } else if (node.kind == NodeKind::Binary && node.text == "==" && node.args.size() == 2) {
            const auto side = [](const Node& n) {
                return n.kind == NodeKind::Member && n.args[0]->kind == NodeKind::Name ? n.args[0]->text
                                                                                       : std::string();
            };
            const bool swapped = side(*node.args[0]) == "$right";
            const auto& l = *node.args[swapped];
            const auto& r = *node.args[!swapped];
            if (side(l) != "$left" || side(r) != "$right")
                return semantic_error(node.span, "a join key is a column's name, or $left.A == $right.B");
            a = FIELDWATCH_TRY(member(l, {.relation = &left, .right = &right}));
            b = FIELDWATCH_TRY(member(r, {.relation = &left, .right = &right}));
            right_keys.insert(r.text);
        } else {
            return semantic_error(node.span, "a join key is a column's name, or $left.A == $right.B");
        }
        if (a->type == Dynamic || b->type == Dynamic)
            return semantic_error(
                node.span, "tables are not joined on a dynamic value; convert it first, with tostring(…)");
        FIELDWATCH_TRY(common_type({&a, &b}, {node.span, node.span}, "join"));
        left_keys.push_back(a);
        plan->exprs.push_back(a);
        plan->exprs.push_back(b);
    }
    auto left_plan = left.plan;
    if (kind == "innerunique") {
        auto unique = make_plan(PlanKind::DistinctOn, {left.plan});
        unique->exprs = left_keys;
        left_plan = unique;
    }
    plan->inputs = {left_plan, right.plan};
    const bool right_side = kind.starts_with("right") && kind != "rightouter";
    if (right_side) {
        std::swap(plan->inputs[0], plan->inputs[1]);
        for (std::size_t i = 0; i + 1 < plan->exprs.size(); i += 2)
            std::swap(plan->exprs[i], plan->exprs[i + 1]);
        left.fields = std::move(right.fields);
        right.fields.clear();
    }
    if (plan->join == JoinKind::RightOuter || plan->join == JoinKind::FullOuter) fill_strings(left);
    if (plan->join == JoinKind::LeftOuter || plan->join == JoinKind::FullOuter) fill_strings(right);
    if (plan->join != JoinKind::LeftSemi && plan->join != JoinKind::LeftAnti) {
        for (auto& field : right.fields) {
            if (field.hidden || (lookup && right_keys.contains(field.name))) continue;
            add_field(left.fields, field.name, field.value);
        }
    }
    left.plan = std::move(plan);
    return {};
}

/// The elements of an array, the pairs of a bag, or the one value that it is.
/// The items' values; where one asks another table, all as columns, since none may stand in what goes over a
/// list.
Parsed<std::vector<ExprPtr>> Binder::settled(Relation& relation, const std::vector<Item>& items) {
    std::vector<ExprPtr> values;
    for (const auto& item : items)
        values.push_back(FIELDWATCH_TRY(expression(*item.value, {.relation = &relation})));
    if (std::ranges::none_of(values, [](const ExprPtr& value) { return value->subquery; })) return values;
    const auto own = relation.fields.size();
    for (auto& value : values)
        relation.fields.push_back({"$settled", std::move(value), true});
    seal(relation);
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = relation.fields[own + i].value;
    relation.fields.resize(own);
    return values;
}

Parsed<> Binder::mv_expand(Relation& relation, const Operator& op) {
    std::string pairs =
        "CAST(json_object(e, json_extract({0}, '/' || replace(replace(e, '~', '~0'), '/', '~1'))) AS "
        "VARCHAR)";
    std::string index_name;
    for (const auto& [key, value] : op.parameters) {
        if (key == "with_itemindex") {
            index_name = value;
        } else if ((key == "bagexpansion" || key == "kind") && value == "array") {
            pairs =
                "CAST(json_array(e, json_extract({0}, '/' || replace(replace(e, '~', '~0'), '/', '~1'))) AS "
                "VARCHAR)";
        } else if ((key != "bagexpansion" && key != "kind") || value != "bag") {
            return unsupported(op.span,
                               fmt::format("{}'s parameter '{}={}' is not supported", op.name, key, value));
        }
    }
    std::string slice;
    if (op.count)
        slice = fmt::format("[1:{}]", FIELDWATCH_TRY(constant_count(*op.count, "limit", INT32_MAX)));
    const auto list =
        "(CASE coalesce(json_type({0}), 'NULL') WHEN 'ARRAY' THEN CAST(json_extract({0}, '$[*]') AS "
        "VARCHAR[]) WHEN 'OBJECT' THEN list_transform(json_keys({0}), lambda e: " +
        pairs + ") ELSE [{0}] END)" + slice;
    std::vector<ExprPtr> lists;
    const auto values = FIELDWATCH_TRY(settled(relation, op.items));
    auto plan = make_plan(PlanKind::Unnest, {relation.plan});
    auto result = relation;
    for (std::size_t i = 0; i < op.items.size(); ++i) {
        const auto& item = op.items[i];
        const auto& value = values[i];
        if (value->type != Dynamic)
            return semantic_error(item.span, fmt::format("{} takes apart dynamic values, but this is {}",
                                                         op.name, to_string(value->type)));
        auto name = item.names.empty() ? default_name(*item.value) : item.names[0];
        if (name.empty()) name = "Column1";
        const auto id = new_id();
        lists.push_back(call(Dynamic, list, {value}));
        plan->columns.push_back({id, lists.back()});
        ExprPtr element = call(Dynamic, "nullif({0}, 'null')", {column_ref(id, Dynamic)});
        if (!item.type.empty()) element = convert(element, *type_by_name(item.type));
        set_field(result, std::move(name), std::move(element));
    }
    if (!index_name.empty()) {
        const auto id = new_id();
        std::string lengths;
        for (std::size_t i = 0; i < lists.size(); ++i)
            lengths += fmt::format("{}len({{{}}})", i ? ", " : "", i);
        plan->columns.push_back({id, call(Dynamic, "range(greatest(" + lengths + "))", lists)});
        set_field(result, index_name, column_ref(id, Long));
    }
    result.plan = std::move(plan);
    relation = std::move(result);
    return {};
}

}  // namespace fieldwatch::kql
