// Where a backup is written: a folder, or one tar file. Everything lies under another name until it is whole
// and on disk; a command that is killed leaves nothing that could pass for a backup.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "backup/manifest.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/sha256_stream.hpp"

namespace fieldwatch::backup {

/// What stands behind the name of a backup, or of a data folder, that is not whole yet.
inline constexpr std::string_view kPartialSuffix = ".fieldwatch-partial";

/// One thread. Files one after the other: begin, write until `bytes` are there, end.
class Target {
  public:
    virtual ~Target() = default;
    virtual Result<void> begin(const std::string& path, std::uint64_t bytes) = 0;
    virtual Result<void> write(ByteView data) = 0;
    virtual Result<void> end() = 0;
    /// Writes the manifest, syncs all, and gives the backup its name.
    virtual Result<void> finish(const Manifest& manifest) = 0;
};

/// `path` ending in .tar, .tar.gz or .tar.zst is one file, else a folder. Errors: AlreadyExists when `path`
/// is there; Io.
Result<std::unique_ptr<Target>> create_target(const std::string& path);

/// Without slashes at its end, so that names can stand beside it.
std::string plain_path(std::string path);

/// Whether create_target would make one file of it.
bool is_archive(std::string_view path);

/// Adds files to a target, hashing them on their way.
class Writer {
  public:
    Writer(Target& target, Manifest manifest) : target_(target), manifest_(std::move(manifest)) {}
    Result<void> begin(const std::string& path, std::uint64_t bytes);
    Result<void> write(ByteView data);
    Result<void> end();  ///< Errors also: Malformed when more or fewer bytes came than were announced
    Result<void> finish() { return target_.finish(manifest_); }

  private:
    Target& target_;
    Manifest manifest_;
    std::unique_ptr<Sha256Stream> hash_;
    std::uint64_t left_ = 0;
};

/// A folder of files that are on disk when finish_folder returns: what folder targets and restores write.
class FolderFile;
class FolderWriter {
  public:
    FolderWriter(FolderWriter&&) noexcept;
    ~FolderWriter();
    /// Makes `directory` anew; what an earlier command left there goes.
    static Result<FolderWriter> create(const std::string& directory);
    Result<void> begin(const std::string& path);
    Result<void> write(ByteView data);
    Result<void> end();  ///< synced
    /// Syncs every folder and gives the whole its name, for which an empty folder makes room.
    Result<void> finish(const std::string& name);

  private:
    explicit FolderWriter(std::string directory);
    std::string directory_;
    std::unique_ptr<FolderFile> file_;  // between begin and end
};

}  // namespace fieldwatch::backup
