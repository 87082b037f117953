#include "detect/command/escape.hpp"

#include <algorithm>

namespace fieldwatch::detect {

namespace {

/// What a letter behind a backslash stands for; itself when it means nothing special.
char control_of(char letter) {
    constexpr std::string_view kLetters = "abefnrtvE", kMeanings = "\a\b\x1b\f\n\r\t\v\x1b";
    const auto place = kLetters.find(letter);
    return place == std::string_view::npos ? letter : kMeanings[place];
}

}  // namespace

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::size_t append_escape(std::string_view text, std::size_t at, Escapes kind, std::string& out) {
    if (at + 1 >= text.size()) {
        out.push_back('\\');
        return 1;
    }
    const char letter = text[at + 1];
    const int base = letter == 'x' ? 16 : 8;
    auto first = letter == 'x' ? at + 2 : at + 1;
    const bool zero_before = kind == Escapes::Printed && letter == '0' && at + 2 < text.size() &&
                             text[at + 2] >= '0' && text[at + 2] <= '7';
    if (zero_before) ++first;
    const auto digits_max = std::size_t{base == 16 ? 2U : 3U};
    int value = 0;
    auto end = first;
    for (; end < text.size() && end - first < digits_max; ++end) {
        const int digit = hex_digit(text[end]);
        if (digit < 0 || digit >= base) break;
        value = value * base + digit;
    }
    if (end == first) {
        out.push_back(control_of(letter));
        return 2;
    }
    out.push_back(static_cast<char>(value));
    return end - at;
}

}  // namespace fieldwatch::detect
