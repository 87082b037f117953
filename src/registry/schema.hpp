// The registry's tables, version by version: docs/formats/registry.md.
#pragma once

#include "registry/sqlite.hpp"

namespace fieldwatch::registry {

inline constexpr std::int64_t kSchemaVersion = 6;

/// Brings a database of any earlier version, or an empty one, to kSchemaVersion, in one transaction.
/// Errors: Unsupported for a version of the future.
Result<void> migrate(Connection& database);

}  // namespace fieldwatch::registry
