#include "journal/segment_format.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace fieldwatch::journal {
namespace {

TEST(SegmentFormat, ReadsTheRecordsItWrites) {
    EXPECT_TRUE(rc::check([](std::uint32_t salt, std::uint64_t offset, std::uint32_t index,
                             const std::vector<std::uint8_t>& payload) {
        Bytes bytes;
        append_record(bytes, salt, offset, index, std::as_bytes(std::span(payload)));
        RC_ASSERT(bytes.size() == framed_bytes(payload.size()));
        const auto record = parse_record(bytes, salt, 1u << 20);
        RC_ASSERT(record.state == ParsedRecord::State::Record);
        RC_ASSERT(record.offset == offset);
        RC_ASSERT(record.index_in_commit == index);
        RC_ASSERT(record.bytes == bytes.size());
        RC_ASSERT(std::ranges::equal(record.payload, std::as_bytes(std::span(payload))));
        RC_ASSERT(parse_record(bytes, salt + 1, 1u << 20).state == ParsedRecord::State::Damaged);
    }));
}

TEST(SegmentFormat, AnyFlippedBitOfARecordShows) {
    Bytes bytes;
    append_record(bytes, 7, 3, 0, as_bytes("payload!"));
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        auto damaged = bytes;
        damaged[bit / 8] ^= std::byte{1} << bit % 8;
        EXPECT_NE(parse_record(damaged, 7, 1u << 20).state, ParsedRecord::State::Record) << bit;
    }
}

TEST(SegmentFormat, AnyBytesAreAnAnswer) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& bytes) {
        const auto view = std::as_bytes(std::span(bytes));
        static_cast<void>(parse_record(view, 0, 1u << 20));
        static_cast<void>(decode_segment_header(view));
        static_cast<void>(holds_later_commit(view, 0, 0));
    }));
}

TEST(SegmentFormat, HeadersAndNamesComeBack) {
    const SegmentHeader header{
        .stream = Stream::Telemetry, .partition = 3, .base_offset = 42, .created = Timestamp{17}, .salt = 9};
    EXPECT_EQ(decode_segment_header(encode(header)), header);
    EXPECT_EQ(segment_name(Stream::Telemetry, 3, 42), "telemetry-0003-00000000000000000042.segment");
    const auto name = parse_segment_name("telemetry-0003-00000000000000000042.segment");
    ASSERT_TRUE(name);
    EXPECT_EQ(name->base_offset, 42u);
    for (const auto* text : {"", "meta", "telemetry-3-42.segment", "security-0003-.segment",
                             "security-0000-00000000000000000000.segment.new"}) {
        EXPECT_FALSE(parse_segment_name(text)) << text;
    }
}

/// The worked example of docs/formats/journal.md.
TEST(SegmentFormat, WritesTheDocumentedExample) {
    Bytes bytes;
    append_record(bytes, 0x11223344, 5, 0, as_bytes("hi"));
    EXPECT_EQ(hex(bytes), "1a0000007dd5b367050000000000000000000000a7f1d4786869000000000000");
}

}  // namespace
}  // namespace fieldwatch::journal
