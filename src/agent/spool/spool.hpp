// Waiting events on disk, so that a crash or power cut loses at most the last seconds: append-only segments,
// each record with its CRC and a hash chain over all (docs/formats/spool.md). A mirror of the outbox, not a
// second queue: what is here is in memory too.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/spool/outbox.hpp"
#include "base/file_system.hpp"

namespace fieldwatch::agent {

/// One thread. Who appends keeps the bound: see bytes() and open_oldest().
class Spool {
  public:
    static constexpr std::uint32_t kSegmentBytes = 256 * 1'024;

    struct Recovered {
        std::vector<WaitingEvent> events;  ///< not acknowledged before, oldest first
        std::uint64_t torn_bytes = 0;      ///< cut off ends: power was lost while they were written
        std::uint64_t breaks = 0;          ///< whole records that do not follow from those before: tampering
    };
    /// First half of SHA-256(chain before, record): what a record says about all before it.
    using Chain = std::array<std::byte, 16>;

    /// Opens or makes the directory and reads what is there. Errors: Io.
    static Result<std::unique_ptr<Spool>> open(FileSystem& files, std::string directory,
                                               Recovered& recovered);
    /// What the last record written or read says.
    const Chain& chain() const { return chain_; }

    /// Of an event that is here already: it moves to the end.
    bool append(const WaitingEvent& event);
    void forget(std::uint64_t number);  ///< acknowledged or dropped; written with the next sync()
    /// Makes all of it durable, deletes segments in which nothing waits.
    Result<void> sync();
    std::uint64_t bytes() const { return bytes_; }  ///< in all segments
    /// Numbers of the events that keep the oldest segment, which is not written to any more: appended again,
    /// they let it go with the next sync(). One event that waits for long pins all that came after it
    /// otherwise.
    Result<std::vector<std::uint64_t>> open_oldest();

  private:
    struct Segment {
        std::uint64_t number = 0;
        std::uint64_t bytes = 0;
        std::size_t live = 0;
        bool chained = true;  ///< false: written by release 0.1, whose records have no chain
    };
    Spool(FileSystem& files, std::string directory) : files_(files), directory_(std::move(directory)) {}
    Result<void> recover(Recovered& recovered);
    std::size_t recover_segment(ByteView content, std::uint64_t number, bool chained, Recovered& recovered);
    Result<void> write(std::uint8_t type, std::uint8_t queue, std::uint64_t number, std::string_view body);
    Result<void> write_record(std::uint8_t type, std::uint8_t queue, std::uint64_t number,
                              std::string_view body);
    Result<void> write_forgotten();
    Result<void> sync_current();
    Result<void> sync_removals();
    Result<void> remove_done();
    Result<void> roll();
    bool leave(std::uint64_t number);  // the segment it was in; false: it was in none
    std::string path(std::uint64_t number, bool chained) const;

    FileSystem& files_;
    std::string directory_;
    std::deque<Segment> segments_;  // oldest first; the last is written to
    std::unique_ptr<File> current_;
    std::unordered_map<std::uint64_t, std::uint64_t> where_;  // event number -> segment number
    std::vector<std::uint64_t> forgotten_;
    std::map<std::uint64_t, WaitingEvent> found_;  // during recover() only
    Chain chain_{};
    bool chain_known_ = false;  // false until the first record of a start
    std::uint64_t bytes_ = 0;
    std::uint64_t next_segment_ = 1;
    bool dirty_ = false;              // the segment that is written to
    bool removals_unsynced_ = false;  // the directory
};

}  // namespace fieldwatch::agent
