// A text beside its copy in lower case: what the indexes of a field read. One folding serves them all.
#pragma once

#include <cstring>
#include <string_view>
#include <vector>

namespace fieldwatch::detect {

/// Reused from text to text: keeps its memory. Views of the original are the caller's to keep alive.
class FoldedText {
  public:
    /// Behind the folded text lie so many zero bytes: a word may be read at each of its places.
    static constexpr std::size_t kPadding = 16;

    void assign(std::string_view text) {
        text_ = text;
        if (text.size() > room_) {
            room_ = 2 * text.size();
            folded_.resize(room_ + 2 * kPadding);
        }
        std::memcpy(folded_.data(), text.data(), text.size());
        std::memset(folded_.data() + text.size(), 0, kPadding);
        for (std::size_t i = 0; i < text.size(); i += kPadding)
            fold(folded_.data() + i);
    }
    std::string_view original() const { return text_; }
    std::string_view folded() const { return {folded_.data(), text_.size()}; }

  private:
    static void fold(char* at) {
        using Block = unsigned char __attribute__((vector_size(kPadding)));
        Block block;
        std::memcpy(&block, at, sizeof block);
        block |= ((block >= 'A') & (block <= 'Z')) & 32;  // a comparison gives all ones where it holds
        std::memcpy(at, &block, sizeof block);
    }

    std::string_view text_;
    std::size_t room_ = 0;  ///< for text: folded_ without what lies behind
    std::vector<char> folded_ = std::vector<char>(2 * kPadding);
};

}  // namespace fieldwatch::detect
