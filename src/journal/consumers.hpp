// Who still needs which records: the file that keeps retention from outrunning a consumer.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/file_system.hpp"
#include "journal/journal.hpp"

namespace fieldwatch::journal {

/// Any thread; a change returns when it is durable. At most kConsumersMax entries (consumer and partition).
class Consumers {
  public:
    static constexpr std::size_t kEntriesMax = 4'096;  ///< a few consumers times 2 streams times partitions
    static constexpr std::size_t kNameBytesMax = 128;

    /// Errors: Corrupt, Unsupported, Io.
    static Result<std::unique_ptr<Consumers>> open(FileSystem& files, std::string path);

    Result<void> keep_from(std::string_view consumer, Place lowest);
    std::optional<std::uint64_t> kept_from(std::string_view consumer, Stream stream,
                                           std::uint32_t partition) const;
    std::vector<std::string> names() const;  ///< sorted
    Result<void> forget(std::string_view consumer);
    /// The lowest offset that any consumer of this partition keeps; nullopt when nobody reads it.
    std::optional<std::uint64_t> lowest(Stream stream, std::uint32_t partition) const;

  private:
    using Key = std::tuple<std::string, Stream, std::uint32_t>;
    using Kept = std::map<Key, std::uint64_t>;
    Consumers(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}

    /// Makes `changed` durable, and then what counts. Under the mutex.
    Result<void> replace(Kept changed);

    FileSystem& files_;
    const std::string path_;
    mutable std::mutex mutex_;
    Kept kept_;
};

}  // namespace fieldwatch::journal
