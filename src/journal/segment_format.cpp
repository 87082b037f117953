#include "journal/segment_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/assert.hpp"
#include "base/hash.hpp"

namespace fieldwatch::journal {

namespace {

constexpr std::string_view kSegmentMagic = "FWJRNSEG";
constexpr std::uint32_t kSegmentVersion = 1;
constexpr std::size_t kHeaderChecked = kSegmentHeaderBytes - 4;
constexpr std::size_t kRecordHeaderChecked = kRecordHeaderBytes - 4;

template <class T>
T load(ByteView bytes, std::size_t at) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}
template <class T>
void store(std::byte* out, T value) {
    std::memcpy(out, &value, sizeof value);
}

std::size_t padded(std::size_t bytes) {
    return (bytes + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment;
}

bool header_holds(ByteView bytes, std::uint32_t salt) {
    return crc32c(bytes.first(kRecordHeaderChecked), salt) ==
           load<std::uint32_t>(bytes, kRecordHeaderChecked);
}

std::string_view stream_name(Stream stream) {
    return stream == Stream::Security ? "security" : "telemetry";
}

}  // namespace

std::array<std::byte, kSegmentHeaderBytes> encode(const SegmentHeader& header) {
    std::array<std::byte, kSegmentHeaderBytes> out{};
    std::memcpy(out.data(), kSegmentMagic.data(), kSegmentMagic.size());
    store(out.data() + 8, kSegmentVersion);
    store(out.data() + 12, static_cast<std::uint32_t>(header.stream));
    store(out.data() + 16, header.partition);
    store(out.data() + 20, header.salt);
    store(out.data() + 24, header.base_offset);
    store(out.data() + 32, header.created.ticks);
    store(out.data() + kHeaderChecked, crc32c(ByteView(out).first(kHeaderChecked)));
    return out;
}

Result<SegmentHeader> decode_segment_header(ByteView bytes) {
    if (bytes.size() < kSegmentHeaderBytes) return fail(Errc::Malformed, "a segment has a 64 byte header");
    if (as_text(bytes.first(kSegmentMagic.size())) != kSegmentMagic)
        return fail(Errc::Malformed, "not a segment file");
    if (crc32c(bytes.first(kHeaderChecked)) != load<std::uint32_t>(bytes, kHeaderChecked)) {
        return fail(Errc::Corrupt, "the checksum of the segment header differs");
    }
    if (const auto version = load<std::uint32_t>(bytes, 8); version != kSegmentVersion) {
        return fail(Errc::Unsupported,
                    fmt::format("segment version {}; this release reads version 1", version));
    }
    const auto stream = load<std::uint32_t>(bytes, 12);
    if (stream > 1) return fail(Errc::Malformed, fmt::format("stream {} is not known", stream));
    return SegmentHeader{.stream = static_cast<Stream>(stream),
                         .partition = load<std::uint32_t>(bytes, 16),
                         .base_offset = load<std::uint64_t>(bytes, 24),
                         .created = Timestamp{load<std::int64_t>(bytes, 32)},
                         .salt = load<std::uint32_t>(bytes, 20)};
}

std::size_t framed_bytes(std::size_t payload_bytes) {
    return padded(kRecordHeaderBytes + payload_bytes);
}

void append_record(Bytes& out, std::uint32_t salt, std::uint64_t offset, std::uint32_t index_in_commit,
                   ByteView payload) {
    std::array<std::byte, kRecordHeaderBytes> header;
    store(header.data(), static_cast<std::uint32_t>(kRecordHeaderBytes + payload.size()));
    store(header.data() + 4, crc32c(payload, salt));
    store(header.data() + 8, offset);
    store(header.data() + 16, index_in_commit);
    store(header.data() + kRecordHeaderChecked, crc32c(ByteView(header).first(kRecordHeaderChecked), salt));
    out.insert(out.end(), header.begin(), header.end());
    out.insert(out.end(), payload.begin(), payload.end());
    out.resize(padded(out.size()));
}

ParsedRecord parse_record(ByteView input, std::uint32_t salt, std::size_t record_bytes_max) {
    ParsedRecord out;
    if (input.size() < kRecordHeaderBytes) {
        out.state = ParsedRecord::State::Short;
        out.bytes = kRecordHeaderBytes;
        return out;
    }
    const std::size_t unpadded = load<std::uint32_t>(input, 0);
    if (unpadded == 0) return out;
    out.state = ParsedRecord::State::Damaged;
    if (unpadded < kRecordHeaderBytes || unpadded > kRecordHeaderBytes + record_bytes_max) return out;
    if (!header_holds(input, salt)) return out;
    if (input.size() < padded(unpadded)) {
        out.state = ParsedRecord::State::Short;
        out.bytes = padded(unpadded);
        return out;
    }
    const auto payload = input.subspan(kRecordHeaderBytes, unpadded - kRecordHeaderBytes);
    if (crc32c(payload, salt) != load<std::uint32_t>(input, 4)) return out;
    out.state = ParsedRecord::State::Record;
    out.offset = load<std::uint64_t>(input, 8);
    out.index_in_commit = load<std::uint32_t>(input, 16);
    out.payload = payload;
    out.bytes = padded(unpadded);
    return out;
}

bool holds_later_commit(ByteView bytes, std::uint32_t salt, std::uint64_t expected) {
    for (std::size_t at = 0; at + kRecordHeaderBytes <= bytes.size(); at += kRecordAlignment) {
        const auto here = bytes.subspan(at, kRecordHeaderBytes);
        const auto length = load<std::uint32_t>(here, 0);
        if (length < kRecordHeaderBytes || !header_holds(here, salt)) continue;
        const auto offset = load<std::uint64_t>(here, 8);
        const auto index = load<std::uint32_t>(here, 16);
        if (offset >= index && offset - index > expected) return true;
    }
    return false;
}

std::string segment_name(Stream stream, std::uint32_t partition, std::uint64_t base_offset) {
    return fmt::format("{}-{:04}-{:020}.segment", stream_name(stream), partition, base_offset);
}

Result<SegmentName> parse_segment_name(std::string_view name) {
    for (const auto stream : {Stream::Security, Stream::Telemetry}) {
        const auto prefix = std::string(stream_name(stream)) + "-";
        if (!name.starts_with(prefix)) continue;
        const auto rest = name.substr(prefix.size());
        const auto dash = rest.find('-');
        const auto dot = rest.find(".segment");
        if (dash == std::string_view::npos || dot == std::string_view::npos || dot < dash) break;
        SegmentName out{.stream = stream, .partition = 0, .base_offset = 0};
        std::from_chars(rest.data(), rest.data() + dash, out.partition);
        std::from_chars(rest.data() + dash + 1, rest.data() + dot, out.base_offset);
        if (segment_name(out.stream, out.partition, out.base_offset) == name) return out;
    }
    return fail(Errc::Malformed, "not the name of a segment: " + std::string(name));
}

}  // namespace fieldwatch::journal
