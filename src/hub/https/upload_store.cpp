#include "hub/https/upload_store.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/hash.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::uint64_t kBlobBytesMax = 256u << 20;
constexpr std::uint64_t kDiskFreeMin = 2ull
                                       << 30;  // the journal stops at one: files of devices stop before it

std::string canonical(const BlobName& name) {
    return std::string(kUploadContainer) + "/" + name.hub.value + "/" + name.device.value + "/" + name.blob;
}

}  // namespace

UploadStore::UploadStore(FileSystem& files, std::string directory, Random& random, Metrics& metrics,
                         Limits limits)
    : files_(&files),
      directory_(std::move(directory)),
      limits_(limits),
      dropped_(metrics.counter("fieldwatch_hub_upload_blocks_dropped_total",
                               "Blocks of files that were put and not committed in time")) {
    std::array<std::byte, 32> secret;
    random.fill(secret);
    secret_ = as_text(secret);
    clean();
}

/// No address of an earlier run is good: of its files those stay that are whole, named by a hash alone.
void UploadStore::clean() {
    const auto hubs = files_->list(directory_);
    if (!hubs) return;  // nobody has put anything yet
    for (const auto& hub : *hubs) {
        const auto names = files_->list(directory_ + "/" + hub);
        for (const auto& name : names.value_or(std::vector<std::string>{})) {
            if (name.find('.') == std::string::npos) continue;
            if (!files_->remove(directory_ + "/" + hub + "/" + name)) continue;
            if (!name.ends_with(".new")) dropped_.add();
        }
    }
}

void UploadStore::State::put_back(const std::string& path, Waiting waiting) {
    if (waiting.blocks.empty()) return;
    auto& held = blobs[path];
    for (const auto& [block, size] : waiting.blocks) {
        if (!held.blocks.emplace(block, size).second) continue;  // put again meanwhile
        held.bytes += size;
        bytes += size;
        ++blocks;
    }
    held.until = std::max(held.until, waiting.until);
}

UploadStore::Waiting UploadStore::State::take(const std::string& path) {
    const auto found = blobs.find(path);
    if (found == blobs.end()) return {};
    auto out = std::move(found->second);
    blobs.erase(found);
    bytes -= out.bytes;
    blocks -= out.blocks.size();
    return out;
}

void UploadStore::remove_blocks(const Waiting& waiting) {
    for (const auto& [block, size] : waiting.blocks)
        static_cast<void>(files_->remove(block));
}

void UploadStore::drop(const std::vector<Waiting>& dropped) {
    for (const auto& waiting : dropped) {
        remove_blocks(waiting);
        dropped_.add(waiting.blocks.size());
    }
}

void UploadStore::sweep(Timestamp now) {
    drop(state_.with([&](State& state) {
        std::vector<std::string> over;
        for (const auto& [path, waiting] : state.blobs) {
            if (waiting.until <= now) over.push_back(path);
        }
        std::vector<Waiting> out;
        for (const auto& path : over)
            out.push_back(state.take(path));
        return out;
    }));
}

std::string UploadStore::sign(const BlobName& name, Timestamp expiry) const {
    const auto until = std::to_string(expiry.unix_seconds());
    const auto signature = base64(hmac_sha256(as_bytes(secret_), as_bytes(canonical(name) + "\n" + until)));
    return "?sv=2018-03-28&sr=b&sig=" + percent_encode(signature) + "&se=" + until + "&sp=rcw";
}

bool UploadStore::verify(const BlobName& name, std::string_view expiry_text, std::string_view signature,
                         Timestamp now) const {
    std::int64_t until = 0;
    const auto [end, error] =
        std::from_chars(expiry_text.data(), expiry_text.data() + expiry_text.size(), until);
    if (error != std::errc{} || end != expiry_text.data() + expiry_text.size() || until <= now.unix_seconds())
        return false;
    const auto expected =
        base64(hmac_sha256(as_bytes(secret_), as_bytes(canonical(name) + "\n" + std::string(expiry_text))));
    return equal_constant_time(expected, signature);
}

std::string UploadStore::path(const BlobName& name, std::string_view block_id) const {
    auto out = directory_ + "/" + name.hub.value + "/" + hex(sha256(as_bytes(canonical(name))));
    if (!block_id.empty()) out += "." + hex(sha256(as_bytes(block_id))).substr(0, 32);
    return out;
}

Result<void> UploadStore::make_room(const BlobName& name) const {
    const auto directory = directory_ + "/" + name.hub.value;
    FIELDWATCH_TRY(files_->make_directories(directory));
    if (FIELDWATCH_TRY(files_->free_bytes(directory)) < kDiskFreeMin)
        return fail(Errc::Exhausted, "the disk is nearly full");
    return {};
}

Result<void> UploadStore::put(const BlobName& name, std::string_view content) {
    FIELDWATCH_TRY(make_room(name));
    FIELDWATCH_TRY(replace_file(*files_, path(name), as_bytes(content)));
    remove_blocks(state_.with([&](State& state) { return state.take(path(name)); }));
    return {};
}

Result<void> UploadStore::put_block(const BlobName& name, std::string_view block_id, std::string_view content,
                                    Timestamp until) {
    if (block_id.empty() || block_id.size() > 128)
        return fail(Errc::InvalidArgument, "a block id has 1 to 128 characters");
    FIELDWATCH_TRY(make_room(name));
    const auto blob = path(name), block = path(name, block_id);
    std::vector<Waiting> dropped;
    // Its room is taken before its bytes are written, and its name is known to who removes.
    const bool fits = state_.with([&](State& state) {
        if (const auto found = state.blobs.find(blob); found != state.blobs.end()) {
            const auto& waiting = found->second;
            if (!waiting.blocks.contains(block) &&
                (waiting.blocks.size() >= kBlocksMax || waiting.bytes + content.size() > kBlobBytesMax))
                return false;
        }
        auto& waiting = state.blobs[blob];
        const auto [entry, is_new] = waiting.blocks.try_emplace(block, 0);
        waiting.bytes += content.size() - entry->second;
        state.bytes += content.size() - entry->second;
        state.blocks += is_new ? 1 : 0;
        entry->second = content.size();
        waiting.until = std::max(waiting.until, until);
        while (state.blobs.size() > 1 &&
               (state.bytes > limits_.waiting_bytes_max || state.blocks > limits_.waiting_blocks_max)) {
            auto first = state.blobs.end();
            for (auto at = state.blobs.begin(); at != state.blobs.end(); ++at) {
                if (at->first != blob &&
                    (first == state.blobs.end() || at->second.until < first->second.until))
                    first = at;
            }
            dropped.push_back(state.take(std::string(first->first)));
        }
        return true;
    });
    if (!fits) return fail(Errc::TooLarge, "a blob has at most 256 MiB in 4096 blocks");
    drop(dropped);
    return replace_file(*files_, block, as_bytes(content));
}

/// Returns the size of the file that it makes.
Result<std::uint64_t> UploadStore::join(const std::string& whole, const BlobName& name,
                                        const std::vector<std::string>& block_ids) const {
    static_cast<void>(files_->remove(whole));
    std::uint64_t size = 0;
    const auto file = FIELDWATCH_TRY(files_->open(whole, OpenMode::CreateNew));
    for (const auto& id : block_ids) {
        const auto block = FIELDWATCH_TRY(read_file(*files_, path(name, id), kBlockBytesMax));
        if (size + block.size() > kBlobBytesMax) return fail(Errc::TooLarge, "a blob has at most 256 MiB");
        FIELDWATCH_TRY(file->write_at(size, block));
        size += block.size();
    }
    FIELDWATCH_TRY(file->sync());
    return size;
}

Result<void> UploadStore::commit(const BlobName& name, const std::vector<std::string>& block_ids) {
    if (block_ids.size() > kBlocksMax) return fail(Errc::TooLarge, "a blob has at most 4096 blocks");
    FIELDWATCH_TRY(make_room(name));
    const auto blob = path(name), whole = blob + ".new";
    auto waiting = state_.with([&](State& state) { return state.take(blob); });  // nobody removes them now
    const auto joined = join(whole, name, block_ids);
    if (!joined) {
        static_cast<void>(files_->remove(whole));
        state_.with([&](State& state) { state.put_back(blob, std::move(waiting)); });
        return std::unexpected(joined.error());
    }
    FIELDWATCH_TRY(files_->rename(whole, blob));
    FIELDWATCH_TRY(files_->sync_directory(directory_ + "/" + name.hub.value));
    remove_blocks(waiting);
    return {};
}

Result<std::string> UploadStore::get(const BlobName& name) const {
    const auto bytes = FIELDWATCH_TRY(read_file(*files_, path(name), kBlobBytesMax));
    return std::string(as_text(bytes));
}

Result<std::uint64_t> UploadStore::size(const BlobName& name) const {
    const auto file = FIELDWATCH_TRY(files_->open(path(name), OpenMode::ReadOnly));
    return file->size();
}

}  // namespace fieldwatch::hub
