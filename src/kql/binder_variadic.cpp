// Functions of any number of arguments: those of two whose result goes on with the next, and those that look
// at each in turn.
#include <algorithm>

#include <fmt/format.h>

#include "kql/binder.hpp"
#include "kql/functions.hpp"
#include "kql/functions_sql.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

bool folds(std::string_view name) {
    return name == "array_concat" || name == "set_union" || name == "set_intersect" ||
           name == "set_difference" || name == "bag_merge";
}

/// Functions of two series that go element by element, one of which may be one number for all elements.
bool goes_by_elements(std::string_view name) {
    constexpr std::string_view kNames[] = {
        "series_add",        "series_subtract",       "series_multiply",   "series_divide",
        "series_pow",        "series_equals",         "series_greater",    "series_less",
        "series_not_equals", "series_greater_equals", "series_less_equals"};
    return std::ranges::find(kNames, name) != std::end(kNames);
}

}  // namespace

/// `name(a, b)` over bound arguments, from the table of functions.
Parsed<ExprPtr> Binder::call_of(const Node& node, std::string_view name, std::vector<ExprPtr> args) {
    Node call;
    call.kind = NodeKind::Call;
    call.text = name;
    call.span = node.span;
    for (std::size_t i = 0; i < args.size(); ++i) {
        auto place = std::make_unique<Node>();
        place->span = i < node.args.size() ? node.args[i]->span : node.span;
        call.args.push_back(std::move(place));
    }
    return table_function(call, std::move(args));
}

Parsed<std::optional<ExprPtr>> Binder::variadic(const Node& node, const Scope& scope) {
    const auto& n = node.text;
    if (folds(n) && node.args.size() > 2) {
        if (node.args.size() > 64)
            return limit_error(node.span, fmt::format("more than 64 arguments of {}", n));
        const auto args = FIELDWATCH_TRY(arguments(node, scope));
        auto result = args[0];
        for (std::size_t i = 1; i < args.size(); ++i)
            result = FIELDWATCH_TRY(call_of(node, n, {result, args[i]}));
        return result;
    }
    if (n == "range" && node.args.size() >= 2) {
        auto args = FIELDWATCH_TRY(arguments(node, scope));
        if (std::ranges::any_of(args, [](const ExprPtr& a) { return !is_integral(a->type); }))
            return FIELDWATCH_TRY(range_of(node, std::move(args)));
        return FIELDWATCH_TRY(table_function(node, std::move(args)));
    }
    if (n == "zip" && node.args.size() > 2) return FIELDWATCH_TRY(zip(node, scope));
    if (n == "has_any_ipv4" || n == "has_any_ipv4_prefix") return FIELDWATCH_TRY(any_address(node, scope));
    if (n == "ipv6_is_in_any_range") return FIELDWATCH_TRY(any_address(node, scope));
    if (n == "indexof" && !node.args.empty()) {  // any scalar is looked through as its text
        auto args = FIELDWATCH_TRY(arguments(node, scope));
        for (std::size_t i = 0; i < std::min<std::size_t>(args.size(), 2); ++i)
            args[i] = to_string_expr(args[i]);
        return FIELDWATCH_TRY(table_function(node, std::move(args)));
    }
    if (n == "make_string" || n == "unicode_codepoints_to_string") {
        std::vector<ExprPtr> parts = FIELDWATCH_TRY(arguments(node, scope));
        std::string sql;
        for (auto& part : parts) {
            if (part->type != Dynamic) part = FIELDWATCH_TRY(pack_array(node, {part}));
            part = FIELDWATCH_TRY(call_of(node, n, {part}));
            sql += fmt::format("{}{{{}}}", sql.empty() ? "kql_concat(" : ", ", &part - parts.data());
        }
        if (!parts.empty()) return call(String, sql + ")", std::move(parts));
    }
    if (n == "bag_pack_columns" || n == "pack_columns") {
        std::vector<std::pair<ExprPtr, ExprPtr>> entries;
        for (const auto& arg : node.args) {
            if (arg->kind != NodeKind::Name)
                return semantic_error(arg->span, fmt::format("{} takes columns", n));
            entries.emplace_back(text_constant(arg->text), FIELDWATCH_TRY(name(*arg, scope)));
        }
        return FIELDWATCH_TRY(bag(node, std::move(entries)));
    }
    if (n == "array_sort_asc" || n == "array_sort_desc")
        return FIELDWATCH_TRY(sorted_arrays(node, FIELDWATCH_TRY(arguments(node, scope))));
    if (goes_by_elements(n) && node.args.size() == 2) {
        auto args = FIELDWATCH_TRY(arguments(node, scope));
        for (std::size_t i = 0; i < 2; ++i) {
            if (is_number(args[i]->type) && args[1 - i]->type == Dynamic)
                args[i] = call(Dynamic,
                               IF_ARRAY("{1}",
                                        "CAST(to_json(list_transform(range(CAST(json_array_length({1}) AS "
                                        "BIGINT)), lambda i: {0})) AS VARCHAR)"),
                               {args[i], args[1 - i]});
        }
        return FIELDWATCH_TRY(table_function(node, std::move(args)));
    }
    if (n == "bin_auto") return FIELDWATCH_TRY(bin_by_setting(node, scope));
    if (n == "rank_tdigest" || n == "percentrank_tdigest") return FIELDWATCH_TRY(rank_in_sketch(node, scope));
    if (n == "percentile_tdigest") return FIELDWATCH_TRY(percentile_of_sketch(node, scope));
    if (n == "series_outliers") return FIELDWATCH_TRY(outliers(node, FIELDWATCH_TRY(arguments(node, scope))));
    if (n == "series_decompose_forecast" || n == "series_seasonal")
        return FIELDWATCH_TRY(decompose(node, FIELDWATCH_TRY(arguments(node, scope))));
    if (n == "repeat") {
        auto args = FIELDWATCH_TRY(arguments(node, scope));
        if (args.size() != 2) return semantic_error(node.span, "repeat takes a value and how often");
        const auto count = widen(args[1], Long);
        if (!count) return semantic_error(node.args[1]->span, "how often is a whole number");
        return call(
            Dynamic,
            "CASE WHEN {1} >= 0 THEN '[' || coalesce(array_to_string(list_transform(range(" WITHIN_BYTES(
                "(coalesce(strlen({0}), 4) + 1) * least(greatest({1}, 0), 1048576)",
                "least({1}, 1048576)") "), lambda i: coalesce({0}, 'null')), ','), '') || ']' END",
            {to_dynamic(args[0]), count});
    }
    return std::optional<ExprPtr>{};
}

Parsed<ExprPtr> Binder::pack_array(const Node& node, std::vector<ExprPtr> args) {
    if (args.size() > 500) return limit_error(node.span, "an array of more than 500 arguments");
    std::string sql = "kql_concat('['";
    for (std::size_t i = 0; i < args.size(); ++i) {
        sql += fmt::format("{}, coalesce({{{}}}, 'null')", i ? ", ','" : "", i);
        args[i] = to_dynamic(args[i]);
    }
    return call(Dynamic, sql + ", ']')", std::move(args));
}

/// array_sort_…(array [, array …] [, nulls last]): the first in order, the others in that order too; of
/// several an array of them all, in which one of another length than the first is null.
Parsed<ExprPtr> Binder::sorted_arrays(const Node& node, std::vector<ExprPtr> args) {
    const bool descending = node.text == "array_sort_desc";
    bool nulls_last = true;
    if (args.size() > 1 && args.back()->type == Bool) {
        const auto* flag = std::get_if<bool>(&args.back()->value);
        if (!flag || !is_constant(args.back()))
            return unsupported(node.args.back()->span, "whether nulls come last is a constant");
        nulls_last = *flag;
        args.pop_back();
    }
    if (args.empty()) return semantic_error(node.span, fmt::format("{} takes an array", node.text));
    if (args.size() > 16) return limit_error(node.span, fmt::format("{} takes at most 16 arrays", node.text));
    std::string arrays;
    for (std::size_t i = 0; i < args.size(); ++i) {
        if (args[i]->type != Dynamic)
            return semantic_error(node.args[i]->span, fmt::format("{} takes dynamic arrays, but this is {}",
                                                                  node.text, to_string(args[i]->type)));
        const auto hole = fmt::format("{{{}}}", i);
        const auto same_length =
            fmt::format("json_type({0}) = 'ARRAY' AND json_array_length({0}) = len(o)", hole);
        const auto elements = fmt::format(ELEMENTS("{}"), hole);
        arrays += fmt::format("{}CASE WHEN {} THEN " AS_ARRAY(
                                  LET("c", "{}", "list_transform(o, lambda e: c[e.i])")) " ELSE 'null' END",
                              i ? " || ',' || " : "", same_length, elements);
    }
    constexpr std::string_view kNulls = "list_filter(s, lambda e: e.t IS NULL)";
    const auto values =
        fmt::format("list_sort(list_filter(s, lambda e: e.t IS NOT NULL), '{}', 'NULLS LAST')",
                    descending ? "DESC" : "ASC");
    const auto all = args.size() > 1 ? "'[' || " + arrays + " || ']'" : arrays;
    const auto order = nulls_last ? fmt::format("list_concat({}, {})", values, kNulls)
                                  : fmt::format("list_concat({}, {})", kNulls, values);
    return call(Dynamic,
                fmt::format(IF_ARRAY("{{0}}",
                                     LET("s",
                                         "list_transform(" ELEMENTS(
                                             "{{0}}") ", lambda e, i: struct_pack(n := "
                                                      "TRY_CAST(json_extract_string(e, '$') AS DOUBLE), t := "
                                                      "json_extract_string(e, '$'), i := i))",
                                         LET("o", "{0}", "{1}"))),
                            order, all),
                std::move(args));
}

/// range() over times and reals. Times go by hours where no step is given, reals by one.
Parsed<ExprPtr> Binder::range_of(const Node& node, std::vector<ExprPtr> args) {
    if (args.size() > 3) return semantic_error(node.span, "range takes a start, an end and a step");
    const auto type = args[0]->type;
    const bool times = type == DateTime || type == TimeSpan;
    if (args.size() == 2) args.push_back(times ? constant(TimeSpan, kTicksPerDay / 24) : constant(Real, 1.0));
    const bool fits = times ? args[1]->type == type && args[2]->type == TimeSpan
                            : std::ranges::all_of(args, [](const ExprPtr& a) { return is_number(a->type); });
    if (!fits)
        return semantic_error(node.span, fmt::format("range does not go from {} to {} by {}", to_string(type),
                                                     to_string(args[1]->type), to_string(args[2]->type)));
    if (!times) {
        for (auto& arg : args)
            arg = widen(arg, Real);
    }
    auto values = args;
    values.push_back(to_dynamic(call(times ? type : Real, times ? "e" : "({0} + e * {2})", args)));
    const std::string_view list =
        times ? "range({0}, {1} + 1, {2})" : "range(CAST(floor(({1} - {0}) / {2} + 1e-9) AS BIGINT) + 1)";
    return call(
        Dynamic,
        fmt::format("CASE WHEN {{2}} > 0 AND ({{1}} - {{0}}) / {{2}} < 1048576 THEN CASE WHEN {{1}} < "
                    "{{0}} THEN '[]' ELSE '[' || array_to_string(list_transform({}, lambda e: {{3}}), "
                    "',') || ']' END END",
                    list),
        std::move(values));
}

/// Arrays side by side: as long as the longest, null behind the others' ends.
Parsed<ExprPtr> Binder::zip(const Node& node, const Scope& scope) {
    const auto args = FIELDWATCH_TRY(arguments(node, scope));
    if (args.size() > 16) return limit_error(node.span, "zip takes at most 16 arrays");
    std::string lengths, row, condition;
    for (std::size_t i = 0; i < args.size(); ++i) {
        if (args[i]->type != Dynamic)
            return semantic_error(node.args[i]->span, fmt::format("zip takes dynamic arrays, but this is {}",
                                                                  to_string(args[i]->type)));
        lengths += fmt::format("{}json_array_length({{{}}})", i ? ", " : "", i);
        condition += fmt::format("{}json_type({{{}}}) = 'ARRAY'", i ? " AND " : "", i);
        row += fmt::format(
            "{}coalesce(CAST(json_extract({{{}}}, '$[' || CAST(i AS VARCHAR) || ']') AS VARCHAR), 'null')",
            i ? " || ',' || " : "", i);
    }
    return call(
        Dynamic,
        fmt::format("CASE WHEN {} THEN '[' || "
                    "coalesce(array_to_string(list_transform(range(CAST(greatest({}) AS BIGINT)), lambda "
                    "i: '[' || {} || ']'), ','), '') || ']' END",
                    condition, lengths, row),
        args);
}

/// Whether an array has a value: numbers are compared as numbers, and times, guids and texts as tostring()
/// gives the elements. An element of another kind is not it.
ExprPtr Binder::in_array(const ExprPtr& value_in, const ExprPtr& array_in, bool fold) {
    auto value = value_in, array = array_in, element = call(String, "e", {});
    std::string_view elements = TEXTS("{1}");
    if (is_number(value->type) || value->type == Decimal || value->type == Bool) {
        elements = ELEMENTS("{1}");
        element = value->type == Bool
                      ? call(Bool, "CASE e WHEN 'true' THEN true WHEN 'false' THEN false END", {})
                  : value->type == Real    ? call(Real, "TRY_CAST(e AS DOUBLE)", {})
                  : value->type == Decimal ? call(Decimal, "TRY_CAST(trim(e, '\"') AS DECIMAL(38, 10))", {})
                                           : call(Long,
                                                  "CASE WHEN TRY_CAST(e AS BIGINT) = TRY_CAST(e AS DOUBLE) "
                                                  "THEN TRY_CAST(e AS BIGINT) END",
                                                  {});
    } else if (value->type == DateTime || value->type == TimeSpan || value->type == Guid) {
        element = convert(element, value->type);
    } else {
        value = to_string_expr(value);
        if (fold) {
            value = call(String, "lower({0})", {value});
            array = call(Dynamic, "lower({0})", {array});
        }
    }
    return call(
        Bool,
        fmt::format("coalesce(list_contains(list_transform({}, lambda e: {{2}}), {{0}}), false)", elements),
        {value, array, element});
}

/// Whether one element of an array does it that only the rows know.
Parsed<ExprPtr> Binder::any_element(const Node& node, std::string_view one, const ExprPtr& text,
                                    const ExprPtr& array) {
    const auto element = call(String, "e", {});
    const auto found = FIELDWATCH_TRY(call_of(node, one, {text, element}));
    return call(Bool,
                "CASE WHEN json_type({0}) = 'ARRAY' THEN len(list_filter(CAST(json_extract_string({0}, "
                "'$[*]') AS VARCHAR[]), lambda e: {1})) > 0 END",
                {array, found});
}

/// Whether one of several addresses, prefixes or ranges does it; they may be arrays.
Parsed<ExprPtr> Binder::any_address(const Node& node, const Scope& scope) {
    auto args = FIELDWATCH_TRY(arguments(node, scope));
    if (args.size() < 2)
        return semantic_error(node.span, fmt::format("{} takes a text and addresses", node.text));
    const std::string_view one = node.text == "has_any_ipv4"          ? "has_ipv4"
                                 : node.text == "has_any_ipv4_prefix" ? "has_ipv4_prefix"
                                                                      : "ipv6_is_in_range";
    const auto text = to_string_expr(args[0]);
    ExprPtr result;
    const auto or_else = [&](const ExprPtr& found) {
        result = result ? call(Bool, "({0} OR {1})", {result, found}) : found;
    };
    std::vector<ExprPtr> wanted;
    for (std::size_t i = 1; i < args.size(); ++i) {
        const auto* array = std::get_if<std::string>(&args[i]->value);
        if (args[i]->type != Dynamic) {
            wanted.push_back(to_string_expr(args[i]));
        } else if (const auto list = array ? json_strings(*array) : std::nullopt) {
            for (const auto& element : *list)
                wanted.push_back(text_constant(element));
        } else {
            or_else(FIELDWATCH_TRY(any_element(node, one, text, args[i])));
        }
    }
    for (const auto& address : wanted)
        or_else(FIELDWATCH_TRY(call_of(node, one, {text, address})));
    return result;
}

}  // namespace fieldwatch::kql
