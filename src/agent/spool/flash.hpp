// What the agent's own writes cost a device's flash, and how much of it they may take in a day: cheap flash
// stands some thousand times its size.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/file_system.hpp"

namespace fieldwatch::agent {

/// Another file system, and how many bytes it made the flash below write: for each sync the blocks of 4 KiB
/// that were written to since the last, and two more for what the file system notes of it. An estimate; what
/// the flash makes of its own pages comes on top. One thread.
class FlashMeter final : public FileSystem {
  public:
    static constexpr std::uint64_t kBlockBytes = 4'096;

    explicit FlashMeter(FileSystem& files) : files_(files) {}
    std::uint64_t written_bytes() const { return blocks_ * kBlockBytes; }

    Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> remove(const std::string& path) override;
    Result<void> make_directories(const std::string& path) override;
    Result<std::vector<std::string>> list(const std::string& directory) override;
    Result<void> sync_directory(const std::string& directory) override;
    Result<std::uint64_t> free_bytes(const std::string& directory) override;

  private:
    FileSystem& files_;
    std::uint64_t blocks_ = 0;
};

/// So many bytes a day, evenly: what was not written is there later, an eighth of a day's at most. One
/// thread.
class FlashBudget {
  public:
    explicit FlashBudget(std::uint64_t bytes_per_day);
    /// Whether another pass may write, where `written_bytes` have been so far; one that may not is counted.
    bool has_room(std::uint64_t written_bytes, std::int64_t now_ns);
    std::uint64_t passes_put_off() const { return passes_put_off_; }

  private:
    double per_ns_;
    double most_;
    double left_;
    std::uint64_t written_bytes_ = 0;
    std::int64_t since_ns_ = 0;
    std::uint64_t passes_put_off_ = 0;
};

}  // namespace fieldwatch::agent
