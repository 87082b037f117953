// A folder of imported files, each replaced whole: what indicators and advisories of this server share.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "base/file_system.hpp"

namespace fieldwatch::app {

/// A name of an imported file is part of a path: no separators, not hidden. Errors: InvalidArgument.
Result<void> check_content_name(std::string_view name);

/// Any thread.
class ContentFolder {
  public:
    ContentFolder(FileSystem& files, std::string directory, std::function<void()> changed)
        : files_(files), directory_(std::move(directory)), changed_(std::move(changed)) {}

    /// What may refuse a file, asked while nothing else is imported. Errors: its own.
    using Check = std::function<Result<void>()>;
    /// `text` in place of the file of that name, if `check` agrees; then says that something changed. Errors:
    /// Io.
    Result<void> replace(const std::string& name, std::string_view text, const Check& check);
    Result<void> remove(const std::string& name);  ///< Errors: InvalidArgument, NotFound, Io

    /// The file as it is, nothing where there is none that can be read.
    std::optional<std::string> text_of(const std::string& name, std::uint64_t bytes_max) const;
    std::vector<std::string> names() const;

  private:
    FileSystem& files_;
    std::string directory_;
    std::function<void()> changed_;
    std::mutex mutex_;  ///< one import after the other: each compares with what it replaces
};

/// An empty answer of a feed must not disarm detection: a file that lost more than half of its entries is
/// refused. `unless` says how to insist. Errors: Conflict.
Result<void> check_shrink(const std::string& name, std::size_t before, std::size_t now,
                          std::string_view unless);

}  // namespace fieldwatch::app
