// What one table is: the columns that are stored, the columns that a query sees, how files are sorted and how
// long they stay. Filled from schemas/*.yaml by tools/generate_schemas.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "workspace/workspace.hpp"

namespace fieldwatch::workspace {

/// How a value lies in the store. Ticks are 100 ns since 0001-01-01 in 64 bits, as in query plans.
enum class Storage : std::uint8_t { Text, Ticks, Real, Flag, Integer, Uuid };

struct StoredColumn {
    std::string_view name;
    Storage storage;
    bool nullable;
    unsigned since;                ///< table version that brought it; older files lack it
    std::string_view default_sql;  ///< its value in those
};
/// `expression` is SQL over stored columns; `{workspace_id}` and the like are replaced by literals.
struct ViewColumn {
    std::string_view name;
    ColumnType type;
    std::string_view expression;
    bool hidden;
};
struct DetailPath {
    std::string_view path, column;
};
enum class Retention : std::uint8_t { Raw, Alerts };
enum class Period : std::uint8_t { Hour, Day };

struct Table {
    std::string_view name;
    unsigned version;
    Retention retention;
    Period period;
    std::span<const StoredColumn> stored;
    std::span<const ViewColumn> columns;
    std::span<const std::string_view> sort;
    std::string_view details_column;  ///< "" when no paths are typed
    std::span<const DetailPath> details;
};

}  // namespace fieldwatch::workspace
