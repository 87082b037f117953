// Plugins of evaluate that bring another table or several sketches together: ipv4_lookup and ipv6_lookup,
// dcount_intersect.
#include <algorithm>

#include <fmt/format.h>

#include "kql/binder.hpp"
#include "kql/functions_sql.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

/// How many bits the network {0} leaves; those of an IPv4 address count from the 96th.
constexpr std::string_view kIpv6Bits =
    "coalesce(TRY_CAST(nullif(split_part({0}, '/', 2), '') AS BIGINT) + CASE WHEN contains({0}, ':') THEN 0 "
    "ELSE 96 END, 128)";
/// The last address, in hexadecimal digits, of a network that begins with {0} and leaves {1} bits.
constexpr std::string_view kLastOfNetwork =
    "(left({0}, {1} // 4) || CASE WHEN {1} < 128 THEN substring('0123456789abcdef', "
    "CAST(strpos('0123456789abcdef', substring({0}, {1} // 4 + 1, 1)) + pow(2, 4 - {1} % 4) - 1 AS BIGINT), "
    "1) "
    "|| repeat('f', 31 - {1} // 4) ELSE '' END)";

}  // namespace

/// ipv4_lookup(Table, Address, Network [, Key …] [, return_unmatched = true]), and ipv6_lookup: the rows of
/// the table whose network holds the address.
Parsed<> Binder::address_lookup(Relation& relation, const Operator& op) {
    const auto& node = *op.on;
    if (node.args.size() < 3 || node.args[1]->kind != NodeKind::Name || node.args[2]->kind != NodeKind::Name)
        return semantic_error(
            node.span,
            fmt::format("{} takes a table, a column of addresses and the table's column of networks",
                        node.text));
    auto table = FIELDWATCH_TRY(source(*node.args[0]));
    table.order.clear();
    relation.order.clear();
    seal(table);
    seal(relation);
    const auto address = FIELDWATCH_TRY(name(*node.args[1], {.relation = &relation}));
    const auto network = FIELDWATCH_TRY(name(*node.args[2], {.relation = &table}));
    bool unmatched = false;
    auto plan = make_plan(PlanKind::Join, {});
    std::set<std::string> keys;
    for (std::size_t i = 3; i < node.args.size(); ++i) {
        const bool is_named = node.args[i]->kind == NodeKind::Assign;
        const auto& arg = is_named ? *node.args[i]->args[0] : *node.args[i];
        if (arg.kind == NodeKind::Name && !is_named) {
            auto left = FIELDWATCH_TRY(name(arg, {.relation = &relation}));
            auto right = FIELDWATCH_TRY(name(arg, {.relation = &table}));
            FIELDWATCH_TRY(common_type({&left, &right}, {arg.span, arg.span}, node.text));
            plan->exprs.insert(plan->exprs.end(), {left, right});
            keys.insert(arg.text);
            continue;
        }
        const auto flag = FIELDWATCH_TRY(expression(arg, {}));
        if ((is_named && node.args[i]->text != "return_unmatched") ||
            !std::holds_alternative<bool>(flag->value))
            return semantic_error(node.args[i]->span, "return_unmatched is true or false");
        unmatched = std::get<bool>(flag->value);
    }
    // Numbers, or digits, that are columns, so that the engine can join by order.
    const bool six = node.text == "ipv6_lookup";
    const auto begin_of = [&](const ExprPtr& value) -> Parsed<ExprPtr> {
        auto begin =
            FIELDWATCH_TRY(call_of(node, six ? "parse_ipv6" : "parse_ipv4", {to_string_expr(value)}));
        return six ? call(String, "nullif(replace({0}, ':', ''), '')", {std::move(begin)}) : begin;
    };
    relation.fields.push_back({"$address", FIELDWATCH_TRY(begin_of(address)), true});
    const auto low = FIELDWATCH_TRY(begin_of(network));
    const auto bits = six ? call(Long, std::string(kIpv6Bits), {to_string_expr(network)})
                          : FIELDWATCH_TRY(call_of(node, "ipv4_netmask_suffix", {to_string_expr(network)}));
    table.fields.push_back({"$low", low, true});
    table.fields.push_back(
        {"$high",
         six ? call(String, std::string(kLastOfNetwork), {low, bits})
             : call(Long, "({0} + (CAST(1 AS BIGINT) << CAST(32 - {1} AS INTEGER)) - 1)", {low, bits}),
         true});
    for (std::size_t i = 0; i + 1 < plan->exprs.size(); i += 2) {
        relation.fields.push_back({"$key", plan->exprs[i], true});
        table.fields.push_back({"$key", plan->exprs[i + 1], true});
    }
    seal(relation);
    seal(table);
    const auto count = plan->exprs.size() / 2;
    for (std::size_t i = 0; i < count; ++i) {
        plan->exprs[2 * i] = relation.fields[relation.fields.size() - count + i].value;
        plan->exprs[2 * i + 1] = table.fields[table.fields.size() - count + i].value;
    }
    const auto at = table.fields.size() - count;
    plan->condition = call(Bool, "({0} >= {1} AND {0} <= {2})",
                           {relation.fields[relation.fields.size() - count - 1].value,
                            table.fields[at - 2].value, table.fields[at - 1].value});
    plan->join = unmatched ? JoinKind::LeftOuter : JoinKind::Inner;
    plan->inputs = {relation.plan, table.plan};
    std::erase_if(relation.fields, [](const Field& field) { return field.name.starts_with('$'); });
    for (const auto& field : table.fields) {
        if (field.hidden || keys.contains(field.name)) continue;
        add_field(relation.fields, field.name,
                  unmatched && field.value->type == String ? call(String, "coalesce({0}, '')", {field.value})
                                                           : field.value);
    }
    relation.plan = std::move(plan);
    return {};
}

/// dcount_intersect(Sketch, …): how many values the first has, the first two have in common, the first three
/// …
Parsed<> Binder::dcount_intersect(Relation& relation, const Operator& op) {
    const auto& node = *op.on;
    if (node.args.size() < 2 || node.args.size() > 16)
        return semantic_error(node.span, "dcount_intersect takes 2 to 16 columns of what hll() gives");
    auto fields = relation.fields;
    ExprPtr common;
    for (std::size_t i = 0; i < node.args.size(); ++i) {
        const auto sketch = FIELDWATCH_TRY(expression(*node.args[i], {.relation = &relation}));
        if (sketch->type != Dynamic)
            return semantic_error(node.args[i]->span,
                                  fmt::format("dcount_intersect takes what hll() gives, but this is {}",
                                              to_string(sketch->type)));
        common = i == 0
                     ? sketch
                     : call(Dynamic,
                            IF_ARRAYS("{0}", "{1}",
                                      AS_ARRAY("list_intersect(" ELEMENTS("{0}") ", " ELEMENTS("{1}") ")")),
                            {common, sketch});
        add_field(fields, fmt::format("s{}", i), FIELDWATCH_TRY(call_of(node, "dcount_hll", {common})));
    }
    relation.fields = std::move(fields);
    return {};
}

}  // namespace fieldwatch::kql
