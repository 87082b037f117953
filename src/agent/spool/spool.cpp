#include "agent/spool/spool.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include "base/hash.hpp"

namespace fieldwatch::agent {

namespace {

// Record: u32 size of the body | u32 CRC-32C of all that follows | u8 type | u8 queue | u16 0 | u64 number |
// body.
constexpr std::size_t kHeadBytes = 20;
constexpr std::size_t kBodyMax = FIELDWATCH_MESSAGE_BYTES_MAX;
constexpr std::uint8_t kEvent = 1;
constexpr std::uint8_t kForget = 2;  // body: u64 event numbers
constexpr std::string_view kSuffix = ".spool";

struct Record {
    std::uint8_t type = 0;
    std::uint8_t queue = 0;
    std::uint64_t number = 0;
    ByteView body;
};

/// The record at the start of `bytes`; an error where the segment is torn or foreign.
Result<Record> read_record(ByteView bytes) {
    ByteReader reader(bytes);
    Record record;
    const auto size = FIELDWATCH_TRY(reader.u32());
    const auto crc = FIELDWATCH_TRY(reader.u32());
    if (size > kBodyMax || bytes.size() < kHeadBytes + size) return fail(Errc::Corrupt, "torn record");
    if (crc32c(bytes.subspan(8, kHeadBytes - 8 + size)) != crc) return fail(Errc::Corrupt, "record checksum");
    record.type = FIELDWATCH_TRY(reader.u8());
    record.queue = FIELDWATCH_TRY(reader.u8());
    FIELDWATCH_TRY(reader.u16());
    record.number = FIELDWATCH_TRY(reader.u64());
    record.body = bytes.subspan(kHeadBytes, size);
    if (record.queue >= kQueueCount || (record.type != kEvent && record.type != kForget)) {
        return fail(Errc::Corrupt, "record fields");
    }
    return record;
}

}  // namespace

std::string Spool::path(std::uint64_t number) const {
    auto digits = std::to_string(number);
    return directory_ + "/" + std::string(10 - std::min<std::size_t>(10, digits.size()), '0') + digits +
           std::string(kSuffix);
}

Result<std::unique_ptr<Spool>> Spool::open(FileSystem& files, std::string directory, Recovered& recovered) {
    FIELDWATCH_TRY(files.make_directories(directory));
    std::unique_ptr<Spool> spool(new Spool(files, std::move(directory)));
    FIELDWATCH_TRY(spool->recover(recovered));
    return spool;
}

Result<void> Spool::recover(Recovered& recovered) {
    std::map<std::uint64_t, WaitingEvent> events;
    for (const auto& name : FIELDWATCH_TRY(files_.list(directory_))) {
        std::uint64_t number = 0;
        const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
        if (parsed.ec != std::errc{} || std::string_view(parsed.ptr) != kSuffix) continue;
        // A segment ends at the first record that begins past kSegmentBytes.
        const auto content =
            FIELDWATCH_TRY(read_file(files_, path(number), kSegmentBytes + kHeadBytes + kBodyMax));
        ByteView rest = content;
        while (!rest.empty()) {
            const auto record = read_record(rest);
            if (!record) break;
            rest = rest.subspan(kHeadBytes + record->body.size());
            if (record->type == kEvent) {
                events[record->number] = {record->number, static_cast<Queue>(record->queue), true, 0,
                                          std::string(as_text(record->body))};
                where_[record->number] = number;
                continue;
            }
            ByteReader numbers(record->body);
            while (const auto forgotten = numbers.u64()) {
                events.erase(*forgotten);
                where_.erase(*forgotten);
            }
        }
        recovered.torn_bytes += rest.size();
        segments_.push_back({number, content.size(), 0});
        bytes_ += content.size();
    }
    for (const auto& [event, segment] : where_) {
        const auto found = std::ranges::find(segments_, segment, &Segment::number);
        if (found != segments_.end()) ++found->live;
    }
    for (auto& [number, event] : events)
        recovered.events.push_back(std::move(event));
    return {};
}

Result<void> Spool::roll() {
    const auto number = segments_.empty() ? 1 : segments_.back().number + 1;
    current_ = FIELDWATCH_TRY(files_.open(path(number), OpenMode::CreateNew));
    FIELDWATCH_TRY(files_.sync_directory(directory_));
    segments_.push_back({number, 0, 0});
    return {};
}

Result<void> Spool::write(std::uint8_t type, std::uint8_t queue, std::uint64_t number,
                          std::string_view body) {
    if (!current_ || segments_.back().bytes >= kSegmentBytes) FIELDWATCH_TRY(roll());
    Bytes checked;
    checked.reserve(kHeadBytes + body.size());
    ByteWriter writer(checked);
    writer.u8(type);
    writer.u8(queue);
    writer.u16(0);
    writer.u64(number);
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
    dirty_ = true;
    return {};
}

bool Spool::append(const WaitingEvent& event) {
    if (!write(kEvent, static_cast<std::uint8_t>(event.queue), event.number, event.json)) return false;
    where_[event.number] = segments_.back().number;
    ++segments_.back().live;
    return true;
}

void Spool::forget(std::uint64_t number) {
    const auto found = where_.find(number);
    if (found == where_.end()) return;
    const auto segment = std::ranges::find(segments_, found->second, &Segment::number);
    if (segment != segments_.end()) --segment->live;
    where_.erase(found);
    forgotten_.push_back(number);
}

Result<void> Spool::sync() {
    constexpr std::size_t kNumbersMax = kBodyMax / sizeof(std::uint64_t);
    while (!forgotten_.empty()) {
        const auto count = std::min(forgotten_.size(), kNumbersMax);
        const auto bytes = std::as_bytes(std::span(forgotten_).last(count));
        FIELDWATCH_TRY(write(kForget, 0, 0, as_text(bytes)));
        forgotten_.resize(forgotten_.size() - count);
    }
    if (dirty_ && current_) FIELDWATCH_TRY(current_->sync());
    dirty_ = false;
    // Oldest first only: a later segment may hold the note that an earlier event is done with.
    while (!segments_.empty() && segments_.front().live == 0 && (segments_.size() > 1 || where_.empty())) {
        if (segments_.size() == 1) current_.reset();
        FIELDWATCH_TRY(files_.remove(path(segments_.front().number)));
        bytes_ -= segments_.front().bytes;
        segments_.pop_front();
    }
    return {};
}

}  // namespace fieldwatch::agent
