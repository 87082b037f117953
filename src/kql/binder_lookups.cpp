// Plugins of evaluate that bring another table in, or look for what the rows have in common: ipv4_lookup and
// ipv6_lookup, basket, dcount_intersect.
#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "kql/binder.hpp"
#include "kql/functions_sql.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

constexpr std::size_t kBasketColumnsMax = 10;

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

/// basket([threshold [, '~' [, most values]]]): each combination of values that at least
/// that part of the rows share. Where a combination says nothing of a column it is '' or null. Of those that
/// the same rows share, the one that says most.
Parsed<> Binder::basket(Relation& relation, const Operator& op) {
    const auto& node = *op.on;
    double threshold = 0.05;
    std::int64_t most = 5;
    const auto passed_over = [](const Node& arg) {
        return arg.kind == NodeKind::Literal && arg.token.kind == TokenKind::Text && arg.token.text == "~";
    };
    if (node.args.size() > 3 || (node.args.size() > 1 && !passed_over(*node.args[1])))
        return unsupported(node.span,
                           "basket takes a threshold, '~' in place of a weight, and the most values of "
                           "one combination");
    if (!node.args.empty() && !passed_over(*node.args[0])) {
        const auto value = widen(FIELDWATCH_TRY(expression(*node.args[0], {})), Real);
        const auto* whole = value ? std::get_if<double>(&value->value) : nullptr;
        if (!whole || !(*whole >= 0.015 && *whole <= 1))
            return semantic_error(node.args[0]->span, "the threshold is a constant of 0.015 to 1");
        threshold = *whole;
    }
    if (node.args.size() > 2) most = FIELDWATCH_TRY(constant_count(*node.args[2], "basket", 100));
    relation.order.clear();
    std::vector<Field> columns;
    for (const auto& field : relation.fields) {
        if (!field.hidden && field.value->type != Dynamic) columns.push_back(field);
    }
    if (columns.empty()) return semantic_error(node.span, "basket needs a column that is not dynamic");
    if (columns.size() > kBasketColumnsMax)
        return unsupported(node.span, fmt::format("basket looks at most at {} columns: project those first",
                                                  kBasketColumnsMax));
    relation.fields = columns;
    seal(relation);
    relation.plan = make_plan(PlanKind::Shared, {relation.plan});
    // One grouping for each choice of columns, one under the other.
    auto all = make_plan(PlanKind::Union, {});
    const auto count_all = [&](const PlanPtr& input) {
        auto plan = make_plan(PlanKind::Aggregate, {input});
        plan->columns.push_back({new_id(), aggregate_call(Long, "count(*)", {})});
        return plan;
    };
    for (std::size_t i = 0; i < columns.size() + 1; ++i)
        all->scan_ids.push_back(new_id());
    for (std::size_t choice = 1; choice < (std::size_t{1} << columns.size()); ++choice) {
        if (std::popcount(choice) > most) continue;
        auto group = count_all(relation.plan);
        auto told = make_plan(PlanKind::Filter, {group});
        auto& row = all->rows.emplace_back();
        row.push_back(column_ref(group->columns[0].id, Long));
        for (std::size_t i = 0; i < columns.size(); ++i) {
            const auto& value = relation.fields[i].value;
            const auto id = new_id();
            if ((choice >> i & 1) != 0) {
                group->keys.push_back({id, value});
                row.push_back(column_ref(id, value->type));
                told->exprs.push_back(call(Bool, "({0} IS NOT NULL)", {row.back()}));
                continue;
            }
            row.push_back(null_of(value->type));
            if (std::popcount(choice) == most) continue;
            // Where all rows have one value of this column too, the combination that names it says more.
            group->columns.push_back(
                {id, aggregate_call(Bool, "(count({0}) < count(*) OR min({0}) <> max({0}))", {value})});
            told->exprs.push_back(column_ref(id, Bool));
        }
        all->inputs.push_back(told);
    }
    const auto total = scalar_of(count_all(relation.plan), Long);
    const auto count = column_ref(all->scan_ids[0], Long);
    Relation result{.plan = all};
    result.fields.push_back({"Count", count});
    result.fields.push_back({"Percent", call(Real, "({0} * 100.0 / {1})", {count, total})});
    // A quotient of its own: 7 of 100 are no fewer than 0.07, but 0.07 * 100 is more than 7.
    result.fields.push_back({"$share", call(Real, "(CAST({0} AS DOUBLE) / {1})", {count, total})});
    for (std::size_t i = 0; i < columns.size(); ++i)
        result.fields.push_back({columns[i].name, column_ref(all->scan_ids[i + 1], columns[i].value->type)});
    seal(result);
    filter(result, call(Bool, "({0} >= {1})", {result.fields[2].value, constant(Real, threshold)}));
    result.fields.erase(result.fields.begin() + 2);
    result.order = {{result.fields[0].value, true, false}};
    for (std::size_t i = 2; i < result.fields.size(); ++i)
        result.order.push_back({result.fields[i].value, false, true});
    auto number = std::make_shared<Expr>(*call(Long, "(row_number() OVER ({order}) - 1)", {}));
    number->window = true;
    number->order = result.order;
    result.fields.insert(result.fields.begin(), {"SegmentId", ExprPtr(number)});
    seal(result);
    relation = std::move(result);
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
