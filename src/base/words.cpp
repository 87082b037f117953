#include "base/words.hpp"

namespace fieldwatch {

namespace {

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace

Replaced replace_words(std::string_view text, std::string_view word, std::string_view by) {
    Replaced out;
    std::size_t at = 0;
    if (!word.empty()) {
        for (auto found = text.find(word); found != std::string_view::npos;) {
            const auto end = found + word.size();
            const bool begins = !is_word(word.front()) || found == 0 || !is_word(text[found - 1]);
            const bool ends = !is_word(word.back()) || end == text.size() || !is_word(text[end]);
            if (begins && ends) {
                out.text += text.substr(at, found - at);
                out.text += by;
                ++out.count;
                at = end;
            }
            found = text.find(word, begins && ends ? end : found + 1);
        }
    }
    out.text += text.substr(at);
    return out;
}

}  // namespace fieldwatch
