// Where content versions lie: one immutable file a hash, because the log names them for as long as its
// records last (design 3a, "Control records"). Advisories lie beside it, one file a text, because many
// versions have the same (ADR 0110). docs/formats/checkpoint.md has the bytes.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/file_system.hpp"
#include "base/result.hpp"
#include "detect/engine.hpp"

namespace fieldwatch::pipeline {

/// Any thread: shards that meet the same version at different times share one compiled copy (ADR 0030).
class ContentStore {
  public:
    static constexpr std::uint64_t kFileBytesMax = 512u
                                                   << 20;  ///< a million indicators are about 60 MiB of text

    /// `files` outlives the store. The directory is made with the first version that is put.
    ContentStore(FileSystem& files, std::string directory)
        : files_(files), directory_(std::move(directory)) {}

    /// Compiles, then keeps the sources under their hash. Idempotent. Errors: what compile says, Io.
    Result<std::string> put(const detect::ContentSources& sources);
    /// Errors: NotFound, Corrupt, InvalidArgument for a hash that is none.
    Result<detect::ContentPtr> get(std::string_view hash);
    Result<detect::ContentSources> sources(std::string_view hash);

  private:
    std::string path(std::string_view hash) const {
        return directory_ + "/" + std::string(hash) + ".content";
    }
    std::string part_path(std::string_view hash) const {
        return directory_ + "/" + std::string(hash) + ".part";
    }
    detect::ContentPtr newest();
    Result<void> keep_part(const std::string& text);

    FileSystem& files_;
    std::string directory_;
    std::mutex mutex_;
    std::map<std::string, std::weak_ptr<const detect::Content>, std::less<>> compiled_;  // guarded by mutex_
    detect::ContentPtr newest_;  // keeps what was asked for last
};

}  // namespace fieldwatch::pipeline
