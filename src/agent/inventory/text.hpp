// Walking over the small text files that a Linux device describes itself with.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace fieldwatch::agent {

/// Calls each(line) for every line of `text`, without its end.
template <class Each>
void each_line(std::string_view text, const Each& each) {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        each(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

inline std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlank(" \t\r\n\0", 5);
    const auto begin = text.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

/// What follows `key` on the line that begins with it; "" if there is none.
inline std::string_view value_after(std::string_view text, std::string_view key) {
    for (auto at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
        if (at > 0 && text[at - 1] != '\n') continue;
        const auto begin = at + key.size();
        return trimmed(text.substr(begin, text.find('\n', begin) - begin));
    }
    return {};
}

}  // namespace fieldwatch::agent
