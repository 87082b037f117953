// The registry's tables, version by version: docs/formats/registry.md.
#pragma once

#include "registry/sqlite.hpp"

namespace fieldwatch::registry {

inline constexpr std::int64_t kSchemaVersion = 7;

inline constexpr std::int64_t kSealedSince = 7;  ///< before it secrets lay in the file as they are

/// 0 for an empty database. Errors: Unsupported for a version of the future.
Result<std::int64_t> schema_version(Connection& database);

/// Brings a database of any earlier version, or an empty one, to kSchemaVersion, in one transaction.
/// `database` has its keyring. Errors: Unsupported for a version of the future.
Result<void> migrate(Connection& database);

}  // namespace fieldwatch::registry
