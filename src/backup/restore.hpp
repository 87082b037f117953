// A backup becomes a data folder again: whole, or not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "backup/manifest.hpp"
#include "base/result.hpp"

namespace fieldwatch::backup {

/// Told after every piece: bytes written so far.
using Progress = std::function<void(std::uint64_t bytes)>;

/// Writes the backup at `source` beside `directory`, compares every file with the manifest's hashes, and
/// only then gives it that name. Errors: AlreadyExists when `directory` holds anything; Corrupt when a file
/// differs, is missing, or is not in the manifest; what open_source says; Io.
Result<Manifest> restore(const std::string& source, const std::string& directory, const Progress& progress);

}  // namespace fieldwatch::backup
