// Checkpoints: what a shard knew at an offset, in a file that is whole or absent. docs/formats/checkpoint.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/file_system.hpp"
#include "base/result.hpp"

namespace fieldwatch::pipeline {

struct Checkpoint {
    std::uint64_t next_offset = 0;  ///< the first record that is not in the state
    Bytes state;                    ///< of ShardCore
};

/// The checkpoints of one partition. One strand.
class Checkpoints {
  public:
    static constexpr std::uint64_t kBytesMax = 2ull << 30;

    Checkpoints(FileSystem& files, std::string directory, std::uint32_t partition, std::size_t kept)
        : files_(files), directory_(std::move(directory)), partition_(partition), kept_(kept) {}

    /// Durable when it returns; older ones beyond those kept are removed.
    Result<void> write(const Checkpoint& checkpoint);
    /// The newest one at or below `offset_max` that passes its check; damaged ones are passed over and
    /// counted in `damaged`.
    Result<std::optional<Checkpoint>> newest(std::uint64_t offset_max, std::size_t& damaged);
    /// Removes every checkpoint above `offset`: they are of a history that is gone.
    Result<void> forget_above(std::uint64_t offset);

  private:
    std::string name(std::uint64_t offset) const;
    Result<std::vector<std::uint64_t>> offsets() const;  ///< ascending

    FileSystem& files_;
    std::string directory_;
    std::uint32_t partition_;
    std::size_t kept_;
};

}  // namespace fieldwatch::pipeline
