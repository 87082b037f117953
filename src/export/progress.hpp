// What a destination is done with, kept over restarts: docs/formats/exports.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/file_system.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwatch::exports {

struct Progress {
    std::map<std::string, std::uint64_t, std::less<>> cursors;  ///< by workspace: this sequence and all below
    std::uint64_t delivered = 0;
    std::uint64_t dropped = 0;  ///< waited too long, stood too far back, or could not be read
    std::uint64_t refused = 0;  ///< the receiver said that it will never take it
    Timestamp last_delivered;
};

/// Nothing is done yet when there is no file. Errors: Corrupt, Unsupported (a later version), Io.
Result<Progress> load_progress(FileSystem& files, const std::string& path);
Result<void> save_progress(FileSystem& files, const std::string& path, const Progress& progress);

}  // namespace fieldwatch::exports
