// Small steps through text, shared by everything that reads lines.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace fieldwatch {

/// `text` without the characters of `blanks` at both its ends.
constexpr std::string_view trimmed(std::string_view text, std::string_view blanks = " \t\r\n") {
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// The parts of `text` between the separators: one more than there are separators, empty ones included.
inline std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> out;
    for (;;) {
        const auto at = text.find(separator);
        out.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return out;
        text.remove_prefix(at + 1);
    }
}

/// Whether objects and arrays in the JSON text `json` stand more than `limit` deep in each other, told by
/// brackets outside of strings: asked before a parser that recurses by nesting gets a stranger's text.
bool nests_deeper_than(std::size_t limit, std::string_view json);

/// Calls each(line) for every line of `text`, without its end.
template <class Each>
void each_line(std::string_view text, const Each& each) {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        each(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

}  // namespace fieldwatch
