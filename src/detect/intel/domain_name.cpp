#include "detect/intel/domain_name.hpp"

#include <algorithm>

#include "base/unicode.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::size_t kNameBytesMax = 253, kLabelBytesMax = 63;

bool is_ascii_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// The small letter of the alphabets that registries sell: Latin, Greek, Cyrillic, Armenian.
char32_t small(char32_t c) {
    if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7)) return c + 0x20;
    const bool even_is_great = (c >= 0x100 && c <= 0x137 && c != 0x130) || (c >= 0x14A && c <= 0x177);
    const bool odd_is_great = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E);
    if (even_is_great) return c | 1;
    if (odd_is_great) return c % 2 == 1 ? c + 1 : c;
    if ((c >= 0x391 && c <= 0x3A9) || (c >= 0x410 && c <= 0x42F)) return c + 0x20;
    if (c >= 0x400 && c <= 0x40F) return c + 0x50;
    if (c >= 0x531 && c <= 0x556) return c + 0x30;
    return c;
}

bool append_label(std::u32string_view label, std::string& out) {
    if (std::all_of(label.begin(), label.end(), [](char32_t c) { return c < 0x80; })) {
        for (const auto c : label)
            out += static_cast<char>(c);
        return true;
    }
    std::u32string folded(label);
    std::transform(folded.begin(), folded.end(), folded.begin(), small);
    const auto written = "xn--" + to_punycode(folded);
    out += written;
    return written.size() <= kLabelBytesMax;
}

}  // namespace

bool is_ascii(std::string_view text) {
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

bool is_domain(std::string_view text) {
    if (text.size() > kNameBytesMax) return false;
    std::size_t labels = 0;
    std::string_view label;
    for (auto rest = text;; ++labels) {
        const auto dot = rest.find('.');
        label = rest.substr(0, dot);
        const bool good = !label.empty() && label.size() <= kLabelBytesMax && label.front() != '-' &&
                          std::all_of(label.begin(), label.end(), [](char c) {
                              return is_ascii_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_';
                          });
        if (!good) return false;
        if (dot == rest.npos) break;
        rest.remove_prefix(dot + 1);
    }
    return labels > 0 && std::any_of(label.begin(), label.end(), is_ascii_letter);
}

std::optional<std::string> ascii_name(std::string_view text) {
    if (is_ascii(text)) return std::string(text);
    if (text.size() > 4 * kNameBytesMax) return std::nullopt;
    const auto points = code_points(text);
    if (!points) return std::nullopt;
    std::string out;
    std::u32string label;
    for (const auto point : *points) {
        // RFC 3490 section 3.1: other full stops separate labels too.
        if (point != U'.' && point != U'\u3002' && point != U'\uFF0E' && point != U'\uFF61') {
            label.push_back(point);
            continue;
        }
        if (!append_label(label, out)) return std::nullopt;
        out += '.';
        label.clear();
    }
    if (!append_label(label, out)) return std::nullopt;
    return out;
}

}  // namespace fieldwatch::detect
