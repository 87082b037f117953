#include "agent/spool/flash.hpp"

#include <algorithm>
#include <utility>

namespace fieldwatch::agent {

namespace {

constexpr std::uint64_t kBlocksOfASync = 2;  // the inode's, and the journal's or the node's above it
constexpr double kDayNs = 86'400e9;
constexpr double kSavedDays = 1.0 / 8;

/// Adds to `blocks`, which outlives it, at each sync.
class MeteredFile final : public File {
  public:
    MeteredFile(std::unique_ptr<File> file, std::uint64_t& blocks)
        : file_(std::move(file)), blocks_(blocks) {}

    Result<void> write_at(std::uint64_t offset, ByteView data) override {
        if (!data.empty()) {
            begin_ = std::min(begin_, offset / FlashMeter::kBlockBytes);
            end_ = std::max(end_, (offset + data.size() - 1) / FlashMeter::kBlockBytes + 1);
        }
        return file_->write_at(offset, data);
    }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const override {
        return file_->read_at(offset, out);
    }
    Result<std::uint64_t> size() const override { return file_->size(); }
    Result<void> truncate(std::uint64_t size) override { return file_->truncate(size); }
    Result<void> sync() override {
        blocks_ += (end_ > begin_ ? end_ - begin_ : 0) + kBlocksOfASync;
        begin_ = UINT64_MAX;
        end_ = 0;
        return file_->sync();
    }

  private:
    std::unique_ptr<File> file_;
    std::uint64_t& blocks_;
    std::uint64_t begin_ = UINT64_MAX, end_ = 0;  // of the blocks written to since the last sync
};

}  // namespace

Result<std::unique_ptr<File>> FlashMeter::open(const std::string& path, OpenMode mode) {
    auto file = FIELDWATCH_TRY(files_.open(path, mode));
    return std::make_unique<MeteredFile>(std::move(file), blocks_);
}

Result<void> FlashMeter::rename(const std::string& from, const std::string& to) {
    return files_.rename(from, to);
}

Result<void> FlashMeter::remove(const std::string& path) {
    return files_.remove(path);
}

Result<void> FlashMeter::make_directories(const std::string& path) {
    return files_.make_directories(path);
}

Result<std::vector<std::string>> FlashMeter::list(const std::string& directory) {
    return files_.list(directory);
}

Result<void> FlashMeter::sync_directory(const std::string& directory) {
    blocks_ += kBlocksOfASync;
    return files_.sync_directory(directory);
}

Result<std::uint64_t> FlashMeter::free_bytes(const std::string& directory) {
    return files_.free_bytes(directory);
}

FlashBudget::FlashBudget(std::uint64_t bytes_per_day)
    : per_ns_(static_cast<double>(bytes_per_day) / kDayNs),
      most_(static_cast<double>(bytes_per_day) * kSavedDays),
      left_(most_) {}

bool FlashBudget::has_room(std::uint64_t written_bytes, std::int64_t now_ns) {
    if (since_ns_ != 0) left_ += per_ns_ * static_cast<double>(now_ns - since_ns_);
    since_ns_ = now_ns;
    left_ = std::min(left_, most_) - static_cast<double>(written_bytes - written_bytes_);
    written_bytes_ = written_bytes;
    if (left_ > 0) return true;
    ++passes_put_off_;
    return false;
}

}  // namespace fieldwatch::agent
