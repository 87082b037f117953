// What kql's SQL, and a purge, call beyond the engine's own functions, made known to it (ADR 0200).
#pragma once

#include <duckdb.h>

#include "base/result.hpp"

namespace fieldwatch::workspace {

/// For every connection to this one's database. Errors: Internal, when the engine takes one not.
Result<void> register_engine_functions(duckdb_connection connection);

inline constexpr const char* kWithoutName = "fieldwatch_without_name";
/// kWithoutName(text, name), of workspace/purged_text.hpp; otherwise as register_engine_functions.
Result<void> register_without_name(duckdb_connection connection);

}  // namespace fieldwatch::workspace
