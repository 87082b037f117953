#include <algorithm>
#include <cstring>

#include "detect/command/command.hpp"

namespace fieldwatch::detect {

std::string_view TextArena::copy(std::string_view text) {
    if (text.empty()) return {};
    constexpr std::size_t kBlock = 16'384;
    while (block_ < blocks_.size() && sizes_[block_] - used_ < text.size()) {
        ++block_;
        used_ = 0;
    }
    if (block_ == blocks_.size()) {
        const auto size = std::max(kBlock, text.size());
        blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
        sizes_.push_back(size);
        used_ = 0;
    }
    char* const place = blocks_[block_].get() + used_;
    std::memcpy(place, text.data(), text.size());
    used_ += text.size();
    used_total_ += text.size();
    return {place, text.size()};
}

void TextArena::clear() {
    block_ = used_ = used_total_ = 0;
    // One hostile line must not keep its memory for ever.
    constexpr std::size_t kBlocksKept = 4;
    if (blocks_.size() > kBlocksKept) {
        blocks_.resize(kBlocksKept);
        sizes_.resize(kBlocksKept);
    }
}

}  // namespace fieldwatch::detect
