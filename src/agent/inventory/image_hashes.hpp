// SHA-256 of program images, on first sight of each. Runs in the sender, which may read what everybody may.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>

namespace fieldwatch::agent {

/// One thread. Keeps the hashes of at most kImagesMax images, the oldest go first; an image is known by
/// device, inode, size and both times of change, so that a replaced file is read anew. A read is bounded by
/// kImageBytesMax, all reads together by kBytesPerSecond in the long run, because nothing is sent meanwhile:
/// what is over has no hash this time.
class ImageHashes {
  public:
    static constexpr std::size_t kImagesMax = 512;
    static constexpr std::uint64_t kImageBytesMax = 32U
                                                    << 20;  ///< also what may be read at once after a pause
    static constexpr std::uint64_t kBytesPerSecond =
        8'000'000;  ///< 2 % of a PC's core, 25 % of a small ARM's

    /// 64 hex digits; "" when the file cannot be read, is too large now, or is not the one with that inode
    /// (another mount namespace's path). `inode` 0 = not known: no hash. `now_ns` is monotonic.
    const std::string& of(const std::string& path, std::uint64_t inode, std::int64_t now_ns);

    std::uint64_t skipped() const { return skipped_; }  ///< images left out for their size or the budget

  private:
    bool spend(std::uint64_t bytes, std::int64_t now_ns);

    std::unordered_map<std::string, std::string> hashes_;  // identity -> hex
    std::deque<std::string> order_;
    std::int64_t spent_ns_ = 0;
    std::uint64_t budget_ = kImageBytesMax;
    std::uint64_t skipped_ = 0;
};

}  // namespace fieldwatch::agent
