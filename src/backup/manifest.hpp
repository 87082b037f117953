// What a backup consists of: docs/formats/backup.md. The manifest is its last word: a backup without one was
// never finished.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fieldwatch::backup {

inline constexpr std::string_view kManifestName = "fieldwatch-backup.json";
inline constexpr std::size_t kFilesMax = 1'000'000;             ///< a file an hour and table for 20 years
inline constexpr std::size_t kPathBytesMax = 1'024;             ///< ours have under 200
inline constexpr std::uint64_t kManifestBytesMax = 256u << 20;  ///< of kFilesMax entries as ours
inline constexpr std::uint64_t kBytesMax = 1ull << 48;  ///< of a file and of all: no sum of them overflows

struct FileEntry {
    std::string path;  ///< relative, below the data folder
    std::uint64_t bytes = 0;
    std::string sha256_hex;
    friend bool operator==(const FileEntry&, const FileEntry&) = default;
};
struct Manifest {
    std::string product_version;
    std::string created;  ///< ISO 8601
    std::vector<FileEntry> files;
};

std::string to_json(const Manifest& manifest);
/// Errors: Malformed, TooLarge, Unsupported for a format of the future, InvalidArgument for a path that
/// check_path refuses.
Result<Manifest> parse_manifest(std::string_view json);

/// A path inside a folder and nowhere else: relative, of named segments, without control characters.
/// Errors: InvalidArgument, TooLarge.
Result<void> check_path(std::string_view path);

}  // namespace fieldwatch::backup
