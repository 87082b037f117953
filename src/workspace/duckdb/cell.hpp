// One cell of the engine as a value of the result, by its KQL type.
#pragma once

#include <cstddef>

#include "workspace/duckdb/connection.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::workspace {

/// Int, Long, DateTime and TimeSpan as int64, Real as double, Bool as bool, the rest as text; SQL NULL as
/// monostate.
Value cell_value(const ColumnView& column, std::size_t row, ColumnType type);

}  // namespace fieldwatch::workspace
