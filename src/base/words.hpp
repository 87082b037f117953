// Whole words inside longer texts: what a purge looks for. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fieldwatch {

struct Replaced {
    std::string text;
    std::size_t count = 0;
};

/// Replaces `word` wherever it stands by itself: where it begins or ends with a letter, digit or underscore
/// (ASCII), none of those stands beside it. This is `\bword\b` of RE2. An empty word is nowhere.
Replaced replace_words(std::string_view text, std::string_view word, std::string_view by);

}  // namespace fieldwatch
