// One partition of one stream: its segments, the thread that commits to them, and reading. ADR 0003 says why
// each has a thread and files of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "base/metrics.hpp"
#include "journal/commit_budget.hpp"
#include "journal/journal.hpp"
#include "journal/segment.hpp"
#include "journal/upkeep.hpp"

namespace fieldwatch::journal {

/// Behind the name of a segment that is being written anew.
inline constexpr std::string_view kRewriteSuffix = ".new";

/// What a PartitionLog stands on; all outlive it.
struct PartitionParts {
    FileSystem& files;
    const Clock& clock;
    CommitBudget& budget;
    const Options& options;
    std::uint32_t salt;
    Counter& commits;
    Counter& committed_records;
    Counter& committed_bytes;
};

/// Any thread. The destructor commits what was appended.
class PartitionLog {
  public:
    /// `segments`: the names found, in order of offset. Errors: Corrupt, Io.
    static Result<std::unique_ptr<PartitionLog>> open(const PartitionParts& parts, Stream stream,
                                                      std::uint32_t partition,
                                                      const std::vector<SegmentName>& segments);
    ~PartitionLog();

    Result<std::uint64_t> append(ByteView record, Writer::Durable durable);
    Result<Batch> read(std::uint64_t from, std::size_t records_max, std::size_t bytes_max) const;
    bool wait(std::uint64_t offset, std::chrono::milliseconds timeout) const;
    std::uint64_t first_offset() const;
    std::uint64_t end_offset() const { return end_offset_.load(std::memory_order_acquire); }

    /// A finished segment, as retention sees it.
    struct Sealed {
        std::uint64_t end_offset = 0;
        std::uint64_t bytes = 0;
        Timestamp newest;  ///< nothing in it is younger
    };
    std::vector<Sealed> sealed() const;  ///< oldest first
    std::uint64_t bytes() const;         ///< of all segments
    std::vector<HeldFile> files() const;
    /// Upkeep::rewrite for this partition. One at a time, and not beside remove_oldest_sealed().
    using Replace = std::function<std::optional<Bytes>(ByteView record)>;
    Result<std::uint64_t> rewrite(const Replace& replace);
    /// Errors: Io; the segment is then still listed.
    Result<void> remove_oldest_sealed();
    /// Begins a new segment before long, so that the present one can age out.
    void roll_if_older_than(Timestamp time);

  private:
    struct Pending {
        Bytes frames;
        std::uint64_t first_offset = 0;
        std::vector<Writer::Durable> callbacks;
        std::size_t budget_bytes = 0;
    };
    PartitionLog(const PartitionParts& parts, std::vector<std::shared_ptr<Segment>> segments,
                 std::uint64_t next_offset);

    void run();  // the committing thread
    Result<void> commit(const Pending& batch);
    Result<void> roll(std::uint64_t base_offset);
    void settle(Pending& batch, const Result<void>& outcome);
    void refuse(Pending& batch, const Error& reason, bool for_good);
    std::shared_ptr<Segment> active() const;
    Result<void> finish_active();
    Result<std::uint64_t> rewrite(const std::shared_ptr<Segment>& segment, std::uint64_t end_offset,
                                  const Replace& replace);

    const PartitionParts parts_;
    mutable std::mutex mutex_;
    mutable std::condition_variable durable_;  // readers wait for records
    std::condition_variable work_;             // the committer waits for appends
    std::vector<std::shared_ptr<Segment>> segments_;
    Pending pending_;
    std::uint64_t next_offset_;
    std::atomic<std::uint64_t> end_offset_;
    bool closing_ = false;
    bool roll_requested_ = false;
    std::optional<Error> roll_error_;  // why the roll that was asked for last failed
    bool committer_idle_ = false;
    std::thread committer_;
};

}  // namespace fieldwatch::journal
