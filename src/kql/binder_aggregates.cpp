// summarize, its aggregates, and how results are named that the query does not name.
#include <algorithm>

#include <fmt/format.h>

#include "kql/binder.hpp"
#include "kql/functions.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

ExprPtr aggregate_call(ColumnType type, std::string sql, std::vector<ExprPtr> args,
                       std::vector<SortKey> order = {}) {
    auto expr = std::make_shared<Expr>(*call(type, std::move(sql), std::move(args)));
    expr->aggregate = true;
    expr->order = std::move(order);
    return expr;
}

/// Calls whose result takes the name of their first argument.
bool named_by_argument(std::string_view name) {
    if (name == "tolower" || name == "toupper" || name == "tohex") return false;
    return name.starts_with("to") || name.starts_with("startof") || name.starts_with("endof") ||
           name == "bin" || name == "floor" || name == "parse_json";
}

}  // namespace

bool Binder::is_aggregate(std::string_view name) {
    return std::ranges::any_of(aggregate_rows(), [&](const SpecialRow& row) { return row.name == name; });
}

std::string Binder::default_name(const Node& node) const {
    switch (node.kind) {
        case NodeKind::Name:
            return node.text;
        case NodeKind::Member: {
            const auto base = default_name(*node.args[0]);
            return base.empty() ? node.text : base + "_" + node.text;
        }
        case NodeKind::Index: {
            const auto base = default_name(*node.args[0]);
            const auto& key = *node.args[1];
            if (key.kind != NodeKind::Literal ||
                (key.token.kind != TokenKind::Text && key.token.kind != TokenKind::Number))
                return "";
            std::string word;
            for (const char c : key.token.text)
                word.push_back(
                    (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ? c : '_');
            return base.empty() ? word : base + "_" + word;
        }
        case NodeKind::Call:
            break;
        default:
            return "";
    }
    const auto argument = node.args.empty() ? std::string() : default_name(*node.args[0]);
    if (is_aggregate(node.text)) {
        std::string prefix = node.text;
        if (prefix == "take_any") return argument;
        if (prefix == "makeset" || prefix == "make_set" || prefix == "make_set_if") prefix = "set";
        if (prefix == "makelist" || prefix == "make_list" || prefix == "make_list_if" ||
            prefix == "make_list_with_nulls")
            prefix = "list";
        if (prefix == "make_bag" || prefix == "make_bag_if") prefix = "bag";
        if (prefix.ends_with("if") && prefix != "countif") prefix.resize(prefix.size() - 2);
        if (prefix == "percentile" && node.args.size() == 2 && node.args[1]->kind == NodeKind::Literal)
            return fmt::format("percentile_{}_{}", argument, node.args[1]->token.text);
        return prefix + "_" + (prefix == "countif" ? "" : argument);
    }
    return named_by_argument(node.text) ? argument : "";
}

Parsed<ExprPtr> Binder::aggregate(const Node& node, const Scope& scope) {
    const auto& n = node.text;
    Scope inner = scope;
    inner.aggregates = false;
    auto args = FIELDWATCH_TRY(arguments(node, inner));
    const auto wrong = [&](std::string_view what) {
        return semantic_error(node.span, fmt::format("{} {}", n, what));
    };
    if (n == "count") {
        if (!args.empty()) return wrong("takes no argument; countif(…) counts where a condition holds");
        return aggregate_call(Long, "count(*)", {});
    }
    if (args.empty()) return wrong("needs a value");
    if (n.starts_with("make")) return collect(node, n, std::move(args), scope);
    if (n == "arg_max" || n == "arg_min" || n == "percentiles")
        return unsupported(node.span,
                           fmt::format("{} stands by itself in summarize, not inside an expression", n));
    // The last argument of the …if forms is the condition.
    std::string filter;
    if (n.ends_with("if")) {
        auto& condition = args.back();
        if (n != "countif" && args.size() != 2) return wrong("takes a value and a condition");
        if (condition->type == Dynamic) condition = convert(condition, Bool);
        if (condition->type != Bool) return wrong("needs a condition as its last argument");
        if (n == "countif") return aggregate_call(Long, "count(*) FILTER (WHERE {0})", {condition});
        filter = " FILTER (WHERE {1})";
    }
    const auto base = filter.empty() ? n : n.substr(0, n.size() - 2);
    auto& value = args[0];
    if (base == "dcount" || base == "count_distinct")
        return aggregate_call(Long, "count(DISTINCT {0})" + filter, args);
    if (base == "any" || base == "take_any") {
        if (filter.empty() && args.size() != 1)
            return unsupported(node.span,
                               fmt::format("{} of several values is not supported; write one for each", n));
        return aggregate_call(
            value->type,
            value->type == String ? "coalesce(any_value({0})" + filter + ", '')" : "any_value({0})" + filter,
            args);
    }
    if (base == "min" || base == "max") {
        if (value->type == Dynamic) value = convert(value, Real);
        if (value->type == String)
            return aggregate_call(String, fmt::format("coalesce({}({{0}}){}, '')", base, filter), args);
        return aggregate_call(value->type, fmt::format("{}({{0}}){}", base, filter), args);
    }
    if (value->type == Dynamic) value = convert(value, Real);
    if (base == "percentile") {
        if (args.size() != 2) return wrong("takes a value and a percentage");
        auto percent = widen(args[1], Real);
        if (!percent || !is_constant(percent)) return wrong("needs a constant percentage");
        const auto p = std::get<double>(percent->value);
        if (!(p >= 0 && p <= 100)) return wrong("needs a percentage of 0 to 100");
        if (!is_number(value->type) && value->type != DateTime && value->type != TimeSpan)
            return wrong(fmt::format("does not take {}", to_string(value->type)));
        return aggregate_call(value->type, fmt::format("quantile_disc({{0}}, {:.17g})", p / 100), {value});
    }
    const bool span = value->type == TimeSpan && (base == "sum" || base == "avg");
    const bool time = value->type == DateTime && base == "avg";
    if (!is_number(value->type) && !span && !time)
        return wrong(fmt::format("needs a number, not {}", to_string(value->type)));
    if (base == "sum") {
        const auto type = value->type == Int ? Long : value->type;
        return aggregate_call(type,
                              type == Real
                                  ? fmt::format("coalesce(sum({{0}}){}, 0)", filter)
                                  : fmt::format("TRY_CAST(coalesce(sum({{0}}){}, 0) AS BIGINT)", filter),
                              args);
    }
    if (base == "avg")
        return aggregate_call(span || time ? value->type : Real,
                              span || time ? fmt::format("TRY_CAST(avg({{0}}){} AS BIGINT)", filter)
                                           : fmt::format("avg({{0}}){}", filter),
                              args);
    if (base.starts_with("stdev") || base.starts_with("variance")) {
        const bool population = base.ends_with('p');
        const std::string_view function = base.starts_with("stdev")
                                              ? (population ? "stddev_pop" : "stddev_samp")
                                              : (population ? "var_pop" : "var_samp");
        return aggregate_call(Real, fmt::format("coalesce({}({{0}}){}, 0)", function, filter), args);
    }
    if (base.starts_with("binary_all_")) {
        if (!is_integral(value->type)) return wrong("needs a whole number");
        return aggregate_call(Long, fmt::format("bit_{}({{0}})", base.substr(11)), args);
    }
    return wrong("is not supported");
}

Parsed<ExprPtr> Binder::collect(const Node& node, std::string_view name, std::vector<ExprPtr> args,
                                const Scope& scope) {
    const bool conditional = name.ends_with("_if");
    const std::size_t required = conditional ? 2 : 1;
    if (args.size() < required || args.size() > required + 1)
        return semantic_error(node.span, fmt::format("{} has the wrong number of arguments", name));
    std::int64_t most = 1'048'576;
    if (args.size() > required) {
        const auto limit = integer_value(args.back());
        if (!limit || !is_integral(args.back()->type))
            return semantic_error(node.args.back()->span, "the greatest size is a constant whole number");
        most = std::clamp<std::int64_t>(*limit, 0, most);
        args.pop_back();
    }
    if (conditional && args[1]->type != Bool)
        return semantic_error(node.args[1]->span, "a condition is expected here");
    const std::string filter = name == "make_list_with_nulls" ? "true"
                               : conditional                  ? "{0} IS NOT NULL AND {1}"
                                                              : "{0} IS NOT NULL";
    args[0] = to_dynamic(args[0]);
    if (name.starts_with("make_bag"))
        return aggregate_call(Dynamic,
                              "coalesce('{' || string_agg(substring({0}, 2, length({0}) - 2), ',') FILTER "
                              "(WHERE json_type({0}) = 'OBJECT' AND {0} <> '{}'" +
                                  std::string(conditional ? " AND {1}" : "") + ") || '}', '{}')",
                              args);
    if (name.starts_with("make_set") || name == "makeset") {
        return aggregate_call(Dynamic,
                              fmt::format("'[' || coalesce(array_to_string(list(DISTINCT {{0}} ORDER BY "
                                          "{{0}}) FILTER (WHERE {})[1:{}], ','), '') || ']'",
                                          filter, most),
                              args);
    }
    return aggregate_call(
        Dynamic,
        fmt::format(
            "'[' || coalesce(array_to_string(list({}{{order}}) FILTER (WHERE {})[1:{}], ','), '') || ']'",
            name == "make_list_with_nulls" ? "coalesce({0}, 'null')" : "{0}", filter, most),
        args, scope.relation->order);
}

Parsed<std::vector<PlanColumn>> Binder::group_keys(const Relation& relation, const std::vector<Item>& by,
                                                   std::vector<Field>& fields) {
    std::vector<PlanColumn> keys;
    int unnamed = 0;
    for (const auto& item : by) {
        const auto value = FIELDWATCH_TRY(expression(*item.value, {.relation = &relation}));
        if (value->type == Dynamic)
            return semantic_error(
                item.span,
                "rows are not grouped by a dynamic value; convert it first, with tostring(…) or tolong(…)");
        auto name = item.names.empty() ? default_name(*item.value) : item.names[0];
        if (name.empty()) name = fmt::format("Column{}", ++unnamed);
        const auto id = new_id();
        keys.push_back({id, value});
        add_field(fields, std::move(name), column_ref(id, value->type));
    }
    return keys;
}

Parsed<> Binder::summarize(Relation& relation, const Operator& op) {
    auto plan = std::make_shared<Plan>();
    plan->kind = PlanKind::Aggregate;
    plan->inputs.push_back(relation.plan);
    std::vector<Field> fields;
    plan->keys = FIELDWATCH_TRY(group_keys(relation, op.by, fields));
    const Scope scope{.relation = &relation, .aggregates = true};
    const auto add = [&](std::string name, const ExprPtr& value) {
        const auto id = new_id();
        plan->columns.push_back({id, value});
        add_field(fields, std::move(name), column_ref(id, value->type));
    };
    for (const auto& item : op.items) {
        const auto& node = *item.value;
        if (node.kind == NodeKind::Call && (node.text == "arg_max" || node.text == "arg_min")) {
            FIELDWATCH_TRY(arg_best(relation, item, op.by, *plan, fields));
            continue;
        }
        if (node.kind == NodeKind::Call && node.text == "percentiles") {
            if (node.args.size() < 2)
                return semantic_error(node.span, "percentiles takes a value and percentages");
            const auto base = default_name(*node.args[0]);
            for (std::size_t i = 1; i < node.args.size(); ++i) {
                const auto value = FIELDWATCH_TRY(percentile(node, i, scope));
                const auto written =
                    node.args[i]->kind == NodeKind::Literal ? node.args[i]->token.text : std::to_string(i);
                add(item.names.size() > i - 1 ? item.names[i - 1]
                                              : fmt::format("percentile_{}_{}", base, written),
                    value);
            }
            continue;
        }
        if (node.kind == NodeKind::Call && (node.text == "take_any" || node.text == "any") &&
            (node.args.size() > 1 || (node.args.size() == 1 && node.args[0]->kind == NodeKind::Star))) {
            for (const auto& arg : node.args) {
                if (arg->kind == NodeKind::Star) {
                    for (const auto& field : relation.fields) {
                        if (!field.hidden) add(field.name, any_of(field.value));
                    }
                    continue;
                }
                const auto value = FIELDWATCH_TRY(expression(*arg, {.relation = &relation}));
                add((node.text == "any" ? "any_" : "") + default_name(*arg), any_of(value));
            }
            continue;
        }
        if (item.tuple)
            return unsupported(item.span,
                               "several names for one aggregate are supported for percentiles only");
        const auto value = FIELDWATCH_TRY(expression(node, scope));
        if (!value->aggregate && !is_constant(value))
            return semantic_error(item.span,
                                  "summarize takes aggregates, such as count() or max(…); columns to group "
                                  "by stand behind 'by'");
        auto name = item.names.empty() ? default_name(node) : item.names[0];
        if (name.empty()) name = fmt::format("Column{}", plan->columns.size() + 1);
        add(std::move(name), value);
    }
    auto partition = through_aggregate(relation.partition, *plan);
    relation = {plan, std::move(fields), {}, std::move(partition)};
    if (!relation.partition.keys.empty() && !op.has_by) add_empty_groups(relation, plan);
    return {};
}

ExprPtr Binder::any_of(const ExprPtr& value) {
    return aggregate_call(value->type,
                          value->type == String ? "coalesce(any_value({0}), '')" : "any_value({0})", {value});
}

Parsed<ExprPtr> Binder::percentile(const Node& node, std::size_t at, const Scope& scope) {
    const auto percent = FIELDWATCH_TRY(expression(*node.args[at], {}));
    const auto real = widen(percent, Real);
    const auto* p = real ? std::get_if<double>(&real->value) : nullptr;
    if (!p || !is_constant(real) || !(*p >= 0 && *p <= 100))
        return semantic_error(node.args[at]->span, "a percentage is a constant of 0 to 100");
    auto value = FIELDWATCH_TRY(expression(*node.args[0], {.relation = scope.relation}));
    if (value->type == Dynamic) value = convert(value, Real);
    if (!is_number(value->type) && value->type != DateTime && value->type != TimeSpan)
        return semantic_error(node.args[0]->span,
                              fmt::format("percentiles does not take {}", to_string(value->type)));
    return aggregate_call(value->type, fmt::format("quantile_disc({{0}}, {:.17g})", *p / 100), {value});
}

/// arg_max(value, a, b): the columns of one row, so that they belong together.
Parsed<> Binder::arg_best(const Relation& relation, const Item& item, const std::vector<Item>& by, Plan& plan,
                          std::vector<Field>& fields) {
    const auto& node = *item.value;
    if (node.args.empty()) return semantic_error(node.span, fmt::format("{} needs a value", node.text));
    const auto best = FIELDWATCH_TRY(expression(*node.args[0], {.relation = &relation}));
    if (best->type == Dynamic)
        return semantic_error(node.args[0]->span,
                              fmt::format("{} does not order dynamic values; convert it first", node.text));
    auto best_name = default_name(*node.args[0]);
    if (best_name.empty()) best_name = node.text == "arg_max" ? "max_" : "min_";
    std::vector<std::pair<std::string, ExprPtr>> carried;
    for (std::size_t i = 1; i < node.args.size(); ++i) {
        if (node.args[i]->kind == NodeKind::Star) {
            for (const auto& field : relation.fields) {
                const bool grouped = std::ranges::any_of(by, [&](const Item& key) {
                    return key.value->kind == NodeKind::Name && key.value->text == field.name;
                });
                if (!field.hidden && !grouped && field.name != best_name)
                    carried.emplace_back(field.name, field.value);
            }
            continue;
        }
        const auto value = FIELDWATCH_TRY(expression(*node.args[i], {.relation = &relation}));
        auto name = default_name(*node.args[i]);
        carried.emplace_back(name.empty() ? fmt::format("Column{}", i) : name, value);
    }
    const bool descending = node.text == "arg_max";
    const auto id = new_id();
    plan.columns.push_back(
        {id, aggregate_call(
                 best->type,
                 fmt::format(fmt::runtime(best->type == String ? "coalesce({}({{0}}), '')" : "{}({{0}})"),
                             descending ? "max" : "min"),
                 {best})});
    const auto name_at = [&](std::size_t i, const std::string& otherwise) {
        return i < item.names.size() ? item.names[i] : otherwise;
    };
    add_field(fields, name_at(0, best_name), column_ref(id, best->type));
    if (carried.empty()) return {};
    std::vector<ExprPtr> args{best};
    std::string members;
    for (std::size_t i = 0; i < carried.size(); ++i) {
        members += fmt::format("{}f{} := {{{}}}", i ? ", " : "", i, i + 1);
        args.push_back(carried[i].second);
    }
    const auto row = new_id();
    plan.columns.push_back(
        {row, aggregate_call(Dynamic, fmt::format("{}(struct_pack({}), {{0}})", node.text, members), args)});
    for (std::size_t i = 0; i < carried.size(); ++i) {
        const auto type = carried[i].second->type;
        add_field(fields, name_at(i + 1, carried[i].first),
                  call(type,
                       fmt::format(fmt::runtime(type == String ? "coalesce(struct_extract({{0}}, 'f{}'), '')"
                                                               : "struct_extract({{0}}, 'f{}')"),
                                   i),
                       {column_ref(row, Dynamic)}));
    }
    return {};
}

}  // namespace fieldwatch::kql
