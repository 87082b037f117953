// Building blocks of bound expressions: constants, calls by template, conversions between types.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "kql/plan.hpp"

namespace fieldwatch::kql {

inline constexpr std::int64_t kTicksPerDay = 864'000'000'000;
inline constexpr std::int64_t kLastTick = 3'155'378'975'999'999'999;  ///< of the year 9999
/// Equality and inequality of values that may be null; the emitter writes them plainly where null and false
/// are the same, so that filters reach the scan.
inline constexpr std::string_view kEqualSql = "coalesce({0} = {1}, false)";
inline constexpr std::string_view kInSql = "coalesce({0} IN ({rest}), false)";
/// parse_json of a text: what is no JSON becomes a JSON string, nothing and `null` become null.
inline constexpr std::string_view kParsedJsonSql =
    "CASE WHEN json_valid({0}) THEN nullif(CAST(json({0}) AS VARCHAR), 'null') WHEN {0} <> '' THEN "
    "CAST(to_json({0}) AS VARCHAR) END";

ExprPtr constant(ColumnType type, Parameter value);
inline ExprPtr text_constant(std::string text) {
    return constant(ColumnType::String, std::move(text));
}
inline ExprPtr long_constant(std::int64_t value) {
    return constant(ColumnType::Long, value);
}
inline ExprPtr null_of(ColumnType type) {
    return type == ColumnType::String ? text_constant("") : constant(type, std::monostate{});
}
ExprPtr column_ref(std::uint32_t id, ColumnType type);
ExprPtr call(ColumnType type, std::string sql, std::vector<ExprPtr> args, CallTraits traits = {});
/// Whether the engine takes no sub-query within this SQL.
bool is_closed_to_subqueries(std::string_view sql);
/// An aggregate over the rows of a group; `order` is what {order} becomes.
ExprPtr aggregate_call(ColumnType type, std::string sql, std::vector<ExprPtr> args,
                       std::vector<SortKey> order = {});
/// The first cell of a table.
ExprPtr scalar_of(PlanPtr plan, ColumnType type);
ExprPtr special(ExprKind kind, ColumnType type, ExprPtr arg, std::string sql = {});

inline bool is_constant(const ExprPtr& expr) {
    return expr->kind == ExprKind::Constant;
}
inline bool is_null(const ExprPtr& expr) {
    return is_constant(expr) && std::holds_alternative<std::monostate>(expr->value);
}
/// The value of a long, int, datetime or timespan constant.
std::optional<std::int64_t> integer_value(const ExprPtr& expr);
std::optional<std::string> text_value(const ExprPtr& expr);

inline bool is_integral(ColumnType t) {
    return t == ColumnType::Int || t == ColumnType::Long;
}
inline bool is_number(ColumnType t) {
    return is_integral(t) || t == ColumnType::Real;
}
std::optional<ColumnType> type_by_name(std::string_view name);
std::string_view sql_type(ColumnType type);

// Conversions; each takes any type but where it says otherwise.
ExprPtr to_string_expr(const ExprPtr& value);            ///< null becomes ''
ExprPtr to_dynamic(const ExprPtr& value);                ///< JSON text
ExprPtr convert(const ExprPtr& value, ColumnType type);  ///< as toint(), todatetime() …: null where it cannot
/// Without loss of meaning: int → long → real, dynamic → anything by convert(), typed null. nullptr when not
/// allowed.
ExprPtr widen(const ExprPtr& value, ColumnType type);

// JSON
Parsed<std::string> compact_json(std::string_view text, Span span);
/// The values of an array as texts, as tostring() gives them; nothing when `json` is no array of 1 to 1000.
std::optional<std::vector<std::string>> json_strings(std::string_view json);
std::string json_quote(std::string_view text);
ExprPtr json_member(const ExprPtr& base, std::string_view name);
ExprPtr json_element(const ExprPtr& base, std::int64_t index);

// Literals
std::optional<std::int64_t> parse_datetime_literal(std::string_view text);  ///< ticks since 0001-01-01
std::optional<std::int64_t> parse_timespan_literal(std::string_view text);
std::optional<std::int64_t> duration_ticks(std::string_view number, std::string_view unit);

}  // namespace fieldwatch::kql
