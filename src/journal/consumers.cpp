#include "journal/consumers.hpp"

#include <algorithm>

#include "base/hash.hpp"

namespace fieldwatch::journal {

namespace {
constexpr std::string_view kConsumersMagic = "FWJRNCON";
constexpr std::uint32_t kConsumersVersion = 1;
constexpr std::uint64_t kFileBytesMax = 2u << 20;
}  // namespace

Result<std::unique_ptr<Consumers>> Consumers::open(FileSystem& files, std::string path) {
    std::unique_ptr<Consumers> out(new Consumers(files, std::move(path)));
    const auto content = read_file(files, out->path_, kFileBytesMax);
    if (!content && content.error().code == Errc::NotFound) return out;
    if (!content) return std::unexpected(content.error());
    if (content->size() < 4) return fail(Errc::Corrupt, out->path_ + " is too short");
    const auto checked = ByteView(*content).first(content->size() - 4);
    ByteReader last(ByteView(*content).last(4));
    if (FIELDWATCH_TRY(last.u32()) != crc32c(checked)) {
        return fail(Errc::Corrupt, out->path_ + " fails its checksum");
    }
    ByteReader reader(checked);
    if (as_text(FIELDWATCH_TRY(reader.bytes(kConsumersMagic.size()))) != kConsumersMagic) {
        return fail(Errc::Corrupt, out->path_ + " is not a list of consumers");
    }
    if (FIELDWATCH_TRY(reader.u32()) != kConsumersVersion) {
        return fail(Errc::Unsupported, out->path_ + " is of a version that this release does not read");
    }
    const auto count = FIELDWATCH_TRY(reader.u32());
    if (count > kEntriesMax) return fail(Errc::Corrupt, out->path_ + " has too many entries");
    for (std::uint32_t i = 0; i < count; ++i) {
        std::string name(FIELDWATCH_TRY(reader.text()));
        const auto stream = FIELDWATCH_TRY(reader.u8());
        const auto partition = FIELDWATCH_TRY(reader.u32());
        if (stream > 1) return fail(Errc::Corrupt, out->path_ + " names an unknown stream");
        out->kept_[{std::move(name), static_cast<Stream>(stream), partition}] = FIELDWATCH_TRY(reader.u64());
    }
    return out;
}

Result<void> Consumers::keep_from(std::string_view consumer, Place place) {
    if (consumer.empty() || consumer.size() > kNameBytesMax) {
        return fail(Errc::InvalidArgument, "a consumer's name has 1 to 128 bytes");
    }
    const std::lock_guard lock(mutex_);
    auto changed = kept_;
    const auto [entry, fresh] =
        changed.try_emplace({std::string(consumer), place.stream, place.partition}, place.offset);
    if (!fresh && entry->second == place.offset) return {};
    if (changed.size() > kEntriesMax) return fail(Errc::Exhausted, "too many consumers of the journal");
    entry->second = place.offset;
    return replace(std::move(changed));
}

std::optional<std::uint64_t> Consumers::kept_from(std::string_view consumer, Stream stream,
                                                  std::uint32_t partition) const {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.find({std::string(consumer), stream, partition});
    return found == kept_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> Consumers::names() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [key, offset] : kept_) {
        if (out.empty() || out.back() != std::get<0>(key)) out.push_back(std::get<0>(key));
    }
    return out;
}

Result<void> Consumers::forget(std::string_view consumer) {
    const std::lock_guard lock(mutex_);
    auto changed = kept_;
    if (std::erase_if(changed, [&](const auto& entry) { return std::get<0>(entry.first) == consumer; }) == 0)
        return {};
    return replace(std::move(changed));
}

Result<void> Consumers::replace(Kept changed) {
    Bytes content;
    ByteWriter writer(content);
    writer.bytes(as_bytes(kConsumersMagic));
    writer.u32(kConsumersVersion);
    writer.u32(static_cast<std::uint32_t>(changed.size()));
    for (const auto& [key, offset] : changed) {
        writer.text(std::get<0>(key));
        writer.u8(static_cast<std::uint8_t>(std::get<1>(key)));
        writer.u32(std::get<2>(key));
        writer.u64(offset);
    }
    writer.u32(crc32c(content));
    FIELDWATCH_TRY(replace_file(files_, path_, content));
    kept_ = std::move(changed);
    return {};
}

std::optional<std::uint64_t> Consumers::lowest(Stream stream, std::uint32_t partition) const {
    const std::lock_guard lock(mutex_);
    std::optional<std::uint64_t> out;
    for (const auto& [key, offset] : kept_) {
        if (std::get<1>(key) == stream && std::get<2>(key) == partition) {
            out = std::min(out.value_or(offset), offset);
        }
    }
    return out;
}

}  // namespace fieldwatch::journal
