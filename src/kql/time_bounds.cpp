#include "kql/time_bounds.hpp"

#include <algorithm>

#include "kql/expr.hpp"

namespace fieldwatch::kql {
namespace {

/// Bounds are inclusive; the neighbour of an excluded value is exact, as time is counted in whole ticks. At
/// the ends of 64 bits the excluded value itself is let through: bounds may be too wide, never too narrow.
void narrow(TimeBounds& bounds, std::string_view sql, std::int64_t value) {
    if (sql == "({0} >= {1})") bounds.from = std::max(bounds.from, value);
    if (sql == "({0} > {1})") bounds.from = std::max(bounds.from, value + (value != INT64_MAX));
    if (sql == "({0} <= {1})") bounds.to = std::min(bounds.to, value);
    if (sql == "({0} < {1})") bounds.to = std::min(bounds.to, value - (value != INT64_MIN));
    if (sql == kEqualSql) {
        bounds.from = std::max(bounds.from, value);
        bounds.to = std::min(bounds.to, value);
    }
}

/// The same comparison with its sides exchanged.
std::string_view mirrored(std::string_view sql) {
    if (sql == "({0} >= {1})") return "({0} <= {1})";
    if (sql == "({0} > {1})") return "({0} < {1})";
    if (sql == "({0} <= {1})") return "({0} >= {1})";
    if (sql == "({0} < {1})") return "({0} > {1})";
    return sql;
}

void visit(TimeBounds& bounds, std::uint32_t column, const ExprPtr& condition) {
    if (condition->kind != ExprKind::Call) return;
    const auto& args = condition->args;
    if (condition->sql.starts_with("({0} AND ")) {
        for (const auto& arg : args)
            visit(bounds, column, arg);
        return;
    }
    if (args.size() != 2) return;
    const auto is_time = [column](const ExprPtr& e) {
        return e->kind == ExprKind::Column && e->column == column;
    };
    if (const auto value = integer_value(args[1]); value && is_time(args[0]))
        narrow(bounds, condition->sql, *value);
    if (const auto value = integer_value(args[0]); value && is_time(args[1]))
        narrow(bounds, mirrored(condition->sql), *value);
}

}  // namespace

TimeBounds time_bounds(const Plan& scan, std::span<const ExprPtr> conditions) {
    TimeBounds bounds;
    const auto& columns = scan.table->columns;
    const auto time = std::ranges::find(columns, scan.table->time_column, &CatalogColumn::name);
    if (time == columns.end()) return bounds;
    const auto id = scan.scan_ids[static_cast<std::size_t>(time - columns.begin())];
    for (const auto& condition : conditions)
        visit(bounds, id, condition);
    return bounds;
}

}  // namespace fieldwatch::kql
