// Walking over the small text files that a Linux device describes itself with.
#pragma once

#include <string>
#include <string_view>

#include "base/text.hpp"

namespace fieldwatch::agent {

/// Also without zeros: the kernel ends the texts of a device tree with them.
inline std::string_view trimmed(std::string_view text) {
    return fieldwatch::trimmed(text, std::string_view(" \t\r\n\0", 5));
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
