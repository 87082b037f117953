// The texts of many rows, one behind the other in a few blocks: a batch of raw events allocates some hundred
// times a megabyte less than with a string for each field, and frees them at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace fieldwatch::workspace {

/// Views stay valid until it goes, also when it moves. Its bound is its owner's: a commit's rows.
class Texts {
  public:
    std::string_view keep(std::string_view text) {
        if (text.empty()) return {};
        if (text.size() > left_) grow(text.size());
        std::memcpy(next_, text.data(), text.size());
        const std::string_view kept(next_, text.size());
        next_ += text.size();
        left_ -= text.size();
        return kept;
    }
    /// As keep; a text that equals one kept before is not kept twice. Rows of one message share most fields.
    std::string_view keep(std::string_view text, std::string_view before) {
        return text == before ? before : keep(text);
    }

  private:
    static constexpr std::size_t kBlockBytes = 64u << 10;  // some 200 rows

    void grow(std::size_t bytes_min) {
        left_ = std::max(kBlockBytes, bytes_min);
        blocks_.push_back(std::make_unique_for_overwrite<char[]>(left_));
        next_ = blocks_.back().get();
    }

    std::vector<std::unique_ptr<char[]>> blocks_;
    char* next_ = nullptr;
    std::size_t left_ = 0;
};

}  // namespace fieldwatch::workspace
