#include "workspace/duckdb/cell.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>

namespace fieldwatch::workspace {
namespace {

double as_real(const ColumnView& column, std::size_t row) {
    switch (column.type()) {
        case DUCKDB_TYPE_DOUBLE:
            return column.real(row);
        case DUCKDB_TYPE_FLOAT:
            return static_cast<const float*>(column.data())[row];
        case DUCKDB_TYPE_HUGEINT: {
            const auto& value = static_cast<const duckdb_hugeint*>(column.data())[row];
            return std::ldexp(static_cast<double>(value.upper), 64) + static_cast<double>(value.lower);
        }
        default:
            return static_cast<double>(column.any_integer(row));
    }
}

std::string uuid_text(const ColumnView& column, std::size_t row) {
    const auto& value = static_cast<const duckdb_hugeint*>(column.data())[row];
    const auto high = std::bit_cast<std::uint64_t>(value.upper) ^ (std::uint64_t{1} << 63);
    return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xFFFF,
                       high & 0xFFFF, value.lower >> 48, value.lower & 0xFFFF'FFFF'FFFF);
}

}  // namespace

Value cell_value(const ColumnView& column, std::size_t row, ColumnType type) {
    if (column.is_null(row)) return std::monostate{};
    if (column.type() == DUCKDB_TYPE_VARCHAR) return std::string(column.text(row));
    if (column.type() == DUCKDB_TYPE_UUID) return uuid_text(column, row);
    switch (type) {
        case ColumnType::Bool:
            return column.type() == DUCKDB_TYPE_BOOLEAN ? column.flag(row) : column.any_integer(row) != 0;
        case ColumnType::Real:
        case ColumnType::Decimal:
            return as_real(column, row);
        default:
            break;
    }
    if (column.type() == DUCKDB_TYPE_BOOLEAN) return column.flag(row);
    if (column.type() == DUCKDB_TYPE_DOUBLE || column.type() == DUCKDB_TYPE_FLOAT) {
        return as_real(column, row);
    }
    return column.any_integer(row);
}

}  // namespace fieldwatch::workspace
