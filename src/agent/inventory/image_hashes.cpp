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

constexpr std::int64_t kSecond = 1'000'000'000;
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

const std::string& ImageHashes::of(const std::string& path, std::uint64_t inode, std::int64_t now_ns) {
    struct stat status{};
    if (inode == 0 || ::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) ||
        static_cast<std::uint64_t>(status.st_ino) != inode)
        return kNone;
    auto identity = identity_of(status);
    if (const auto found = hashes_.find(identity); found != hashes_.end()) return found->second;

    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (file.fd < 0 || ::fstat(file.fd, &status) != 0 || identity_of(status) != identity) return kNone;
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (now_ns / kSecond != second_) {
        second_ = now_ns / kSecond;
        bytes_in_second_ = 0;
    }
    if (bytes_in_second_ + size > kImageBytesMax) {
        ++skipped_;
        return kNone;
    }
    bytes_in_second_ += size;
    auto digits = hash_of(file.fd, size);
    if (!digits) return kNone;
    if (order_.size() >= kImagesMax) {
        hashes_.erase(order_.front());
        order_.pop_front();
    }
    order_.push_back(identity);
    return hashes_.emplace(std::move(identity), std::move(*digits)).first->second;
}

}  // namespace fieldwatch::agent
