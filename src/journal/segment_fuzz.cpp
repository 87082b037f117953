// A segment file of any content: opening, repairing and reading it end in records or an Error; what was read
// before the repair's second run is read again. The first 4 bytes choose whether header and checksums are
// made to fit, so that the fuzzer reaches what lies behind them.
#include <cstdint>
#include <cstdlib>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/simulated_file_system.hpp"
#include "journal/segment.hpp"

namespace {

using namespace fieldwatch;
using namespace fieldwatch::journal;

constexpr SegmentName kName{.stream = Stream::Security, .partition = 0, .base_offset = 0};

/// Rewrites the checksums of whatever looks like a record.
void mend(Bytes& content) {
    const auto header = encode(SegmentHeader{.created = {}, .salt = 7});
    std::copy(header.begin(), header.end(), content.begin());
    for (std::size_t at = kSegmentHeaderBytes; at + kRecordHeaderBytes <= content.size();) {
        std::uint32_t length;
        std::memcpy(&length, content.data() + at, 4);
        if (length < kRecordHeaderBytes || length > content.size() - at) break;
        const ByteView record = ByteView(content).subspan(at, length);
        auto sum = crc32c(record.subspan(kRecordHeaderBytes), 7);
        std::memcpy(content.data() + at + 4, &sum, 4);
        sum = crc32c(record.first(kRecordHeaderBytes - 4), 7);
        std::memcpy(content.data() + at + kRecordHeaderBytes - 4, &sum, 4);
        at += framed_bytes(length - kRecordHeaderBytes);
    }
}

std::uint64_t read_through(const Segment& segment, std::uint64_t end) {
    std::uint64_t offset = 0;
    while (offset < end) {
        Batch batch;
        if (!segment.read(offset, {end, 3, 1'000, 1u << 20}, batch)) std::abort();  // recover() passed it
        if (batch.records.empty() || batch.next_offset <= offset) std::abort();
        offset = batch.next_offset;
    }
    return offset;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    log::set_level(log::Level::Error);
    Bytes content(reinterpret_cast<const std::byte*>(data), reinterpret_cast<const std::byte*>(data) + size);
    if (size > kSegmentHeaderBytes && data[0] < 128) mend(content);
    SimulatedFileSystem disk(1);
    if (!disk.make_directories("/d")) std::abort();
    const auto file = disk.open("/d/" + segment_name(kName.stream, kName.partition, kName.base_offset),
                                OpenMode::CreateNew);
    if (!file || !(*file)->write_at(0, content)) std::abort();
    std::uint64_t end = 0;
    for (int again = 0; again < 2; ++again) {
        const auto segment = Segment::open(disk, "/d", kName);
        if (!segment) return 0;
        const auto recovery = (*segment)->recover(1u << 20);
        if (!recovery) return 0;
        if (again == 1 && (recovery->next_offset != end || recovery->dropped_bytes != 0)) std::abort();
        end = read_through(**segment, recovery->next_offset);
    }
    return 0;
}
