#include "journal/partition_log.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"
#include "base/log.hpp"

namespace fieldwatch::journal {

Result<std::unique_ptr<PartitionLog>> PartitionLog::open(const PartitionParts& parts, Stream stream,
                                                         std::uint32_t partition,
                                                         const std::vector<SegmentName>& names) {
    std::vector<std::shared_ptr<Segment>> segments;
    for (const auto& name : names) {
        segments.push_back(FIELDWATCH_TRY(Segment::open(parts.files, parts.options.directory, name)));
        if (segments.back()->header().salt != parts.salt) {
            return fail(Errc::Corrupt, segments.back()->path() + " belongs to another journal");
        }
    }
    if (segments.empty()) {
        segments.push_back(FIELDWATCH_TRY(Segment::create(parts.files, parts.options.directory,
                                                          {.stream = stream,
                                                           .partition = partition,
                                                           .base_offset = 0,
                                                           .created = parts.clock.now(),
                                                           .salt = parts.salt})));
        return std::unique_ptr<PartitionLog>(new PartitionLog(parts, std::move(segments), 0));
    }
    const auto recovery = FIELDWATCH_TRY(segments.back()->recover(parts.options.record_bytes_max));
    if (recovery.dropped_bytes != 0) {
        log::warning("journal", fmt::format("{}: cut off a torn tail of {} bytes behind record {}; none of "
                                            "it had been acknowledged",
                                            segments.back()->path(), recovery.dropped_bytes,
                                            static_cast<std::int64_t>(recovery.next_offset) - 1));
    }
    return std::unique_ptr<PartitionLog>(new PartitionLog(parts, std::move(segments), recovery.next_offset));
}

PartitionLog::PartitionLog(const PartitionParts& parts, std::vector<std::shared_ptr<Segment>> segments,
                           std::uint64_t next_offset)
    : parts_(parts), segments_(std::move(segments)), next_offset_(next_offset), end_offset_(next_offset) {
    committer_ = std::thread([this] { run(); });
}

PartitionLog::~PartitionLog() {
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
    }
    work_.notify_one();
    durable_.notify_all();
    committer_.join();
}

Result<std::uint64_t> PartitionLog::append(ByteView record, Writer::Durable durable) {
    if (record.size() > parts_.options.record_bytes_max) {
        return fail(Errc::TooLarge, fmt::format("a journal record has {} bytes; at most {} are taken",
                                                record.size(), parts_.options.record_bytes_max));
    }
    const auto bytes = framed_bytes(record.size());
    FIELDWATCH_TRY(parts_.budget.take(bytes));
    std::uint64_t offset;
    bool wake;
    {
        const std::lock_guard lock(mutex_);
        // Asked again under the lock: a failed commit empties `pending_` under it, and nothing may follow.
        if (closing_ || parts_.budget.stopped()) {
            parts_.budget.give_back(bytes);
            return fail(Errc::Io, "the journal takes no more records");
        }
        offset = next_offset_++;
        if (pending_.callbacks.empty()) pending_.first_offset = offset;
        append_record(pending_.frames, parts_.salt, offset,
                      static_cast<std::uint32_t>(offset - pending_.first_offset), record);
        pending_.callbacks.push_back(std::move(durable));
        pending_.budget_bytes += bytes;
        wake = committer_idle_;
        committer_idle_ = false;
    }
    if (wake) work_.notify_one();
    return offset;
}

void PartitionLog::run() {
    Pending batch;
    std::unique_lock lock(mutex_);
    while (true) {
        while (pending_.callbacks.empty() && !closing_ && !roll_requested_) {
            committer_idle_ = true;
            work_.wait(lock);
        }
        committer_idle_ = false;
        if (pending_.callbacks.empty() && closing_) return;
        const bool asked_to_roll = std::exchange(roll_requested_, false);
        std::swap(batch, pending_);
        const auto next = batch.callbacks.empty() ? next_offset_ : batch.first_offset;
        lock.unlock();

        if (asked_to_roll && !active()->empty()) {
            if (const auto rolled = roll(next); !rolled) {
                log::warning("journal", rolled.error().message);
                const std::lock_guard failed(mutex_);
                roll_error_ = rolled.error();
            }
        }
        if (!batch.callbacks.empty()) settle(batch, commit(batch));
        batch.frames.clear();
        batch.callbacks.clear();
        batch.budget_bytes = 0;
        lock.lock();
    }
}

/// Errors: Exhausted when the disk has no room: nothing of the log has changed then. Any other: what is on
/// disk is not known.
Result<void> PartitionLog::commit(const Pending& batch) {
    if (parts_.budget.stopped()) return fail(Errc::Io, "the journal stopped after an earlier failure");
    auto segment = active();
    if (!segment->empty() && segment->bytes() + batch.frames.size() > parts_.options.segment_bytes) {
        FIELDWATCH_TRY(roll(batch.first_offset));
        segment = active();
    }
    FIELDWATCH_TRY(segment->reserve(batch.frames.size(), parts_.options.segment_bytes));
    if (auto done = segment->commit(batch.frames, batch.first_offset); !done) {
        return fail(Errc::Io, std::move(done).error().message);
    }
    return {};
}

Result<void> PartitionLog::roll(std::uint64_t base_offset) {
    const auto before = active();
    auto header = before->header();
    header.base_offset = base_offset;
    header.created = parts_.clock.now();
    auto next = FIELDWATCH_TRY(Segment::create(parts_.files, parts_.options.directory, header));
    before->seal();
    const std::lock_guard lock(mutex_);
    segments_.push_back(std::move(next));
    return {};
}

void PartitionLog::settle(Pending& batch, const Result<void>& outcome) {
    if (!outcome) {
        refuse(batch, outcome.error(), outcome.error().code != Errc::Exhausted);
        return;
    }
    parts_.commits.add();
    parts_.committed_records.add(batch.callbacks.size());
    parts_.committed_bytes.add(batch.frames.size());
    {
        const std::lock_guard lock(mutex_);
        end_offset_.store(batch.first_offset + batch.callbacks.size(), std::memory_order_release);
    }
    durable_.notify_all();
    for (auto& callback : batch.callbacks)
        callback({});
    parts_.budget.give_back(batch.budget_bytes);
}

/// Tells the batch, and whatever was appended behind it, that the disk refused. Unless it is for good, their
/// offsets are free again: nobody was told that they hold anything.
void PartitionLog::refuse(Pending& batch, const Error& reason, bool for_good) {
    if (for_good) {
        log::error("journal", "no more records are taken: " + reason.message);
        parts_.budget.stop(reason);
    } else {
        log::warning("journal", "appends refused: " + reason.message);
    }
    Pending behind;
    {
        const std::lock_guard lock(mutex_);
        std::swap(behind, pending_);
        next_offset_ = end_offset_.load(std::memory_order_relaxed);
    }
    for (auto* refused : {&batch, &behind}) {
        for (auto& callback : refused->callbacks)
            callback(std::unexpected(reason));
        parts_.budget.give_back(refused->budget_bytes);
    }
}

std::shared_ptr<Segment> PartitionLog::active() const {
    const std::lock_guard lock(mutex_);
    return segments_.back();
}

Result<Batch> PartitionLog::read(std::uint64_t from, std::size_t records_max, std::size_t bytes_max) const {
    Batch out;
    out.next_offset = from;
    std::shared_ptr<Segment> segment;
    auto end = end_offset();
    {
        const std::lock_guard lock(mutex_);
        if (from < segments_.front()->header().base_offset) {
            return fail(Errc::NotFound,
                        fmt::format("record {} was deleted by retention; the first kept is {}", from,
                                    segments_.front()->header().base_offset));
        }
        auto after = std::upper_bound(
            segments_.begin(), segments_.end(), from,
            [](std::uint64_t wanted, const auto& s) { return wanted < s->header().base_offset; });
        if (after != segments_.end()) end = std::min(end, (*after)->header().base_offset);
        segment = *std::prev(after);
    }
    if (from >= end || records_max == 0) return out;
    FIELDWATCH_TRY(segment->read(from, {end, records_max, bytes_max, parts_.options.record_bytes_max}, out));
    return out;
}

bool PartitionLog::wait(std::uint64_t offset, std::chrono::milliseconds timeout) const {
    std::unique_lock lock(mutex_);
    durable_.wait_for(lock, timeout, [&] { return closing_ || end_offset() > offset; });
    return end_offset() > offset;
}

std::uint64_t PartitionLog::first_offset() const {
    const std::lock_guard lock(mutex_);
    return segments_.front()->header().base_offset;
}

std::vector<PartitionLog::Sealed> PartitionLog::sealed() const {
    const std::lock_guard lock(mutex_);
    std::vector<Sealed> out;
    for (std::size_t i = 0; i + 1 < segments_.size(); ++i) {
        out.push_back({.end_offset = segments_[i + 1]->header().base_offset,
                       .bytes = segments_[i]->bytes(),
                       .newest = segments_[i + 1]->header().created});
    }
    return out;
}

std::vector<HeldFile> PartitionLog::files() const {
    const std::lock_guard lock(mutex_);
    std::vector<HeldFile> out;
    for (const auto& segment : segments_)
        out.push_back(
            {.path = segment->path(), .bytes = segment->bytes(), .finished = segment != segments_.back()});
    return out;
}

std::uint64_t PartitionLog::bytes() const {
    const std::lock_guard lock(mutex_);
    std::uint64_t sum = 0;
    for (const auto& segment : segments_)
        sum += segment->bytes();
    return sum;
}

Result<void> PartitionLog::remove_oldest_sealed() {
    std::string path;
    {
        const std::lock_guard lock(mutex_);
        FIELDWATCH_ASSERT(segments_.size() > 1);
        path = segments_.front()->path();
    }
    FIELDWATCH_TRY(parts_.files.remove(path));
    {
        const std::lock_guard lock(mutex_);
        segments_.erase(segments_.begin());
    }
    // Each removal by itself: were two forgotten out of order, the segments would no longer follow each
    // other.
    return parts_.files.sync_directory(parts_.options.directory);
}

void PartitionLog::roll_if_older_than(Timestamp time) {
    {
        const std::lock_guard lock(mutex_);
        if (segments_.back()->empty() || segments_.back()->header().created >= time) return;
        roll_requested_ = true;
        committer_idle_ = false;
    }
    work_.notify_one();
}

}  // namespace fieldwatch::journal
