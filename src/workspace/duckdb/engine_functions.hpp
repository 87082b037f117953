// What kql's SQL calls beyond the engine's own functions, made known to it (ADR 0200).
#pragma once

#include <duckdb.h>

#include "base/result.hpp"

namespace fieldwatch::workspace {

/// For every connection to this one's database. Errors: Internal, when the engine takes one not.
Result<void> register_engine_functions(duckdb_connection connection);

}  // namespace fieldwatch::workspace
