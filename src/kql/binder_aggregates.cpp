// summarize, its aggregates, and how results are named that the query does not name.
#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "kql/binder.hpp"
#include "kql/functions.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

/// All keys of all bags with the first value of each, in the order of their first appearance: sorted by name
/// to find those, then by place.
constexpr std::string_view kMergedBags =
    "'{{' || coalesce(list_transform([list_sort(list_transform(flatten(list(list_transform(json_keys({{0}}), "
    "lambda "
    "k: struct_pack(k := k, v := CAST(json_extract({{0}}, '/' || replace(replace(k, '~', '~0'), '/', '~1')) "
    "AS "
    "VARCHAR))){{order}}) FILTER (WHERE json_type({{0}}) = 'OBJECT'{})), lambda e, i: struct_pack(k := e.k, "
    "i := i, v "
    ":= e.v)))], lambda s: array_to_string(list_transform(list_sort(list_transform(list_filter(s, lambda e, "
    "i: i = 1 "
    "OR s[i - 1].k <> e.k), lambda e: struct_pack(i := e.i, t := CAST(to_json(e.k) AS VARCHAR) || ':' || "
    "coalesce(e.v, 'null')))), lambda e: e.t), ','))[1], '') || '}}'";

/// The first value, in their order, up to which the weights reach the wanted part of all of them.
constexpr auto kWeightedPercentile = FMT_STRING(
    "list_transform([list_sort(list(struct_pack(v := {{0}}, w := {{1}})) FILTER (WHERE {{0}} IS NOT NULL AND "
    "{{1}} > "
    "0))], lambda s: list_transform([list_transform(s, lambda e: e.w)], lambda w: s[coalesce(list_position("
    "list_transform(w, lambda e, i: list_sum(w[1:i]) >= {:.12f} * list_sum(w)), true), 1)].v)[1])[1]");

/// The engine stops at squares that do not fit; of such values, infinities and NaN among others it is NaN.
constexpr auto kDeviation = FMT_STRING(
    "CASE WHEN coalesce(bool_or(abs({{0}}) >= 1e150){}, false) THEN 'nan'::DOUBLE ELSE coalesce({}({{0}}) "
    "FILTER "
    "(WHERE abs({{0}}) < 1e150{}), 0) END");

/// What stands before the argument's name in the name of an aggregate's result; "" where the name stands
/// alone.
std::string_view result_prefix(std::string_view aggregate) {
    if (aggregate == "take_any" || aggregate == "take_anyif" || aggregate.starts_with("binary_all_"))
        return "";
    if (aggregate.starts_with("make_set") || aggregate == "makeset") return "set";
    if (aggregate.starts_with("make_list") || aggregate == "makelist") return "list";
    if (aggregate.starts_with("make_bag")) return "bag";
    if (aggregate == "buildschema") return "schema";
    if (aggregate == "tdigest_merge" || aggregate == "merge_tdigest") return "merge_tdigests";
    return aggregate;
}

/// A percentage as a part of a name: 99.9 is 99_9.
std::string name_part(std::string_view number) {
    std::string part(number);
    std::ranges::replace(part, '.', '_');
    return part;
}

/// Calls whose result takes the name of their first argument.
bool named_by_argument(std::string_view name) {
    if (name == "tolower" || name == "toupper" || name == "tohex") return false;
    return name.starts_with("to") || name.starts_with("startof") || name.starts_with("endof") ||
           name == "bin" || name == "bin_auto" || name == "floor" || name == "parse_json";
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
            if (base.empty() && key.token.kind == TokenKind::Number) return "";  // ColumnN, as any expression
            return base.empty() ? word : base + "_" + word;
        }
        case NodeKind::Call:
            break;
        default:
            return "";
    }
    auto argument = node.args.empty() ? std::string() : default_name(*node.args[0]);
    if (is_aggregate(node.text)) {
        if (node.text.starts_with("percentile") && node.args.size() > 1 &&
            node.args.back()->kind == NodeKind::Literal)
            return fmt::format("percentile_{}_{}", argument, name_part(node.args.back()->token.text));
        const auto prefix = result_prefix(node.text);
        if (prefix.empty()) return argument.empty() && node.text == "take_any" ? "any_arg0" : argument;
        return fmt::format("{}_{}", prefix, argument);
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
        if (args.size() > 1) return wrong("takes no argument; countif(…) counts where a condition holds");
        const bool conditional = !args.empty() && args[0]->type == Bool;  // an older form of countif
        return aggregate_call(Long, conditional ? "count(*) FILTER (WHERE {0})" : "count(*)",
                              std::move(args));
    }
    if (args.empty()) return wrong("needs a value");
    if (n == "buildschema") {
        if (args.size() != 1) return wrong("takes one dynamic value");
        return aggregate_call(
            Dynamic,
            "nullif(kql_json_schema('[' || coalesce(string_agg({0}, ','{order}), '') || ']'), 'null')",
            {to_dynamic(args[0])}, scope.relation->order);
    }
    if (n.starts_with("make")) return collect(node, n, std::move(args), scope);
    if (n.starts_with("hll") || n.contains("tdigest")) return sketch(node, std::move(args));
    if (n == "arg_max" || n == "arg_min" || n.starts_with("percentiles"))
        return unsupported(node.span,
                           fmt::format("{} stands by itself in summarize, not inside an expression", n));
    // The last argument of the …if forms is the condition.
    std::string filter;
    if (n.ends_with("if")) {
        if (n == "dcountif" && args.size() == 3) args.pop_back();  // the accuracy: it is exact
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
    if (value->type == Dynamic || (value->type == Decimal && base != "sum")) value = convert(value, Real);
    if (base == "sum" && value->type == Decimal)
        return aggregate_call(
            Decimal, fmt::format("TRY_CAST(coalesce(sum({{0}}){}, 0) AS DECIMAL(38, 10))", filter), args);
    if (base == "percentile" || base == "percentilew") return FIELDWATCH_TRY(percentiles(node, inner))[0];
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
                                           : fmt::format("coalesce(avg({{0}}){}, 'nan'::DOUBLE)", filter),
                              args);
    if (base.starts_with("stdev") || base.starts_with("variance")) {
        const bool population = base.ends_with('p');
        const std::string_view function = base.starts_with("stdev")
                                              ? (population ? "stddev_pop" : "stddev_samp")
                                              : (population ? "var_pop" : "var_samp");
        if (value->type != Real)
            return aggregate_call(Real, fmt::format("coalesce({}({{0}}){}, 0)", function, filter), args);
        return aggregate_call(
            Real, fmt::format(kDeviation, filter, function, filter.empty() ? "" : " AND {1}"), args);
    }
    if (base.starts_with("covariance")) {
        const auto other = args.size() == 2 ? widen(args[1], Real) : nullptr;
        if (!other) return wrong("takes two numbers");
        return aggregate_call(
            Real,
            fmt::format("CASE WHEN coalesce(bool_or(abs({{0}}) >= 1e150 OR abs({{1}}) >= 1e150), false) THEN "
                        "'nan'::DOUBLE ELSE coalesce({}({{0}}, {{1}}) FILTER (WHERE abs({{0}}) < 1e150 AND "
                        "abs({{1}}) < 1e150), 0) END",
                        base == "covariance" ? "covar_samp" : "covar_pop"),
            {value, other});
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
    const bool dynamic = args[0]->type == Dynamic;
    args[0] = to_dynamic(args[0]);
    if (name.starts_with("make_bag"))
        return aggregate_call(Dynamic, fmt::format(fmt::runtime(kMergedBags), conditional ? " AND {1}" : ""),
                              args, scope.relation->order);
    if (name.starts_with("make_set") || name == "makeset") {
        auto values = fmt::format("list(DISTINCT {{0}}) FILTER (WHERE {})", filter);
        if (dynamic)  // of arrays their elements
            values = fmt::format(
                "list_filter(list_distinct(flatten(list_transform({}, lambda e: CASE json_type(e) WHEN "
                "'ARRAY' "
                "THEN CAST(json_extract(e, '$[*]') AS VARCHAR[]) ELSE [e] END))), lambda e: e <> 'null')",
                values);
        return aggregate_call(
            Dynamic,
            fmt::format(
                "'[' || coalesce(array_to_string(list_transform(list_sort(list_transform({}, lambda e: "
                "struct_pack(n := TRY_CAST(e AS DOUBLE), v := e)), 'ASC', 'NULLS LAST')[1:{}], lambda "
                "e: e.v), ','), '') || ']'",
                values, most),
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
        if (node.kind == NodeKind::Call && node.text.starts_with("percentile") && node.text != "percentile" &&
            node.text != "percentilew") {
            const auto base = node.args.empty() ? std::string() : default_name(*node.args[0]);
            const auto values = FIELDWATCH_TRY(percentiles(node, scope));
            if (node.text.ends_with("_array")) {
                const auto name = fmt::format("percentiles_{}", base);
                add(item.names.empty() ? name : item.names[0], FIELDWATCH_TRY(pack_array(node, values)));
                continue;
            }
            const auto first = node.args.size() - values.size();
            for (std::size_t i = 0; i < values.size(); ++i) {
                const auto& written = *node.args[first + i];
                add(item.names.size() > i
                        ? item.names[i]
                        : fmt::format("percentile_{}_{}", base,
                                      written.kind == NodeKind::Literal ? name_part(written.token.text)
                                                                        : std::to_string(i + 1)),
                    values[i]);
            }
            continue;
        }
        if (node.kind == NodeKind::Call && (node.text == "take_any" || node.text == "any") &&
            (node.args.size() > 1 || (node.args.size() == 1 && node.args[0]->kind == NodeKind::Star))) {
            for (const auto& arg : node.args) {
                if (arg->kind == NodeKind::Star) {
                    for (const auto& field : relation.fields) {
                        if (!field.hidden)
                            add((node.text == "any" ? "any_" : "") + field.name, any_of(field.value));
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
        for (int number = 1; name.empty(); ++number) {
            auto free = fmt::format("Column{}", number);
            if (std::ranges::find(fields, free, &Field::name) == fields.end()) name = std::move(free);
        }
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

/// percentile…(value[, weight], p, …): an aggregate for each percentage.
Parsed<std::vector<ExprPtr>> Binder::percentiles(const Node& node, const Scope& scope) {
    const bool weighted = node.text.starts_with("percentilew") || node.text.starts_with("percentilesw");
    const std::size_t first = weighted ? 2 : 1;
    if (node.args.size() <= first || (!node.text.starts_with("percentiles") && node.args.size() != first + 1))
        return semantic_error(node.span, fmt::format("{} takes a value{} and percentages", node.text,
                                                     weighted ? ", a weight" : ""));
    const Scope row{.relation = scope.relation};
    auto value = FIELDWATCH_TRY(expression(*node.args[0], row));
    if (value->type == Dynamic) value = convert(value, Real);
    if (!is_number(value->type) && value->type != DateTime && value->type != TimeSpan)
        return semantic_error(node.args[0]->span,
                              fmt::format("{} does not take {}", node.text, to_string(value->type)));
    ExprPtr weight;
    if (weighted) {
        weight = widen(FIELDWATCH_TRY(expression(*node.args[1], row)), Long);
        if (!weight) return semantic_error(node.args[1]->span, "the weight is a whole number");
    }
    std::vector<ExprPtr> percents;
    for (std::size_t i = first; i < node.args.size(); ++i) {
        const auto given = FIELDWATCH_TRY(expression(*node.args[i], {}));
        const auto* array = std::get_if<std::string>(&given->value);
        const auto list = given->type == Dynamic && array ? json_strings(*array) : std::nullopt;
        if (!list) percents.push_back(given);
        for (const auto& text : list.value_or(std::vector<std::string>{}))
            percents.push_back(constant(Real, std::strtod(text.c_str(), nullptr)));
    }
    std::vector<ExprPtr> out;
    for (const auto& percent : percents) {
        const auto real = widen(percent, Real);
        const auto* p = real ? std::get_if<double>(&real->value) : nullptr;
        if (!p || !is_constant(real) || !(*p >= 0 && *p <= 100))
            return semantic_error(node.args[first]->span, "a percentage is a constant of 0 to 100");
        out.push_back(
            weighted
                ? aggregate_call(value->type, fmt::format(kWeightedPercentile, *p / 100), {value, weight})
                : aggregate_call(value->type, fmt::format("quantile_disc({{0}}, {:.12f})", *p / 100),
                                 {value}));
    }
    return out;
}

/// arg_max(value, a, b): the columns of one row, so that they belong together.
Parsed<> Binder::arg_best(const Relation& relation, const Item& item, const std::vector<Item>& by, Plan& plan,
                          std::vector<Field>& fields) {
    const auto& node = *item.value;
    if (node.args.empty()) return semantic_error(node.span, fmt::format("{} needs a value", node.text));
    // arg_max(a = x, b = y): each may have a name of its own.
    const auto value_of = [](const NodePtr& arg) -> const Node& {
        return arg->kind == NodeKind::Assign ? *arg->args[0] : *arg;
    };
    const auto name_of = [&](const NodePtr& arg) {
        return arg->kind == NodeKind::Assign ? arg->text : default_name(*arg);
    };
    const auto best = FIELDWATCH_TRY(expression(value_of(node.args[0]), {.relation = &relation}));
    if (best->type == Dynamic)
        return semantic_error(node.args[0]->span,
                              fmt::format("{} does not order dynamic values; convert it first", node.text));
    auto best_name = name_of(node.args[0]);
    if (best_name.empty()) best_name = node.text == "arg_max" ? "max_" : "min_";
    std::vector<std::pair<std::string, ExprPtr>> carried;
    for (std::size_t i = 1; i < node.args.size(); ++i) {
        if (node.args[i]->kind == NodeKind::Star) {
            for (const auto& field : relation.fields) {
                const bool grouped = std::ranges::any_of(by, [&](const Item& key) {
                    return key.value->kind == NodeKind::Name && key.value->text == field.name;
                });
                if (!field.hidden && !grouped && field.name != default_name(value_of(node.args[0])))
                    carried.emplace_back(field.name, field.value);
            }
            continue;
        }
        const auto value = FIELDWATCH_TRY(expression(value_of(node.args[i]), {.relation = &relation}));
        auto name = name_of(node.args[i]);
        if (name.empty()) name = fmt::format("{}_{}_arg{}", node.text.substr(4), name_of(node.args[0]), i);
        carried.emplace_back(std::move(name), value);
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
