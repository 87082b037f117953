#include "pipeline/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/hash.hpp"

namespace fieldwatch::pipeline {

namespace {
constexpr std::string_view kCheckpointMagic = "FWCP";
constexpr std::uint16_t kCheckpointVersion = 1;
constexpr std::string_view kSuffix = ".checkpoint";

Result<Checkpoint> decode(ByteView bytes, std::uint32_t partition) {
    ByteReader in(bytes);
    if (as_text(FIELDWATCH_TRY(in.bytes(kCheckpointMagic.size()))) != kCheckpointMagic)
        return fail(Errc::Corrupt, "not a checkpoint");
    if (const auto version = FIELDWATCH_TRY(in.u16()); version != kCheckpointVersion)
        return fail(Errc::Unsupported, fmt::format("checkpoint of version {}", version));
    if (FIELDWATCH_TRY(in.u32()) != partition)
        return fail(Errc::Corrupt, "a checkpoint of another partition");
    Checkpoint out;
    out.next_offset = FIELDWATCH_TRY(in.u64());
    const auto size = FIELDWATCH_TRY(in.u64());
    const auto state = FIELDWATCH_TRY(in.bytes(size));
    const auto sum = FIELDWATCH_TRY(in.u32());
    if (!in.empty() || crc32c(bytes.first(bytes.size() - 4)) != sum)
        return fail(Errc::Corrupt, "the checksum differs");
    out.state.assign(state.begin(), state.end());
    return out;
}
}  // namespace

std::string Checkpoints::name(std::uint64_t offset) const {
    return fmt::format("{}/shard-{:05}-{:020}{}", directory_, partition_, offset, kSuffix);
}

Result<std::vector<std::uint64_t>> Checkpoints::offsets() const {
    std::vector<std::uint64_t> out;
    const auto prefix = fmt::format("shard-{:05}-", partition_);
    for (const auto& file : FIELDWATCH_TRY(files_.list(directory_))) {
        if (!file.starts_with(prefix) || !file.ends_with(kSuffix)) continue;
        std::uint64_t offset = 0;
        const auto digits =
            std::string_view(file).substr(prefix.size(), file.size() - prefix.size() - kSuffix.size());
        if (std::from_chars(digits.data(), digits.data() + digits.size(), offset).ec == std::errc{})
            out.push_back(offset);
    }
    std::sort(out.begin(), out.end());
    return out;
}

Result<void> Checkpoints::write(const Checkpoint& checkpoint) {
    Bytes bytes;
    bytes.reserve(checkpoint.state.size() + 32);
    ByteWriter out(bytes);
    out.bytes(as_bytes(kCheckpointMagic));
    out.u16(kCheckpointVersion);
    out.u32(partition_);
    out.u64(checkpoint.next_offset);
    out.u64(checkpoint.state.size());
    out.bytes(checkpoint.state);
    out.u32(crc32c(bytes));
    FIELDWATCH_TRY(replace_file(files_, name(checkpoint.next_offset), bytes));
    const auto all = FIELDWATCH_TRY(offsets());
    for (std::size_t i = 0; i + kept_ < all.size(); ++i)
        FIELDWATCH_TRY(files_.remove(name(all[i])));
    return {};
}

Result<std::optional<Checkpoint>> Checkpoints::newest(std::uint64_t offset_max, std::size_t& damaged) {
    auto all = FIELDWATCH_TRY(offsets());
    for (auto offset = all.rbegin(); offset != all.rend(); ++offset) {
        if (*offset > offset_max) continue;
        const auto bytes = read_file(files_, name(*offset), kBytesMax);
        if (!bytes) {
            ++damaged;
            continue;
        }
        if (auto checkpoint = decode(*bytes, partition_)) return std::optional(std::move(*checkpoint));
        ++damaged;
    }
    return std::optional<Checkpoint>{};
}

Result<void> Checkpoints::forget_above(std::uint64_t offset) {
    const auto all = FIELDWATCH_TRY(offsets());
    for (const auto at : all) {
        if (at > offset) FIELDWATCH_TRY(files_.remove(name(at)));
    }
    return {};
}

}  // namespace fieldwatch::pipeline
