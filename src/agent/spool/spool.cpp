#include "agent/spool/spool.hpp"

#include <algorithm>
#include <charconv>

#include "base/hash.hpp"

namespace fieldwatch::agent {

namespace {

// Record: u32 size of the body | u32 CRC-32C of all that follows | u8 type | u8 queue | u16 0 | u64 number |
// 16 bytes of chain | body. Before release 0.2 there was no chain, and the file's name had another end.
constexpr std::size_t kPlainHeadBytes = 20;
constexpr std::size_t kHeadBytes = kPlainHeadBytes + sizeof(Spool::Chain);
constexpr std::size_t kBodyMax = FIELDWATCH_MESSAGE_BYTES_MAX;
constexpr std::uint8_t kEvent = 1;
constexpr std::uint8_t kForget = 2;  // body: u64 event numbers
constexpr std::uint8_t kBegin = 3;   // first of a segment: its chain is that of the record before
constexpr std::string_view kPlainSuffix = ".spool";
constexpr std::string_view kSuffix = ".chain";

struct Record {
    std::uint8_t type = 0;
    std::uint8_t queue = 0;
    std::uint64_t number = 0;
    Spool::Chain chain{};
    std::size_t size = 0;  ///< of all of it
    ByteView body;
};

/// The record at the start of `bytes`; an error where the segment is torn or foreign.
Result<Record> read_record(ByteView bytes, bool chained) {
    ByteReader reader(bytes);
    Record record;
    const auto head = chained ? kHeadBytes : kPlainHeadBytes;
    const auto size = FIELDWATCH_TRY(reader.u32());
    const auto crc = FIELDWATCH_TRY(reader.u32());
    if (size > kBodyMax || bytes.size() < head + size) return fail(Errc::Corrupt, "torn record");
    if (crc32c(bytes.subspan(8, head - 8 + size)) != crc) return fail(Errc::Corrupt, "record checksum");
    record.type = FIELDWATCH_TRY(reader.u8());
    record.queue = FIELDWATCH_TRY(reader.u8());
    FIELDWATCH_TRY(reader.u16());
    record.number = FIELDWATCH_TRY(reader.u64());
    if (chained) std::ranges::copy(bytes.subspan(kPlainHeadBytes, sizeof record.chain), record.chain.begin());
    record.body = bytes.subspan(head, size);
    record.size = head + size;
    if (record.queue >= kQueueCount || record.type < kEvent || record.type > kBegin)
        return fail(Errc::Corrupt, "record fields");
    return record;
}

/// What a record's chain must be, after a record of chain `before`.
Spool::Chain next_chain(const Spool::Chain& before, std::uint8_t type, std::uint8_t queue,
                        std::uint64_t number, ByteView body) {
    Bytes all;
    all.reserve(kHeadBytes + body.size());
    ByteWriter writer(all);
    writer.bytes(before);
    writer.u8(type);
    writer.u8(queue);
    writer.u64(number);
    writer.bytes(body);
    const auto digest = sha256(all);
    Spool::Chain out;
    std::copy_n(digest.begin(), out.size(), out.begin());
    return out;
}

}  // namespace

std::string Spool::path(std::uint64_t number, bool chained) const {
    auto digits = std::to_string(number);
    return directory_ + "/" + std::string(10 - std::min<std::size_t>(10, digits.size()), '0') + digits +
           std::string(chained ? kSuffix : kPlainSuffix);
}

Result<std::unique_ptr<Spool>> Spool::open(FileSystem& files, std::string directory, Recovered& recovered) {
    FIELDWATCH_TRY(files.make_directories(directory));
    std::unique_ptr<Spool> spool(new Spool(files, std::move(directory)));
    FIELDWATCH_TRY(spool->recover(recovered));
    return spool;
}

// How many bytes at the segment's end are no records.
std::size_t Spool::recover_segment(ByteView content, std::uint64_t number, bool chained,
                                   Recovered& recovered) {
    ByteView rest = content;
    while (!rest.empty()) {
        const auto record = read_record(rest, chained);
        if (!record) break;
        rest = rest.subspan(record->size);
        if (chained) {
            const bool is_begin = record->type == kBegin;
            const auto expected =
                is_begin ? chain_
                         : next_chain(chain_, record->type, record->queue, record->number, record->body);
            // The oldest segment begins where it says: those before it are done with.
            if (record->chain != expected && (chain_known_ || !is_begin)) ++recovered.breaks;
            chain_ = record->chain;
            chain_known_ = true;
        }
        if (record->type == kEvent) {
            found_[record->number] = {record->number, static_cast<Queue>(record->queue), true, 0,
                                      std::string(as_text(record->body))};
            where_[record->number] = number;
        } else if (record->type == kForget) {
            ByteReader numbers(record->body);
            while (const auto forgotten = numbers.u64()) {
                found_.erase(*forgotten);
                where_.erase(*forgotten);
            }
        }
    }
    return rest.size();
}

Result<void> Spool::recover(Recovered& recovered) {
    for (const auto& name : FIELDWATCH_TRY(files_.list(directory_))) {
        std::uint64_t number = 0;
        const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
        const std::string_view suffix = parsed.ptr;
        if (parsed.ec != std::errc{} || (suffix != kSuffix && suffix != kPlainSuffix)) continue;
        segments_.push_back({.number = number, .chained = suffix == kSuffix});
    }
    std::ranges::sort(segments_, {}, &Segment::number);
    if (!segments_.empty()) next_segment_ = segments_.back().number + 1;
    for (auto& segment : segments_) {
        // A segment ends at the first record that begins past kSegmentBytes.
        const auto content = FIELDWATCH_TRY(
            read_file(files_, path(segment.number, segment.chained), kSegmentBytes + kHeadBytes + kBodyMax));
        recovered.torn_bytes += recover_segment(content, segment.number, segment.chained, recovered);
        segment.bytes = content.size();
        bytes_ += content.size();
    }
    for (const auto& [event, segment] : where_) {
        const auto found = std::ranges::find(segments_, segment, &Segment::number);
        if (found != segments_.end()) ++found->live;
    }
    for (auto& [number, event] : found_)
        recovered.events.push_back(std::move(event));
    found_.clear();
    return {};
}

Result<void> Spool::sync_current() {
    if (dirty_ && current_) FIELDWATCH_TRY(current_->sync());
    dirty_ = false;
    return {};
}

Result<void> Spool::sync_removals() {
    if (removals_unsynced_) FIELDWATCH_TRY(files_.sync_directory(directory_));
    removals_unsynced_ = false;
    return {};
}

Result<void> Spool::roll() {
    FIELDWATCH_TRY(
        sync_current());  // a segment whose beginning refers to records that a power cut took is a break
    auto file = FIELDWATCH_TRY(files_.open(path(next_segment_, true), OpenMode::CreateNew));
    const auto number = next_segment_++;
    FIELDWATCH_TRY(files_.sync_directory(directory_));
    removals_unsynced_ = false;
    current_ = std::move(file);
    segments_.push_back({.number = number});
    return {};
}

Result<void> Spool::write(std::uint8_t type, std::uint8_t queue, std::uint64_t number,
                          std::string_view body) {
    if (!current_ || segments_.back().bytes >= kSegmentBytes) FIELDWATCH_TRY(roll());
    if (segments_.back().bytes == 0) FIELDWATCH_TRY(write_record(kBegin, 0, 0, {}));
    return write_record(type, queue, number, body);
}

Result<void> Spool::write_record(std::uint8_t type, std::uint8_t queue, std::uint64_t number,
                                 std::string_view body) {
    const auto chain = type == kBegin ? chain_ : next_chain(chain_, type, queue, number, as_bytes(body));
    Bytes checked;
    checked.reserve(kHeadBytes + body.size());
    ByteWriter writer(checked);
    writer.u8(type);
    writer.u8(queue);
    writer.u16(0);
    writer.u64(number);
    writer.bytes(chain);
    writer.bytes(as_bytes(body));
    Bytes record;
    record.reserve(kHeadBytes + body.size());
    ByteWriter head(record);
    head.u32(static_cast<std::uint32_t>(body.size()));
    head.u32(crc32c(checked));
    head.bytes(checked);
    auto& segment = segments_.back();
    FIELDWATCH_TRY(current_->write_at(segment.bytes, record));
    segment.bytes += record.size();
    bytes_ += record.size();
    chain_ = chain;
    dirty_ = true;
    return {};
}

bool Spool::append(const WaitingEvent& event) {
    if (!write(kEvent, static_cast<std::uint8_t>(event.queue), event.number, event.json)) return false;
    (void)leave(event.number);
    where_[event.number] = segments_.back().number;
    ++segments_.back().live;
    return true;
}

bool Spool::leave(std::uint64_t number) {
    const auto found = where_.find(number);
    if (found == where_.end()) return false;
    const auto segment = std::ranges::find(segments_, found->second, &Segment::number);
    if (segment != segments_.end()) --segment->live;
    where_.erase(found);
    return true;
}

void Spool::forget(std::uint64_t number) {
    if (leave(number)) forgotten_.push_back(number);
}

Result<void> Spool::write_forgotten() {
    constexpr std::size_t kNumbersMax = kBodyMax / sizeof(std::uint64_t);
    while (!forgotten_.empty()) {
        const auto count = std::min(forgotten_.size(), kNumbersMax);
        const auto bytes = std::as_bytes(std::span(forgotten_).last(count));
        FIELDWATCH_TRY(write(kForget, 0, 0, as_text(bytes)));
        forgotten_.resize(forgotten_.size() - count);
    }
    return {};
}

/// Oldest first only: a later segment may hold the note that an earlier event is done with. For the same
/// reason each is gone for good before the next goes.
Result<void> Spool::remove_done() {
    while (!segments_.empty() && segments_.front().live == 0 && (segments_.size() > 1 || where_.empty())) {
        if (segments_.size() == 1) current_.reset();
        FIELDWATCH_TRY(sync_removals());
        FIELDWATCH_TRY(files_.remove(path(segments_.front().number, segments_.front().chained)));
        removals_unsynced_ = true;
        bytes_ -= segments_.front().bytes;
        segments_.pop_front();
    }
    return {};
}

Result<void> Spool::sync() {
    const auto noted = write_forgotten();
    FIELDWATCH_TRY(sync_current());
    // On a full disk too: what is done with makes the room that the notes need.
    FIELDWATCH_TRY(remove_done());
    return noted;
}

Result<std::vector<std::uint64_t>> Spool::open_oldest() {
    std::vector<std::uint64_t> out;
    if (segments_.empty()) return out;
    if (segments_.size() == 1 && current_) FIELDWATCH_TRY(roll());
    for (const auto& [event, segment] : where_) {
        if (segment == segments_.front().number) out.push_back(event);
    }
    return out;
}

}  // namespace fieldwatch::agent
