#include "kql/expr.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace fieldwatch::kql {

ExprPtr constant(ColumnType type, Parameter value) {
    auto expr = std::make_shared<Expr>();
    expr->type = type;
    expr->value = std::move(value);
    return expr;
}

ExprPtr column_ref(std::uint32_t id, ColumnType type) {
    auto expr = std::make_shared<Expr>();
    expr->kind = ExprKind::Column;
    expr->type = type;
    expr->column = id;
    return expr;
}

namespace {

std::size_t uses_of(std::string_view hole, std::string_view sql) {
    std::size_t uses = 0;
    for (auto at = sql.find(hole); at != std::string_view::npos; at = sql.find(hole, at + 1))
        ++uses;
    return uses;
}

/// What gives another value each time is computed once, beside what uses it: in several places it would be
/// several values, and the engine's TRY takes none that changes.
std::string computed_once(std::string sql, std::string_view hole, std::size_t number) {
    const auto name = fmt::format("once_{}", number);
    for (auto at = sql.find(hole); at != std::string::npos; at = sql.find(hole, at + name.size()))
        sql.replace(at, hole.size(), name);
    return fmt::format("list_transform([{}], lambda {}: {})[1]", hole, name, sql);
}

std::shared_ptr<Expr> plain_call(ColumnType type, std::string sql, std::vector<ExprPtr> args,
                                 CallTraits traits = {}) {
    constexpr std::size_t kHuge = std::size_t{1} << 40;
    auto expr = std::make_shared<Expr>();
    expr->kind = ExprKind::Call;
    expr->type = type;
    expr->subquery = expr->row_subquery = traits.asks_table;
    expr->random = traits.random;
    expr->over_lists = sql.contains("lambda");
    for (std::size_t i = 0; i < args.size(); ++i) {
        const auto hole = fmt::format("{{{}}}", i);
        const auto uses =
            std::max<std::size_t>(uses_of(hole, sql), sql.contains("{*}") || sql.contains("{rest}"));
        expr->weight = std::min(kHuge, expr->weight + uses * args[i]->weight);
        expr->aggregate |= args[i]->aggregate;
        expr->window |= args[i]->window;
        expr->subquery |= args[i]->subquery;
        expr->row_subquery |= args[i]->row_subquery;
        expr->random |= args[i]->random;
        expr->over_lists |= args[i]->over_lists;
    }
    expr->sql = std::move(sql);
    expr->args = std::move(args);
    return expr;
}

}  // namespace

bool is_closed_to_subqueries(std::string_view sql) {
    return sql.contains("TRY(") || sql.contains("lambda");
}

ExprPtr call(ColumnType type, std::string sql, std::vector<ExprPtr> args, CallTraits traits) {
    for (std::size_t i = 0; i < args.size(); ++i) {
        const auto hole = fmt::format("{{{}}}", i);
        const auto uses = args[i]->random ? uses_of(hole, sql) : 0;
        if (uses > 1 || (uses == 1 && sql.contains("TRY("))) sql = computed_once(std::move(sql), hole, i);
    }
    return plain_call(type, std::move(sql), std::move(args), traits);
}

ExprPtr aggregate_call(ColumnType type, std::string sql, std::vector<ExprPtr> args,
                       std::vector<SortKey> order) {
    auto expr = plain_call(type, std::move(sql), std::move(args));
    expr->aggregate = true;
    expr->order = std::move(order);
    return expr;
}

ExprPtr scalar_of(PlanPtr plan, ColumnType type) {
    auto expr = std::make_shared<Expr>();
    expr->kind = ExprKind::Scalar;
    expr->type = type;
    expr->subquery = true;
    expr->plan = std::move(plan);
    return expr;
}

ExprPtr special(ExprKind kind, ColumnType type, ExprPtr arg, std::string sql) {
    // Its text would be computed at each place where the SQL has it.
    if (kind == ExprKind::Parse && arg->random)
        return call(type, std::string(kParsedJsonSql), {std::move(arg)});
    auto expr = std::make_shared<Expr>();
    expr->kind = kind;
    expr->type = type;
    expr->weight = 2 * arg->weight + 1;
    expr->aggregate = arg->aggregate;
    expr->window = arg->window;
    expr->subquery = arg->subquery;
    expr->row_subquery = arg->row_subquery;
    expr->random = arg->random;
    expr->over_lists = arg->over_lists;
    expr->args.push_back(std::move(arg));
    expr->sql = std::move(sql);
    return expr;
}

std::optional<std::int64_t> integer_value(const ExprPtr& expr) {
    if (!is_constant(expr)) return std::nullopt;
    if (const auto* value = std::get_if<std::int64_t>(&expr->value)) return *value;
    return std::nullopt;
}

std::optional<std::string> text_value(const ExprPtr& expr) {
    if (!is_constant(expr) || expr->type != ColumnType::String) return std::nullopt;
    if (const auto* value = std::get_if<std::string>(&expr->value)) return *value;
    return std::nullopt;
}

std::string_view to_string(ColumnType type) {
    constexpr std::string_view kNames[] = {"bool",   "int",  "long",     "real",     "decimal",
                                           "string", "guid", "datetime", "timespan", "dynamic"};
    return kNames[static_cast<std::size_t>(type)];
}

std::optional<ColumnType> type_by_name(std::string_view name) {
    if (name == "boolean") return ColumnType::Bool;
    if (name == "double") return ColumnType::Real;
    if (name == "date") return ColumnType::DateTime;
    if (name == "time") return ColumnType::TimeSpan;
    if (name == "uuid" || name == "uniqueid") return ColumnType::Guid;
    for (int i = 0; i <= static_cast<int>(ColumnType::Dynamic); ++i) {
        if (to_string(static_cast<ColumnType>(i)) == name) return static_cast<ColumnType>(i);
    }
    return std::nullopt;
}

std::string_view sql_type(ColumnType type) {
    switch (type) {
        case ColumnType::Bool:
            return "BOOLEAN";
        case ColumnType::Int:
            return "INTEGER";
        case ColumnType::Long:
        case ColumnType::DateTime:
        case ColumnType::TimeSpan:
            return "BIGINT";
        case ColumnType::Real:
            return "DOUBLE";
        case ColumnType::Decimal:
            return "DECIMAL(38, 10)";
        case ColumnType::String:
        case ColumnType::Guid:
        case ColumnType::Dynamic:
            return "VARCHAR";
    }
    return "VARCHAR";
}

namespace {

constexpr std::string_view kDateTimeText =
    "strftime(make_timestamp(({0} - {0} % 10 - 621355968000000000) // 10), '%Y-%m-%dT%H:%M:%S.%f') || "
    "CAST({0} % 10 AS VARCHAR) || 'Z'";
constexpr std::string_view kTimeSpanText =
    "CASE WHEN {0} IS NOT NULL THEN CASE WHEN {0} < 0 THEN '-' ELSE '' END || CASE WHEN abs(greatest({0}, "
    "-9223372036854775807)) >= "
    "864000000000 THEN CAST(abs(greatest({0}, "
    "-9223372036854775807)) // 864000000000 AS VARCHAR) || '.' ELSE '' END || printf('%02d:%02d:%02d', "
    "abs(greatest({0}, -9223372036854775807)) // "
    "36000000000 % 24, abs(greatest({0}, -9223372036854775807)) // 600000000 % 60, abs(greatest({0}, "
    "-9223372036854775807)) // 10000000 % 60) || CASE WHEN "
    "{0} % 10000000 <> 0 THEN printf('.%07d', abs({0} % 10000000)) ELSE '' END END";
constexpr std::string_view kIntegerText = "'\\s*([+-]?\\d+|0[xX][0-9a-fA-F]+)\\s*'";

/// The engine reads ISO 8601 to the microsecond and passes over an offset; the seventh digit and the offset
/// are added here, and month/day/year, RFC 822 and 850 are read too.
constexpr std::string_view kTextToDateTime =
    "epoch_us(coalesce(TRY_CAST(nullif(regexp_replace({0}, '^\\s*(\\d\\d?)/(\\d\\d?)/(\\d\\d\\d\\d)', "
    "'\\3-\\1-\\2'), '') AS TIMESTAMP), try_strptime(regexp_replace({0}, "
    "'^\\s*[A-Za-z]+,\\s*|\\s*(?:GMT|UTC|Z|\\s[+-]\\d\\d:?\\d\\d)\\s*$', '', 'g'), ['%d %b %Y %H:%M:%S', '%d "
    "%b %Y %H:%M', "
    "'%d %b %Y', '%d %B %Y %H:%M:%S', '%d %B %Y', '%d-%b-%y %H:%M:%S', '%d-%b-%y', '%m/%d/%Y %I:%M:%S %p', "
    "'%m/%d/%Y %I:%M %p', '%Y-%m-%d %I:%M:%S %p', '%Y-%m-%d %I:%M %p', '%Y-%m-%d %H:%M:%S.%f', "
    "'%Y-%m-%d %H:%M:%S', '%Y-%m-%d %H:%M', '%Y-%m-%dT%H:%M:%S.%f', '%Y-%m-%dT%H:%M:%S']))) * 10 + "
    "621355968000000000 + "
    "coalesce(TRY_CAST(regexp_extract({0}, ':\\d\\d[.]\\d{6}(\\d)', 1) AS BIGINT), 0) - "
    "coalesce(TRY_CAST(regexp_extract({0}, ':\\d\\d(?:[.]\\d+)?\\s*([+-])\\d\\d:?\\d\\d$', 1) || '1' AS "
    "BIGINT) "
    "* "
    "(TRY_CAST(regexp_extract({0}, '[+-](\\d\\d):?\\d\\d$', 1) AS BIGINT) * 60 + "
    "TRY_CAST(regexp_extract({0}, '[+-]\\d\\d:?(\\d\\d)$', 1) AS BIGINT)) * 600000000, 0)";

ExprPtr text_to_long(const ExprPtr& text, std::string_view type) {
    return call(ColumnType::Long,
                fmt::format("CASE WHEN regexp_full_match({{0}}, {}) THEN TRY_CAST(trim({{0}}) AS {}) END",
                            kIntegerText, type),
                {text});
}

ExprPtr retyped(const ExprPtr& value, ColumnType type) {
    auto copy = std::make_shared<Expr>(*value);
    copy->type = type;
    return copy;
}

}  // namespace

ExprPtr to_string_expr(const ExprPtr& value) {
    if (is_null(value)) return text_constant("");
    switch (value->type) {
        case ColumnType::String:
            return value;
        case ColumnType::Dynamic:
            return special(ExprKind::ToString, ColumnType::String, value);
        case ColumnType::DateTime:
            return call(ColumnType::String, fmt::format("coalesce({}, '')", kDateTimeText), {value});
        case ColumnType::TimeSpan:
            return call(ColumnType::String, fmt::format("coalesce({}, '')", kTimeSpanText), {value});
        case ColumnType::Decimal:
            return call(ColumnType::String,
                        "coalesce(regexp_replace(CAST({0} AS VARCHAR), '[.]?0+$', ''), '')", {value});
        case ColumnType::Real:
            return call(
                ColumnType::String,
                "CASE WHEN isfinite({0}) THEN replace(CAST({0} AS VARCHAR), 'e', 'E') WHEN isnan({0}) "
                "THEN 'NaN' WHEN {0} > 0 THEN 'Infinity' WHEN {0} < 0 THEN '-Infinity' ELSE '' END",
                {value});
        default:
            return call(ColumnType::String, "coalesce(CAST({0} AS VARCHAR), '')", {value});
    }
}

ExprPtr to_dynamic(const ExprPtr& value) {
    if (is_null(value)) return null_of(ColumnType::Dynamic);
    switch (value->type) {
        case ColumnType::Dynamic:
            return value;
        case ColumnType::String:
        case ColumnType::Guid:
            return call(ColumnType::Dynamic, "CAST(to_json({0}) AS VARCHAR)", {value});
        case ColumnType::DateTime:
            return call(ColumnType::Dynamic, fmt::format("'\"' || {} || '\"'", kDateTimeText), {value});
        case ColumnType::TimeSpan:
            return call(ColumnType::Dynamic, fmt::format("'\"' || {} || '\"'", kTimeSpanText), {value});
        case ColumnType::Decimal:
            return call(ColumnType::Dynamic,
                        "'\"' || regexp_replace(CAST({0} AS VARCHAR), '[.]?0+$', '') || '\"'", {value});
        case ColumnType::Real:
            return call(ColumnType::Dynamic,
                        "CASE WHEN isfinite({0}) THEN CAST({0} AS VARCHAR) WHEN {0} IS NOT NULL THEN '\"' || "
                        "CAST({0} AS VARCHAR) || '\"' END",
                        {value});
        default:
            return call(ColumnType::Dynamic, "CAST({0} AS VARCHAR)", {value});
    }
}

ExprPtr convert(const ExprPtr& value, ColumnType type) {
    if (value->type == type) return value;
    if (is_null(value)) return null_of(type);
    const auto from = value->type;
    if (type == ColumnType::String) return to_string_expr(value);
    if (type == ColumnType::Dynamic) return to_dynamic(value);
    const auto text = from == ColumnType::Dynamic ? to_string_expr(value) : value;
    const bool is_text = from == ColumnType::Dynamic || from == ColumnType::String;
    switch (type) {
        case ColumnType::Bool:
            if (from == ColumnType::Dynamic)
                return call(
                    type,
                    "CASE WHEN json_type({1}) IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE') "
                    "THEN TRY_CAST({0} AS DOUBLE) <> 0 ELSE CASE lower(trim({0})) WHEN 'true' THEN true "
                    "WHEN '1' THEN true WHEN 'false' THEN false WHEN '0' THEN false END END",
                    {text, value});
            if (is_text)
                return call(type,
                            "CASE lower(trim({0})) WHEN 'true' THEN true WHEN '1' THEN true WHEN 'false' "
                            "THEN false WHEN '0' THEN false END",
                            {text});
            if (is_number(from)) return call(type, "({0} <> 0)", {value});
            return null_of(type);
        case ColumnType::Int:
        case ColumnType::Long:
            if (from == ColumnType::Dynamic) {
                return call(type,
                            fmt::format("coalesce({{0}}, TRY_CAST(trunc(TRY_CAST({{1}} AS DOUBLE)) AS {0}))",
                                        sql_type(type)),
                            {text_to_long(text, sql_type(type)), text});
            }
            if (is_text) return retyped(text_to_long(text, sql_type(type)), type);
            if (from == ColumnType::Real || from == ColumnType::Decimal)
                return call(type, fmt::format("TRY_CAST(trunc({{0}}) AS {})", sql_type(type)), {value});
            if (type == ColumnType::Long && (from == ColumnType::DateTime || from == ColumnType::TimeSpan))
                return retyped(value, type);
            return call(type, fmt::format("TRY_CAST({{0}} AS {})", sql_type(type)), {value});
        case ColumnType::Real:
            if (from == ColumnType::Guid) return null_of(type);
            return call(type, "TRY_CAST({0} AS DOUBLE)", {text});
        case ColumnType::Decimal:
            if (!is_text && !is_number(from)) return null_of(type);
            return call(type,
                        is_text ? "TRY_CAST(nullif(trim({0}), '') AS DECIMAL(38, 10))"
                                : "TRY_CAST({0} AS DECIMAL(38, 10))",
                        {text});
        case ColumnType::DateTime:
            if (is_text) return call(type, std::string(kTextToDateTime), {text});
            if (is_integral(from))  // years 1 to 9999
                return call(type,
                            "CASE WHEN {0} BETWEEN 0 AND 3155378975999999999 THEN CAST({0} AS BIGINT) END",
                            {value});
            return null_of(type);
        case ColumnType::TimeSpan:
            if (is_text) {
                constexpr std::string_view kPattern =
                    "'\\s*-?(?:(\\d{1,7})[.])?(\\d{1,2}):(\\d{2})(?::(\\d{2})(?:[.](\\d{1,7}))?)?\\s*'";
                constexpr std::string_view kShort = "'\\s*(-?\\d+(?:[.]\\d+)?)(d|h|m|s|ms)\\s*'";
                const auto part = [&](int n) {
                    return fmt::format("coalesce(TRY_CAST(regexp_extract({{0}}, {}, {}) AS BIGINT), 0)",
                                       kPattern, n);
                };
                return call(
                    type,
                    fmt::format(
                        "CASE WHEN regexp_full_match({{0}}, {}) THEN TRY_CAST(round(TRY_CAST(regexp_extract("
                        "{{0}}, {}, 1) AS DOUBLE) * CASE regexp_extract({{0}}, {}, 2) WHEN 'd' THEN "
                        "864000000000 WHEN 'h' THEN 36000000000 WHEN 'm' THEN 600000000 WHEN 's' THEN "
                        "10000000 "
                        "ELSE 10000 END) AS BIGINT) WHEN regexp_full_match({{0}}, {}) THEN (CASE WHEN "
                        "starts_with(trim({{0}}), "
                        "'-') THEN -1 ELSE 1 END) * ({} * 864000000000 + {} * "
                        "36000000000 + {} * 600000000 + {} * 10000000 + "
                        "coalesce(TRY_CAST(rpad(regexp_extract({{0}}, {}, 5), 7, '0') AS BIGINT), 0)) END",
                        kShort, kShort, kShort, kPattern, part(1), part(2), part(3), part(4), kPattern),
                    {text});
            }
            if (is_integral(from)) return call(type, "CAST({0} AS BIGINT)", {value});
            return null_of(type);
        case ColumnType::Guid:
            if (is_text) return call(type, "lower(CAST(TRY_CAST({0} AS UUID) AS VARCHAR))", {text});
            return null_of(type);
        default:
            return null_of(type);
    }
}

ExprPtr widen(const ExprPtr& value, ColumnType type) {
    const auto from = value->type;
    if (from == type) return value;
    if (is_null(value)) return null_of(type);
    if (from == ColumnType::Int && type == ColumnType::Long)
        return call(type, "CAST({0} AS BIGINT)", {value});
    if (is_integral(from) && type == ColumnType::Real) {
        if (const auto number = integer_value(value)) return constant(type, static_cast<double>(*number));
        return call(type, "CAST({0} AS DOUBLE)", {value});
    }
    if (from == ColumnType::Dynamic) return convert(value, type);
    if ((from == ColumnType::Decimal && type == ColumnType::Real) ||
        (is_number(from) && type == ColumnType::Decimal))
        return convert(value, type);
    if (type == ColumnType::Int && integer_value(value) && std::abs(*integer_value(value)) < INT32_MAX)
        return constant(type, value->value);
    return nullptr;
}

ExprPtr json_member(const ExprPtr& base, std::string_view name) {
    const bool plain = !name.empty() && std::ranges::all_of(name, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
               c == '-' || c == ' ' || c == '@' || c == ':';
    });
    if (plain) {
        auto step = fmt::format(".\"{}\"", name);
        if (base->kind == ExprKind::Path && base->sql.starts_with('$'))
            return special(ExprKind::Path, ColumnType::Dynamic, base->args[0], base->sql + step);
        return special(ExprKind::Path, ColumnType::Dynamic, base, "$" + step);
    }
    std::string pointer = "/";  // RFC 6901
    for (const char c : name) {
        if (c == '~')
            pointer += "~0";
        else if (c == '/')
            pointer += "~1";
        else
            pointer.push_back(c);
    }
    return special(ExprKind::Path, ColumnType::Dynamic, base, pointer);
}

ExprPtr json_element(const ExprPtr& base, std::int64_t index) {
    auto step = index < 0 ? fmt::format("[#{}]", index) : fmt::format("[{}]", index);
    if (base->kind == ExprKind::Path && base->sql.starts_with('$'))
        return special(ExprKind::Path, ColumnType::Dynamic, base->args[0], base->sql + step);
    return special(ExprKind::Path, ColumnType::Dynamic, base, "$" + step);
}

}  // namespace fieldwatch::kql
