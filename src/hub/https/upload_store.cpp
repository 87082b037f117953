#include "hub/https/upload_store.hpp"

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

UploadStore::UploadStore(FileSystem& files, std::string directory, Random& random)
    : files_(&files), directory_(std::move(directory)) {
    std::array<std::byte, 32> secret;
    random.fill(secret);
    secret_ = as_text(secret);
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
    return replace_file(*files_, path(name), as_bytes(content));
}

Result<void> UploadStore::put_block(const BlobName& name, std::string_view block_id,
                                    std::string_view content) {
    if (block_id.empty() || block_id.size() > 128)
        return fail(Errc::InvalidArgument, "a block id has 1 to 128 characters");
    FIELDWATCH_TRY(make_room(name));
    return replace_file(*files_, path(name, block_id), as_bytes(content));
}

Result<void> UploadStore::commit(const BlobName& name, const std::vector<std::string>& block_ids) {
    if (block_ids.size() > kBlocksMax) return fail(Errc::TooLarge, "a blob has at most 4096 blocks");
    const auto whole = path(name) + ".new";
    static_cast<void>(files_->remove(whole));
    std::uint64_t size = 0;
    {
        const auto file = FIELDWATCH_TRY(files_->open(whole, OpenMode::CreateNew));
        for (const auto& id : block_ids) {
            const auto block = FIELDWATCH_TRY(read_file(*files_, path(name, id), kBlockBytesMax));
            if (size + block.size() > kBlobBytesMax)
                return fail(Errc::TooLarge, "a blob has at most 256 MiB");
            FIELDWATCH_TRY(file->write_at(size, block));
            size += block.size();
        }
        FIELDWATCH_TRY(file->sync());
    }
    FIELDWATCH_TRY(files_->rename(whole, path(name)));
    FIELDWATCH_TRY(files_->sync_directory(directory_ + "/" + name.hub.value));
    for (const auto& id : block_ids)
        static_cast<void>(files_->remove(path(name, id)));
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
