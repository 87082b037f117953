// One segment file: written by the committer of its partition, read by anyone. See docs/formats/journal.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/file_system.hpp"
#include "journal/segment_format.hpp"

namespace fieldwatch::journal {

/// Where records lie in a segment, sparsely: an entry at least every kStride bytes of what was written or
/// read so far. At most segment_bytes / kStride entries of 16 bytes. Any thread.
class SparseIndex {
  public:
    struct Entry {
        std::uint64_t offset;
        std::uint64_t position;
    };
    static constexpr std::uint64_t kStride = 64u << 10;

    explicit SparseIndex(Entry first) : entries_{first} {}
    /// Takes it when it is a stride behind the last; entries come in ascending order or are ignored.
    void note(Entry entry);
    Entry at_or_before(std::uint64_t offset) const;

  private:
    mutable std::mutex mutex_;
    std::vector<Entry> entries_;
};

/// What opening the newest segment of a partition found.
struct Recovery {
    std::uint64_t next_offset = 0;
    std::uint64_t dropped_bytes = 0;  ///< of a torn tail, now cut off
};

class Segment {
  public:
    /// Makes the file and its name durable. Errors: AlreadyExists, Exhausted, Io.
    static Result<std::shared_ptr<Segment>> create(FileSystem& files, const std::string& directory,
                                                   const SegmentHeader& header);
    /// Opens and checks the header against the name. Errors: Malformed, Corrupt, Unsupported, Io.
    static Result<std::shared_ptr<Segment>> open(FileSystem& files, const std::string& directory,
                                                 const SegmentName& name);

    /// Finds the end of the newest segment and cuts a torn tail off. Errors: Corrupt when what is damaged had
    /// been synced; Io.
    Result<Recovery> recover(std::size_t record_bytes_max);

    /// Makes room for `bytes` more, in steps of zeros: overwriting them later changes no metadata, which is
    /// what makes fdatasync quick. Nothing of the log has changed when it fails.
    Result<void> reserve(std::uint64_t bytes, std::uint64_t segment_bytes);
    /// Writes whole records behind the last and syncs. Committer only, after reserve().
    Result<void> commit(ByteView frames, std::uint64_t first_offset);
    /// No more will be written: gives back what was reserved.
    void seal();

    /// Records from `from` on that lie below `end`, into `out`. At least one, or an error. Any thread.
    /// Errors: Corrupt, Io.
    struct Bounds {
        std::uint64_t end_offset;
        std::size_t records_max, bytes_max, record_bytes_max;
    };
    Result<void> read(std::uint64_t from, const Bounds& bounds, Batch& out) const;

    const SegmentHeader& header() const { return header_; }
    const std::string& path() const { return path_; }
    /// Bytes up to the last durable record.
    std::uint64_t bytes() const { return end_.load(std::memory_order_acquire); }
    bool empty() const { return bytes() == kSegmentHeaderBytes; }

  private:
    Segment(std::unique_ptr<File> file, std::string path, const SegmentHeader& header, std::uint64_t size);

    std::unique_ptr<File> file_;
    std::string path_;
    SegmentHeader header_;
    std::atomic<std::uint64_t> end_;  // position behind the last durable record
    std::uint64_t reserved_;          // the file's size; committer only
    mutable SparseIndex index_;
};

}  // namespace fieldwatch::journal
