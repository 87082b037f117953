#include "agent/inventory/image_hashes.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/bytes.hpp"
#include "base/sha256_stream.hpp"

namespace fieldwatch::agent {

namespace {

constexpr std::int64_t kMilli = 1'000'000;
constexpr std::int64_t kFullNs = 60'000 * kMilli;  // after which the budget is full in any case
const std::string kNone;

struct Descriptor {
    int fd;
    ~Descriptor() {
        if (fd >= 0) ::close(fd);
    }
};

std::string identity_of(const struct stat& status) {
    std::string out;
    for (const auto part :
         {static_cast<std::int64_t>(status.st_dev), static_cast<std::int64_t>(status.st_ino),
          static_cast<std::int64_t>(status.st_size), static_cast<std::int64_t>(status.st_mtim.tv_sec),
          static_cast<std::int64_t>(status.st_mtim.tv_nsec), static_cast<std::int64_t>(status.st_ctim.tv_sec),
          static_cast<std::int64_t>(status.st_ctim.tv_nsec)})
        out.append(std::to_string(part)).append(" ");
    return out;
}

/// Nothing when the file cannot be read to its end.
std::optional<std::string> hash_of(int fd, std::uint64_t size) {
    Sha256Stream hash;
    std::array<std::byte, 64 * 1'024> block;
    for (std::uint64_t left = size; left > 0;) {
        const auto got = ::read(fd, block.data(), block.size());
        if (got <= 0) return std::nullopt;
        hash.add(ByteView(block).first(static_cast<std::size_t>(got)));
        left -= std::min(left, static_cast<std::uint64_t>(got));
    }
    return hex(hash.finish());
}

}  // namespace

bool ImageHashes::spend(std::uint64_t bytes, std::int64_t now_ns) {
    const auto passed = static_cast<std::uint64_t>(std::clamp<std::int64_t>(now_ns - spent_ns_, 0, kFullNs));
    spent_ns_ = now_ns;
    budget_ = std::min(kImageBytesMax, budget_ + passed / kMilli * (kBytesPerSecond / 1'000));
    if (bytes > budget_) return false;
    budget_ -= bytes;
    return true;
}

const std::string& ImageHashes::of(const std::string& path, std::uint64_t inode, std::int64_t now_ns) {
    // A descriptor that opens nothing yet names the file from here on, whatever becomes of the path; and a
    // device or a pipe that stands there is not touched.
    const Descriptor place{inode == 0 ? -1 : ::open(path.c_str(), O_PATH | O_CLOEXEC)};
    struct stat status{};
    if (place.fd < 0 || ::fstat(place.fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        static_cast<std::uint64_t>(status.st_ino) != inode)
        return kNone;
    auto identity = identity_of(status);
    if (const auto found = hashes_.find(identity); found != hashes_.end()) return found->second;

    const Descriptor file{
        ::open(("/proc/self/fd/" + std::to_string(place.fd)).c_str(), O_RDONLY | O_CLOEXEC)};
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (file.fd < 0) return kNone;
    if (!spend(size, now_ns)) {
        ++skipped_;
        return kNone;
    }
    auto digits = hash_of(file.fd, size);
    // What was written to meanwhile was hashed half old, half new: that is the hash of no image.
    if (!digits || ::fstat(file.fd, &status) != 0 || identity_of(status) != identity) return kNone;
    if (order_.size() >= kImagesMax) {
        hashes_.erase(order_.front());
        order_.pop_front();
    }
    order_.push_back(identity);
    return hashes_.emplace(std::move(identity), std::move(*digits)).first->second;
}

}  // namespace fieldwatch::agent
