// Functions that no row of the table in functions.cpp can say: they look at constants, types or tables.
#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/format.h>

#include "kql/binder.hpp"
#include "kql/functions.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

constexpr std::array<std::string_view, 15> kConversions{
    "tostring",   "toint",      "tolong", "todouble",   "toreal",    "tobool",    "toboolean", "todecimal",
    "todatetime", "totimespan", "toguid", "parse_json", "todynamic", "parsejson", "toobject"};

constexpr std::size_t kJoinedBytesMax = 1u << 16;  // beyond, names that double would fill the memory

ColumnType conversion_type(std::string_view name) {
    if (name == "tostring") return String;
    if (name == "toint") return Int;
    if (name == "tolong") return Long;
    if (name == "todouble" || name == "toreal") return Real;
    if (name == "todecimal") return Decimal;
    if (name == "tobool" || name == "toboolean") return Bool;
    if (name == "todatetime") return DateTime;
    if (name == "totimespan") return TimeSpan;
    return name == "toguid" ? Guid : Dynamic;
}

/// A bag without the keys whose value is null or ''.
constexpr std::string_view kWithoutEmpty =
    "'{' || coalesce(array_to_string(list_transform(list_filter(json_keys({0}), lambda k: "
    "coalesce(json_extract_string({0}, '/' || replace(replace(k, '~', '~0'), '/', '~1')), '') <> ''), lambda "
    "k: "
    "CAST(to_json(k) AS VARCHAR) || ':' || CAST(json_extract({0}, '/' || replace(replace(k, '~', '~0'), '/', "
    "'~1')) AS VARCHAR)), ','), '') || '}'";

/// Constant texts joined are one, so that a pattern may be made of parts; nullptr where one is not constant.
ExprPtr joined_constants(const std::vector<ExprPtr>& parts) {
    std::string joined;
    for (const auto& part : parts) {
        const auto text = text_value(part);
        if (!text || joined.size() > kJoinedBytesMax) return nullptr;
        joined += *text;
    }
    return text_constant(std::move(joined));
}

Parsed<ColumnType> typeof_argument(const Node& node) {
    if (node.kind != NodeKind::Typeof) return semantic_error(node.span, "typeof(…) is expected here");
    return *type_by_name(node.text);
}

}  // namespace

Parsed<std::optional<ExprPtr>> Binder::special_function(const Node& node, const Scope& scope) {
    const auto& n = node.text;
    const auto count_is = [&](std::size_t low, std::size_t high) -> Parsed<> {
        if (node.args.size() >= low && node.args.size() <= high) return {};
        return semantic_error(
            node.span, fmt::format("{} takes {} argument{}, not {}", n,
                                   low == high ? std::to_string(low) : fmt::format("{} to {}", low, high),
                                   high == 1 ? "" : "s", node.args.size()));
    };
    if (n == "extractjson" || n == "extract_json") return FIELDWATCH_TRY(json_path(node, scope));
    if (n == "toscalar") {
        FIELDWATCH_TRY(count_is(1, 1));
        auto table = FIELDWATCH_TRY(tabular(*node.args[0]));
        if (!table) return FIELDWATCH_TRY(expression(*node.args[0], scope));
        if (table->fields.empty()) return semantic_error(node.span, "the table has no column");
        table->fields.resize(1);
        auto limit = std::make_shared<Plan>();
        limit->kind = PlanKind::Limit;
        limit->inputs.push_back(table->plan);
        limit->count = 1;
        limit->order = table->order;
        table->plan = limit;
        table->order.clear();
        seal(*table);
        const auto cell = scalar_of(table->plan, table->fields[0].value->type);
        // A string is never null, not even that of no row.
        return cell->type == String ? call(String, "coalesce({0}, '')", {cell}) : cell;
    }
    if (n == "column_ifexists" || n == "columnifexists") {
        FIELDWATCH_TRY(count_is(2, 2));
        const auto name = text_value(FIELDWATCH_TRY(expression(*node.args[0], scope)));
        if (!name) return semantic_error(node.args[0]->span, "the column's name is a constant string");
        if (scope.relation) {
            for (const auto& field : scope.relation->fields) {
                if (field.name == *name) return field.value;
            }
        }
        return FIELDWATCH_TRY(expression(*node.args[1], scope));
    }
    if (n == "pack_all") {
        FIELDWATCH_TRY(count_is(0, 1));
        std::vector<std::pair<ExprPtr, ExprPtr>> entries;
        if (scope.relation) {
            for (const auto& field : scope.relation->fields) {
                if (!field.hidden) entries.emplace_back(text_constant(field.name), field.value);
            }
        }
        auto all = FIELDWATCH_TRY(bag(node, std::move(entries)));
        if (node.args.empty()) return all;
        const auto ignore = FIELDWATCH_TRY(expression(*node.args[0], {}));
        if (!std::holds_alternative<bool>(ignore->value))
            return semantic_error(node.args[0]->span, "whether null and empty are left out is a constant");
        return std::get<bool>(ignore->value) ? call(Dynamic, std::string(kWithoutEmpty), {all}) : all;
    }
    if (n == "ingestion_time") {
        FIELDWATCH_TRY(count_is(0, 0));
        const auto* relation = scope.relation;
        if (relation) {
            const auto field = std::ranges::find(relation->fields, "TimeGenerated", &Field::name);
            if (field != relation->fields.end() && field->value->type == DateTime) return field->value;
        }
        return null_of(DateTime);
    }
    if (auto result = FIELDWATCH_TRY(variadic(node, scope))) return result;
    const auto find = [&](std::span<const SpecialRow> rows) {
        return std::ranges::any_of(rows, [&](const SpecialRow& row) { return row.name == n; });
    };
    const bool conversion = std::ranges::find(kConversions, n) != kConversions.end();
    if (!find(special_rows()) && !conversion) return std::optional<ExprPtr>{};
    std::vector<ExprPtr> args;
    for (const auto& arg : node.args) {
        if (n == "extract" && arg->kind == NodeKind::Typeof) continue;
        args.push_back(FIELDWATCH_TRY(expression(*arg, scope)));
    }
    if (n == "now" || n == "ago") {
        FIELDWATCH_TRY(count_is(n == "ago", 1));
        auto now = constant(DateTime, options_.now.ticks + kUnixEpochTicks);
        if (args.empty()) return now;
        if (!widen(args[0], TimeSpan))
            return semantic_error(node.args[0]->span, fmt::format("{} takes a timespan, such as 1d, not {}",
                                                                  n, to_string(args[0]->type)));
        return FIELDWATCH_TRY(arithmetic(n == "ago" ? "-" : "+", now, args[0], node.span));
    }
    if (conversion) {
        FIELDWATCH_TRY(count_is(1, 1));
        const auto type = conversion_type(n);
        if (type != Dynamic) return convert(args[0], type);
        if (args[0]->type == Dynamic) return args[0];
        if (args[0]->type != String) return to_dynamic(args[0]);
        return special(ExprKind::Parse, Dynamic, args[0]);
    }
    if (n == "iff" || n == "iif" || n == "case" || n == "coalesce" || n == "min_of" || n == "max_of")
        return FIELDWATCH_TRY(conditional(node, std::move(args)));
    if (n == "bin" || n == "floor") return FIELDWATCH_TRY(bin(node, std::move(args)));
    if (n == "datetime_diff" || n == "datetime_add" || n == "datetime_part")
        return FIELDWATCH_TRY(datetime_function(node, std::move(args)));
    if (n == "format_datetime" || n == "format_timespan")
        return FIELDWATCH_TRY(format_time(node, std::move(args)));
    if (n == "row_number" || n == "prev" || n == "next" || n == "row_cumsum" || n.starts_with("row_rank_") ||
        n == "row_window_session")
        return FIELDWATCH_TRY(window(node, scope, std::move(args)));
    if (n == "ipv4_is_in_range" && args.size() == 2 && !text_value(args[1]))
        return FIELDWATCH_TRY(table_function(node, std::move(args)));
    if (n == "ipv4_is_in_range" || n == "ipv4_is_in_any_range")
        return FIELDWATCH_TRY(in_ranges(node, std::move(args)));
    if (n == "extract") {
        FIELDWATCH_TRY(count_is(3, 4));
        auto type = String;
        if (node.args.size() == 4) type = FIELDWATCH_TRY(typeof_argument(*node.args[3]));
        return convert(FIELDWATCH_TRY(table_function(node, std::move(args))), type);
    }
    if (n == "extract_all") {
        FIELDWATCH_TRY(count_is(2, 3));
        return FIELDWATCH_TRY(extract_all(node, std::move(args)));
    }
    if (n == "countof") {
        FIELDWATCH_TRY(count_is(2, 3));
        const auto kind = args.size() > 2 ? text_value(args[2]) : "normal";
        if (!kind || (*kind != "normal" && *kind != "regex"))
            return semantic_error(node.args.back()->span, "countof's kind is 'normal' or 'regex'");
        const auto text = to_string_expr(args[0]), what = to_string_expr(args[1]);
        if (*kind == "regex") {
            FIELDWATCH_TRY(check_regex(what, node.args[1]->span));
            return call(Long, "CAST(len(regexp_extract_all({0}, {1})) AS BIGINT)", {text, what});
        }
        return call(Long,
                    "CASE WHEN {1} = '' THEN 0::BIGINT ELSE CAST(len(list_filter(range(CAST(length({0}) AS "
                    "BIGINT)), lambda i: "
                    "starts_with(substring({0}, i + 1), {1}))) AS BIGINT) END",
                    {text, what});
    }
    if (n == "isnull" || n == "isnotnull") {
        FIELDWATCH_TRY(count_is(1, 1));
        if (args[0]->type == String) return constant(Bool, n == "isnotnull");
        return call(Bool, n == "isnull" ? "({0} IS NULL)" : "({0} IS NOT NULL)", {args[0]});
    }
    if (n == "strcat" || n == "strcat_delim") {
        FIELDWATCH_TRY(count_is(n == "strcat" ? 1 : 2, 500));
        std::vector<ExprPtr> parts;
        std::string sql;
        const bool delimited = n == "strcat_delim";
        for (std::size_t i = 0; i < args.size(); ++i)
            parts.push_back(to_string_expr(args[i]));
        if (auto joined = delimited ? nullptr : joined_constants(parts)) return joined;
        for (std::size_t i = delimited; i < args.size(); ++i) {
            if (!sql.empty()) sql += delimited ? ", {0}, " : ", ";
            sql += fmt::format("{{{}}}", i);
        }
        return call(String, "kql_concat(" + sql + ")", std::move(parts));
    }
    if (n == "split") {
        FIELDWATCH_TRY(count_is(2, 3));
        for (int i = 0; i < 2; ++i) {
            args[static_cast<std::size_t>(i)] = to_string_expr(args[static_cast<std::size_t>(i)]);
        }
        auto parts = call(Dynamic,
                          "kql_within(CASE WHEN {1} = '' THEN CAST(json_array({0}) AS VARCHAR) ELSE "
                          "CAST(to_json(string_split({0}, {1})) AS VARCHAR) END)",
                          {args[0], args[1]});
        if (args.size() == 2) return parts;
        const auto at = integer_value(args[2]);
        if (!at || !is_integral(args[2]->type))
            return unsupported(node.args[2]->span, "split needs a constant index");
        return call(Dynamic,
                    "CASE WHEN {0} IS NOT NULL THEN CAST(json_array(json_extract_string({0}, '$')) AS "
                    "VARCHAR) ELSE '[]' END",
                    {json_element(parts, *at)});
    }
    if (n == "pack" || n == "bag_pack" || n == "pack_dictionary") {
        if (args.size() % 2)
            return semantic_error(node.span, fmt::format("{} takes pairs of a name and a value", n));
        std::vector<std::pair<ExprPtr, ExprPtr>> entries;
        for (std::size_t i = 0; i < args.size(); i += 2)
            entries.emplace_back(to_string_expr(args[i]), args[i + 1]);
        return FIELDWATCH_TRY(bag(node, std::move(entries)));
    }
    if (n == "pack_array") return FIELDWATCH_TRY(pack_array(node, std::move(args)));
    if (n == "gettype") {
        FIELDWATCH_TRY(count_is(1, 1));
        if (args[0]->type != Dynamic) return text_constant(std::string(to_string(args[0]->type)));
        return call(String,
                    "CASE coalesce(json_type({0}), 'NULL') WHEN 'ARRAY' THEN 'array' WHEN 'OBJECT' THEN "
                    "'dictionary' WHEN 'VARCHAR' THEN 'string' WHEN 'BOOLEAN' THEN 'bool' WHEN 'DOUBLE' THEN "
                    "'double' WHEN 'NULL' THEN 'null' ELSE 'long' END",
                    {args[0]});
    }
    return unsupported(node.span, fmt::format("'{}' is not supported here", n));
}

/// One text for each match; with several groups an array of them for each.
Parsed<ExprPtr> Binder::extract_all(const Node& node, std::vector<ExprPtr> args) {
    FIELDWATCH_TRY(check_regex(args[0], node.args[0]->span));
    const auto pattern = *text_value(args[0]);
    std::vector<std::string> groups;
    if (args.size() == 3) {
        const auto* json = std::get_if<std::string>(&args[1]->value);
        const auto list = args[1]->type == Dynamic && json ? json_strings(*json) : std::nullopt;
        if (!list)
            return semantic_error(node.args[1]->span, "the groups are a constant array of numbers and names");
        for (const auto& group : *list) {
            const auto number = capture_group(pattern, group);
            groups.push_back(number ? std::to_string(number) : group);
        }
    } else {
        for (int i = 1; i <= capture_groups(pattern); ++i)
            groups.push_back(std::to_string(i));
    }
    if (groups.empty()) groups.emplace_back("0");
    if (groups.size() > 16) return limit_error(node.args[0]->span, "extract_all takes at most 16 groups");
    std::string lists, row;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const bool number =
            groups[i].size() <= 2 && groups[i].find_first_not_of("0123456789") == std::string::npos;
        if (!number || std::stoi(groups[i]) > capture_groups(pattern))
            return semantic_error(node.args[1]->span, fmt::format("the pattern has no group {}", groups[i]));
        lists += fmt::format("{}regexp_extract_all({{0}}, {{1}}, {})", i ? ", " : "", groups[i]);
        row += fmt::format("{}r[{}]", i ? ", " : "", i + 1);
    }
    const auto values =
        groups.size() == 1 ? lists : fmt::format("list_transform(list_zip({}), lambda r: [{}])", lists, row);
    return call(
        Dynamic,
        fmt::format(
            "kql_within(CASE WHEN regexp_matches({{0}}, {{1}}) THEN CAST(to_json({}) AS VARCHAR) END)",
            values),
        {to_string_expr(args.back()), args[0]});
}

Parsed<ExprPtr> Binder::bag(const Node& node, std::vector<std::pair<ExprPtr, ExprPtr>> entries) {
    if (entries.empty()) return constant(Dynamic, std::string("{}"));
    if (entries.size() > 500) return limit_error(node.span, "a bag of more than 500 names");
    std::string sql = "kql_concat('{'";
    std::vector<ExprPtr> args;
    for (const auto& [name, value] : entries) {
        sql += fmt::format("{}, CAST(to_json({{{}}}) AS VARCHAR), ':', coalesce({{{}}}, 'null')",
                           args.empty() ? "" : ", ','", args.size(), args.size() + 1);
        args.push_back(name);
        args.push_back(to_dynamic(value));
    }
    return call(Dynamic, sql + ", '}')", std::move(args));
}

Parsed<ExprPtr> Binder::conditional(const Node& node, std::vector<ExprPtr> args) {
    const auto& n = node.text;
    const bool choice = n == "iff" || n == "iif" || n == "case";
    if ((n == "iff" || n == "iif") && args.size() != 3)
        return semantic_error(node.span, fmt::format("{} takes a condition and two values", n));
    if (n == "case" && (args.size() < 3 || args.size() % 2 == 0))
        return semantic_error(node.span,
                              "case takes pairs of a condition and a value, then a value for the rest");
    if (!choice && args.empty())
        return semantic_error(node.span, fmt::format("{} takes at least one value", n));
    std::vector<ExprPtr*> values;
    std::vector<Span> spans;
    for (std::size_t i = 0; i < args.size(); ++i) {
        const bool condition = choice && i + 1 < args.size() && i % 2 == 0;
        if (condition) {
            if (args[i]->type == Dynamic) args[i] = convert(args[i], Bool);
            if (args[i]->type != Bool)
                return semantic_error(
                    node.args[i]->span,
                    fmt::format("a condition is expected here, but this is {}", to_string(args[i]->type)));
            continue;
        }
        values.push_back(&args[i]);
        spans.push_back(node.args[i]->span);
    }
    FIELDWATCH_TRY(common_type(values, spans, n));
    const auto type = (*values[0])->type;
    if (!choice) {
        if (n == "coalesce") {
            std::string sql;
            for (std::size_t i = 0; i < args.size(); ++i)
                sql += type == String ? fmt::format("nullif({{{}}}, ''), ", i) : fmt::format("{{{}}}, ", i);
            return call(type, fmt::format("coalesce({}{})", sql, type == String ? "''" : "NULL"),
                        std::move(args));
        }
        if (type == Dynamic || type == Bool)
            return semantic_error(node.span, fmt::format("{} does not order {} values", n, to_string(type)));
        return call(type, n == "min_of" ? "least({*})" : "greatest({*})", std::move(args));
    }
    std::string sql = "CASE";
    for (std::size_t i = 0; i + 1 < args.size(); i += 2)
        sql += fmt::format(" WHEN {{{}}} THEN {{{}}}", i, i + 1);
    sql += fmt::format(" ELSE {{{}}} END", args.size() - 1);
    return call(type, std::move(sql), std::move(args));
}

Parsed<ExprPtr> Binder::bin(const Node& node, std::vector<ExprPtr> args) {
    if (args.size() != 2)
        return semantic_error(node.span, fmt::format("{} takes a value and a size", node.text));
    auto value = args[0], size = args[1];
    if (value->type == Dynamic) value = convert(value, size->type == TimeSpan ? DateTime : Real);
    for (auto* number : {&value, &size}) {
        if ((*number)->type == Decimal) *number = convert(*number, Real);
    }
    const bool times = value->type == DateTime || value->type == TimeSpan;
    if (times ? size->type != TimeSpan : !is_number(value->type) || !is_number(size->type))
        return semantic_error(
            node.span,
            fmt::format("{} does not take {} and {}{}", node.text, to_string(value->type),
                        to_string(size->type), times ? "; of times the size is a timespan, such as 1h" : ""));
    if (!times && (value->type == Real || size->type == Real))
        return call(Real, "CASE WHEN {1} > 0 THEN floor({0} / {1}) * {1} END",
                    {widen(value, Real), widen(size, Real)});
    if (const auto step = integer_value(size); step && *step > 0) {
        if (value->type == DateTime)
            return call(value->type, "({0} - {0} % {1})", {value, size});  // never negative
        return call(
            value->type,
            fmt::format(
                "TRY_CAST(CAST({{0}} AS HUGEINT) - ((CAST({{0}} AS HUGEINT) % {{1}}) + {{1}}) % {{1}} AS {})",
                sql_type(value->type)),
            {value, size});
    }
    return call(value->type,
                fmt::format("CASE WHEN {{1}} > 0 THEN TRY_CAST(CAST({{0}} AS HUGEINT) - ((CAST({{0}} AS "
                            "HUGEINT) % {{1}}) + {{1}}) % {{1}} AS {}) END",
                            sql_type(value->type)),
                {value, size});
}

Parsed<ExprPtr> Binder::json_path(const Node& node, const Scope& scope) {
    if (node.args.size() < 2 || node.args.size() > 3)
        return semantic_error(node.span,
                              fmt::format("{} takes a path, a text and perhaps typeof(…)", node.text));
    const auto path = text_value(FIELDWATCH_TRY(expression(*node.args[0], scope)));
    if (!path) return unsupported(node.args[0]->span, "the path must be a constant string");
    auto type = String;
    if (node.args.size() == 3) {
        type = FIELDWATCH_TRY(typeof_argument(*node.args[2]));
    }
    auto value = FIELDWATCH_TRY(expression(*node.args[1], scope));
    if (value->type == String) value = special(ExprKind::Parse, Dynamic, value);
    if (value->type != Dynamic)
        return semantic_error(node.args[1]->span, fmt::format("a JSON text is expected here, but this is {}",
                                                              to_string(value->type)));
    std::string_view rest = *path;
    if (!rest.starts_with('$')) return semantic_error(node.args[0]->span, "a JSON path begins with '$'");
    rest.remove_prefix(1);
    while (!rest.empty()) {
        std::size_t end = 0;
        if (rest[0] == '.') {
            end = std::min(rest.find_first_of(".[", 1), rest.size());
            if (end == 1) return unsupported(node.args[0]->span, "this form of JSON path is not supported");
            value = json_member(value, rest.substr(1, end - 1));
        } else {
            end = rest.find(']');
            if (rest[0] != '[' || end == std::string_view::npos || end < 2)
                return semantic_error(node.args[0]->span, "malformed JSON path");
            auto inside = rest.substr(1, end - 1);
            if (inside.size() > 2 && (inside[0] == '\'' || inside[0] == '"') && inside.back() == inside[0]) {
                value = json_member(value, inside.substr(1, inside.size() - 2));
            } else if (inside.size() <= 9 &&
                       inside.find_first_not_of("0123456789") == std::string_view::npos) {
                value = json_element(value, std::stoll(std::string(inside)));
            } else {
                return unsupported(node.args[0]->span, "this form of JSON path is not supported");
            }
            ++end;
        }
        rest.remove_prefix(end);
    }
    return convert(value, type);
}

Parsed<ExprPtr> Binder::in_ranges(const Node& node, std::vector<ExprPtr> args) {
    const bool several = node.text == "ipv4_is_in_any_range";
    if (args.size() < 2 || (args.size() > 2 && !several))
        return semantic_error(node.span, fmt::format("{} takes an address and a range", node.text));
    std::vector<std::string> ranges;
    ExprPtr found;  // in a range that only the rows know
    const auto or_else = [&](const ExprPtr& more) {
        found = found ? call(Bool, "({0} OR {1})", {found, more}) : more;
    };
    const auto address_text = to_string_expr(args[0]);
    for (std::size_t i = 1; i < args.size(); ++i) {
        const auto* array = std::get_if<std::string>(&args[i]->value);
        if (const auto text = text_value(args[i])) {
            ranges.push_back(*text);
        } else if (auto list = several && array ? json_strings(*array) : std::nullopt) {
            std::ranges::move(*list, std::back_inserter(ranges));
        } else if (args[i]->type == Dynamic) {
            or_else(FIELDWATCH_TRY(any_element(node, "ipv4_is_in_range", address_text, args[i])));
        } else {
            or_else(FIELDWATCH_TRY(call_of(node, "ipv4_is_in_range", {address_text, args[i]})));
        }
    }
    if (ranges.empty()) return found;
    Node parse;
    parse.kind = NodeKind::Call;
    parse.text = "parse_ipv4";
    parse.span = node.span;
    std::vector<ExprPtr> parts{FIELDWATCH_TRY(table_function(parse, {address_text}))};
    std::string sql;
    for (const auto& range : ranges) {
        unsigned a = 0, b = 0, c = 0, d = 0, bits = 32;
        char extra = 0;
        const int read = std::sscanf(range.c_str(), "%3u.%3u.%3u.%3u/%2u%c", &a, &b, &c, &d, &bits, &extra);
        if ((read != 4 && read != 5) || a > 255 || b > 255 || c > 255 || d > 255 || bits > 32)
            return semantic_error(node.args[1]->span, "a range is written a.b.c.d/n");
        const auto address = static_cast<std::int64_t>(a) << 24 | static_cast<std::int64_t>(b) << 16 |
                             static_cast<std::int64_t>(c) << 8 | static_cast<std::int64_t>(d);
        const auto size = std::int64_t{1} << (32 - bits);
        sql += fmt::format("{}{{0}} BETWEEN {{{}}} AND {{{}}}", sql.empty() ? "(" : " OR ", parts.size(),
                           parts.size() + 1);
        parts.push_back(long_constant(address - address % size));
        parts.push_back(long_constant(address - address % size + size - 1));
    }
    auto in_constants = call(Bool, sql + ")", std::move(parts));
    if (found) or_else(in_constants);
    return found ? found : in_constants;
}

}  // namespace fieldwatch::kql
