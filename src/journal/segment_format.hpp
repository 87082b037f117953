// The bytes of a segment file, as pure functions: docs/formats/journal.md. A segment is a header and then
// records, each aligned to 8 bytes; zeros mean that nothing was written there yet.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "journal/journal.hpp"

namespace fieldwatch::journal {

inline constexpr std::size_t kSegmentHeaderBytes = 64;
inline constexpr std::size_t kRecordHeaderBytes = 24;
inline constexpr std::size_t kRecordAlignment = 8;

struct SegmentHeader {
    Stream stream = Stream::Security;
    std::uint32_t partition = 0;
    std::uint64_t base_offset = 0;  ///< offset of the segment's first record
    Timestamp created;
    /// Random, secret, one per journal: seeds every checksum, so that bytes a device chose can never pass for
    /// a record of ours.
    std::uint32_t salt = 0;

    friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};

std::array<std::byte, kSegmentHeaderBytes> encode(const SegmentHeader& header);
/// Errors: Malformed (short, not ours), Unsupported (a version of the future), Corrupt (checksum).
Result<SegmentHeader> decode_segment_header(ByteView bytes);

/// Appends one framed record, padded with zeros to the alignment.
void append_record(Bytes& out, std::uint32_t salt, std::uint64_t offset, std::uint32_t index_in_commit,
                   ByteView payload);
/// Bytes that a record takes in the file.
std::size_t framed_bytes(std::size_t payload_bytes);

/// What stands at the beginning of some bytes of a segment.
struct ParsedRecord {
    enum class State {
        Record,   ///< whole and its checksums hold
        Empty,    ///< a length of zero: nothing was written here
        Short,    ///< `bytes` are needed to say more
        Damaged,  ///< neither; `bytes` is 0
    };
    State state = State::Empty;
    std::uint64_t offset = 0;
    std::uint32_t index_in_commit = 0;  ///< 0 = the first record of its group commit
    ByteView payload;
    std::size_t bytes = 0;  ///< with padding
};
ParsedRecord parse_record(ByteView input, std::uint32_t salt, std::size_t record_bytes_max);

/// True when some record header behind the place where reading stopped belongs to a later commit than record
/// `expected`: then `expected` had been synced, and its loss is corruption, not a torn tail.
bool holds_later_commit(ByteView bytes, std::uint32_t salt, std::uint64_t expected);

std::string segment_name(Stream stream, std::uint32_t partition, std::uint64_t base_offset);
struct SegmentName {
    Stream stream;
    std::uint32_t partition;
    std::uint64_t base_offset;
};
/// Errors: Malformed when the name is not one of segment_name's.
Result<SegmentName> parse_segment_name(std::string_view name);

}  // namespace fieldwatch::journal
