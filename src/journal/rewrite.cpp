// Records that must not be kept any longer: their segment is written anew beside the old one and takes its
// name. A crash before that leaves the old one, and a file that goes at the next start.
#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "journal/partition_log.hpp"

namespace fieldwatch::journal {

namespace {

constexpr std::size_t kReadRecords = 4'096;
constexpr std::size_t kReadBytes = 4u << 20;
constexpr std::size_t kWriteBytes =
    1u << 20;  // at once: a write for each record costs a thousand times the calls
constexpr std::chrono::milliseconds kRollPause{5};
constexpr int kRollTries = 2'000;  // ten seconds: a commit in between takes milliseconds

}  // namespace

/// Everything that is durable now lies in finished segments when it returns.
Result<void> PartitionLog::finish_active() {
    const auto end = end_offset();
    {
        const std::lock_guard lock(mutex_);
        roll_error_.reset();
    }
    for (int tries = 0; tries < kRollTries; ++tries) {
        {
            const std::lock_guard lock(mutex_);
            if (segments_.back()->header().base_offset >= end) return {};
            if (roll_error_) return std::unexpected(*roll_error_);
            roll_requested_ = true;
            committer_idle_ = false;
        }
        work_.notify_one();
        std::this_thread::sleep_for(kRollPause);
    }
    return fail(Errc::Unavailable, "the journal did not begin another segment");
}

Result<std::uint64_t> PartitionLog::rewrite(const Replace& replace) {
    FIELDWATCH_TRY(finish_active());
    std::vector<std::shared_ptr<Segment>> segments;
    {
        const std::lock_guard lock(mutex_);
        segments = segments_;
    }
    std::uint64_t count = 0;
    for (std::size_t i = 0; i + 1 < segments.size(); ++i)
        count += FIELDWATCH_TRY(rewrite(segments[i], segments[i + 1]->header().base_offset, replace));
    return count;
}

Result<std::uint64_t> PartitionLog::rewrite(const std::shared_ptr<Segment>& segment, std::uint64_t end_offset,
                                            const Replace& replace) {
    const auto each = [&](const std::function<Result<void>(const BatchRecord&)>& visit) -> Result<void> {
        for (auto offset = segment->header().base_offset; offset < end_offset;) {
            Batch batch;
            FIELDWATCH_TRY(segment->read(
                offset, {end_offset, kReadRecords, kReadBytes, parts_.options.record_bytes_max}, batch));
            for (const auto& record : batch.records)
                FIELDWATCH_TRY(visit(record));
            offset = batch.next_offset;
        }
        return {};
    };
    std::uint64_t count = 0;
    FIELDWATCH_TRY(each([&](const BatchRecord& record) -> Result<void> {
        count += replace(record.bytes).has_value() ? 1 : 0;
        return {};
    }));
    if (count == 0) return count;

    const auto aside = segment->path() + std::string(kRewriteSuffix);
    if (const auto gone = parts_.files.remove(aside); !gone && gone.error().code != Errc::NotFound)
        return std::unexpected(gone.error());
    const auto file = FIELDWATCH_TRY(parts_.files.open(aside, OpenMode::CreateNew));
    FIELDWATCH_TRY(file->write_at(0, encode(segment->header())));
    std::uint64_t position = kSegmentHeaderBytes;
    Bytes frames;
    const auto write_out = [&]() -> Result<void> {
        FIELDWATCH_TRY(file->write_at(position, frames));
        position += frames.size();
        frames.clear();
        return {};
    };
    const auto copy = [&](const BatchRecord& record) -> Result<void> {
        const auto other = replace(record.bytes);
        // Each a commit of its own: where a finished segment's commits began nobody asks.
        append_record(frames, parts_.salt, record.offset, 0, other ? ByteView(*other) : record.bytes);
        return frames.size() < kWriteBytes ? Result<void>() : write_out();
    };
    FIELDWATCH_TRY(each(copy));
    if (!frames.empty()) FIELDWATCH_TRY(write_out());
    FIELDWATCH_TRY(file->sync());
    FIELDWATCH_TRY(parts_.files.rename(aside, segment->path()));
    FIELDWATCH_TRY(parts_.files.sync_directory(parts_.options.directory));
    const auto& header = segment->header();
    auto fresh = FIELDWATCH_TRY(Segment::open(parts_.files, parts_.options.directory,
                                              {header.stream, header.partition, header.base_offset}));
    const std::lock_guard lock(mutex_);
    std::ranges::replace(segments_, segment, fresh);  // readers that hold the old one read it to its end
    return count;
}

}  // namespace fieldwatch::journal
