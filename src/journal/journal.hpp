// The durable, partitioned log between the hub and everything else (design section 3a). A partition is the
// unit of order, of state and of parallelism; two streams lie side by side, because customer telemetry has a
// retention of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"

namespace fieldwatch::journal {

enum class Stream : std::uint8_t { Security = 0, Telemetry = 1 };

/// A place in one partition of one stream; the first record has offset 0, each next one more.
struct Place {
    Stream stream = Stream::Security;
    std::uint32_t partition = 0;
    std::uint64_t offset = 0;
};

/// Appends. Any thread. Order of appends to one partition is the order of its offsets.
class Writer {
  public:
    virtual ~Writer() = default;

    /// Called once, from the journal's committing thread and in offset order within a partition, when the
    /// record and all before it in its partition are on disk; or with an error when the disk refused (the
    /// journal then takes no more).
    using Durable = std::move_only_function<void(Result<void>)>;

    /// Takes the record into the next group commit. Errors: Exhausted when the commit buffer is full (try
    /// again after `on_space`), or the disk is above its high-water mark; TooLarge; Io after a failed commit.
    virtual Result<Place> append(Stream stream, std::uint32_t partition, ByteView record,
                                 Durable durable) = 0;

    /// Calls back once when the commit buffer has space again.
    virtual void on_space(std::move_only_function<void()> callback) = 0;
};

struct BatchRecord {
    std::uint64_t offset = 0;
    ByteView bytes;  ///< views into Batch::storage
};
struct Batch {
    std::vector<std::byte> storage;
    std::vector<BatchRecord> records;
    std::uint64_t next_offset = 0;  ///< where to read on
};

/// Reads durable records only. Any thread; a read copies.
class Reader {
  public:
    virtual ~Reader() = default;

    /// Records from `offset` on, at least one if there is one, within both bounds otherwise.
    /// Errors: NotFound when `offset` was deleted by retention (the message names the first one kept),
    /// Corrupt, Io.
    virtual Result<Batch> read(Place from, std::size_t records_max, std::size_t bytes_max) = 0;

    /// Waits until the partition has a durable record at `from.offset`, or `timeout` is over, or the journal
    /// closes.
    virtual bool wait(Place from, std::chrono::milliseconds timeout) = 0;

    virtual std::uint64_t first_offset(Stream stream, std::uint32_t partition) const = 0;
    virtual std::uint64_t end_offset(Stream stream,
                                     std::uint32_t partition) const = 0;  ///< one past the last durable
};

struct Options {
    std::string directory;
    std::uint32_t partition_count = 4;  ///< fixed at creation; another value at open is refused with Conflict
    std::uint64_t segment_bytes = 64u << 20;
    std::size_t commit_buffer_bytes =
        32u << 20;  ///< bound of what waits for a commit; full = `append` says Exhausted
    std::size_t record_bytes_max = 1u << 20;
    struct Retention {
        std::chrono::seconds age_max;
        std::uint64_t bytes_max;
    };
    Retention security{std::chrono::hours(24 * 7), 8ull << 30};
    Retention telemetry{std::chrono::hours(24), 8ull << 30};
    std::uint64_t disk_free_bytes_min =
        1ull << 30;  ///< high-water mark: telemetry goes first, then appends are refused
};

/// One open journal. Closing it commits what was appended.
class Journal {
  public:
    virtual ~Journal() = default;
    virtual Writer& writer() = 0;
    virtual Reader& reader() = 0;
    virtual std::uint32_t partition_count() const = 0;

    /// Consumers hold back retention: records at or above the lowest kept offset of any registered consumer
    /// stay. Durable; idempotent. A consumer is known from its first call on.
    virtual Result<void> keep_from(std::string_view consumer, Place lowest) = 0;
    /// What the consumer keeps of this partition, so that it can go on from there; nullopt = nothing yet.
    virtual std::optional<std::uint64_t> kept_from(std::string_view consumer, Stream stream,
                                                   std::uint32_t partition) const = 0;
    /// The names of those that are known, sorted.
    virtual std::vector<std::string> consumers() const = 0;
    /// Keeps nothing for this consumer any more. Durable; nothing happens for one that is not known.
    virtual Result<void> forget(std::string_view consumer) = 0;

    /// Deletes what retention allows now. Called by app every minute.
    virtual Result<void> enforce_retention() = 0;
};

/// Opens or creates; repairs a torn tail (says so in the log); verifies that segments follow each other.
/// `files` and `clock` outlive the journal.
Result<std::unique_ptr<Journal>> open(const Options& options, FileSystem& files, const Clock& clock,
                                      Metrics& metrics);

}  // namespace fieldwatch::journal
