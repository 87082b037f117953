#include "journal/segment.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"

namespace fieldwatch::journal {

namespace {

// The newest segment is scanned whole at open; a file above this is not one that we wrote.
constexpr std::uint64_t kSegmentBytesMax = 4ull << 30;
// How far zeros are written ahead: one slow sync (new metadata) per this many bytes, docs/decisions/0003.
constexpr std::uint64_t kReserveStep = 1u << 20;
constexpr std::size_t kScanBytes = 1u << 20;

bool all_zero(ByteView bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

void SparseIndex::note(Entry entry) {
    const std::lock_guard lock(mutex_);
    if (entry.position >= entries_.back().position + kStride) entries_.push_back(entry);
}

SparseIndex::Entry SparseIndex::at_or_before(std::uint64_t offset) const {
    const std::lock_guard lock(mutex_);
    const auto after =
        std::upper_bound(entries_.begin(), entries_.end(), offset,
                         [](std::uint64_t wanted, const Entry& e) { return wanted < e.offset; });
    return after == entries_.begin() ? entries_.front() : *std::prev(after);
}

Segment::Segment(std::unique_ptr<File> file, std::string path, const SegmentHeader& header,
                 std::uint64_t size)
    : file_(std::move(file)),
      path_(std::move(path)),
      header_(header),
      end_(size),
      reserved_(size),
      index_({header.base_offset, kSegmentHeaderBytes}) {}

Result<std::shared_ptr<Segment>> Segment::create(FileSystem& files, const std::string& directory,
                                                 const SegmentHeader& header) {
    auto path = directory + "/" + segment_name(header.stream, header.partition, header.base_offset);
    auto file = FIELDWATCH_TRY(files.open(path, OpenMode::CreateNew));
    // The header is synced before the name, and both before the first record: a name without a whole header
    // holds nothing.
    const auto made = [&]() -> Result<void> {
        FIELDWATCH_TRY(file->write_at(0, encode(header)));
        FIELDWATCH_TRY(file->sync());
        return files.sync_directory(directory);
    }();
    if (!made) {
        static_cast<void>(files.remove(path));  // the name must be free for another try
        return std::unexpected(made.error());
    }
    return std::shared_ptr<Segment>(
        new Segment(std::move(file), std::move(path), header, kSegmentHeaderBytes));
}

Result<std::shared_ptr<Segment>> Segment::open(FileSystem& files, const std::string& directory,
                                               const SegmentName& name) {
    auto path = directory + "/" + segment_name(name.stream, name.partition, name.base_offset);
    auto file = FIELDWATCH_TRY(files.open(path, OpenMode::ReadWrite));
    const auto size = FIELDWATCH_TRY(file->size());
    if (size > kSegmentBytesMax) return fail(Errc::Corrupt, path + " is larger than any segment");
    std::array<std::byte, kSegmentHeaderBytes> head{};
    const auto read = FIELDWATCH_TRY(file->read_at(0, head));
    const auto header = decode_segment_header(ByteView(head).first(read));
    if (!header) return in_context(path, header.error());
    if (header->stream != name.stream || header->partition != name.partition ||
        header->base_offset != name.base_offset) {
        return fail(Errc::Corrupt, path + ": the header belongs to another segment");
    }
    return std::shared_ptr<Segment>(new Segment(std::move(file), std::move(path), *header, size));
}

Result<Recovery> Segment::recover(std::size_t record_bytes_max) {
    const auto size = FIELDWATCH_TRY(file_->size());
    Recovery out{.next_offset = header_.base_offset, .dropped_bytes = 0};
    std::uint64_t position = kSegmentHeaderBytes;
    Bytes window;
    std::size_t window_bytes = kScanBytes;
    for (bool going = true; going && position < size;) {
        window.resize(std::min<std::uint64_t>(window_bytes, size - position));
        window.resize(FIELDWATCH_TRY(file_->read_at(position, window)));
        window_bytes = kScanBytes;
        ByteView rest(window);
        while (true) {
            const auto record = parse_record(rest, header_.salt, record_bytes_max);
            if (record.state == ParsedRecord::State::Short) {
                going = position + record.bytes <= size;
                window_bytes = std::max(record.bytes, kScanBytes);
                break;
            }
            if (record.state != ParsedRecord::State::Record || record.offset != out.next_offset) {
                going = false;
                break;
            }
            index_.note({record.offset, position});
            rest = rest.subspan(record.bytes);
            position += record.bytes;
            ++out.next_offset;
        }
    }
    end_.store(position, std::memory_order_release);
    reserved_ = size;
    if (position == size) return out;

    Bytes tail(size - position);
    tail.resize(FIELDWATCH_TRY(file_->read_at(position, tail)));
    if (all_zero(tail)) return out;
    if (holds_later_commit(tail, header_.salt, out.next_offset)) {
        return fail(Errc::Corrupt, fmt::format("{} at byte {}: record {} had been synced and is damaged",
                                               path_, position, out.next_offset));
    }
    // Cut, not overwritten later: remains of the torn commit must never line up with records to come.
    FIELDWATCH_TRY(file_->truncate(position));
    FIELDWATCH_TRY(file_->sync());
    reserved_ = position;
    while (tail.back() == std::byte{0})
        tail.pop_back();
    out.dropped_bytes = tail.size();
    return out;
}

Result<void> Segment::reserve(std::uint64_t bytes, std::uint64_t segment_bytes) {
    const auto needed = end_.load(std::memory_order_relaxed) + bytes;
    if (needed <= reserved_) return {};
    // Not past where the segment ends, unless this commit itself is larger.
    const Bytes zeros(std::max(needed, std::min(needed + kReserveStep, segment_bytes)) - reserved_);
    FIELDWATCH_TRY(file_->write_at(reserved_, zeros));
    reserved_ += zeros.size();
    return {};
}

Result<void> Segment::commit(ByteView frames, std::uint64_t first_offset) {
    const auto position = end_.load(std::memory_order_relaxed);
    FIELDWATCH_ASSERT(position + frames.size() <= reserved_);
    FIELDWATCH_TRY(file_->write_at(position, frames));
    FIELDWATCH_TRY(file_->sync());
    index_.note({first_offset, position});
    end_.store(position + frames.size(), std::memory_order_release);
    return {};
}

void Segment::seal() {
    // Only gives disk space back: the records are durable without it, and zeros at the end mean the same.
    if (file_->truncate(end_.load(std::memory_order_relaxed))) reserved_ = end_.load();
}

Result<void> Segment::read(std::uint64_t from, const Bounds& bounds, Batch& out) const {
    auto [offset, position] = index_.at_or_before(from);
    const auto limit = end_.load(std::memory_order_acquire);
    std::size_t wanted = std::min<std::size_t>(bounds.bytes_max, 64u << 20) + SparseIndex::kStride;
    out.next_offset = from;
    while (true) {
        out.storage.resize(std::min<std::uint64_t>(wanted, limit - position));
        const auto read = FIELDWATCH_TRY(file_->read_at(position, out.storage));
        const bool whole = read == limit - position;
        std::size_t at = 0;
        std::size_t payload_bytes = 0;
        while (offset < bounds.end_offset) {
            const auto record = parse_record(ByteView(out.storage).subspan(at, read - at), header_.salt,
                                             std::max(bounds.record_bytes_max, std::size_t{1} << 20));
            if (record.state == ParsedRecord::State::Short && !whole) {
                if (!out.records.empty()) return {};
                wanted = std::max(wanted, record.bytes);
                break;
            }
            if (record.state != ParsedRecord::State::Record || record.offset != offset) {
                if (!out.records.empty()) return {};  // the next read, which begins there, says so
                return fail(Errc::Corrupt, fmt::format("{} at byte {}: record {} fails its checksum", path_,
                                                       position + at, offset));
            }
            index_.note({offset, position + at});
            at += record.bytes;
            ++offset;
            if (offset <= from) continue;
            if (!out.records.empty() && payload_bytes + record.payload.size() > bounds.bytes_max) return {};
            payload_bytes += record.payload.size();
            out.records.push_back({record.offset, record.payload});
            out.next_offset = offset;
            if (out.records.size() >= bounds.records_max || payload_bytes >= bounds.bytes_max) return {};
        }
        if (offset >= bounds.end_offset || !out.records.empty()) return {};
        position += at;  // all of it lay before `from`: go on behind
    }
}

}  // namespace fieldwatch::journal
