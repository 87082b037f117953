#include "detect/intel/domain_name.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::size_t kNameBytesMax = 253, kLabelBytesMax = 63;

bool is_ascii_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// `text` is UTF-8 that has been checked.
std::vector<char32_t> code_points(std::string_view text) {
    std::vector<char32_t> out;
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i++]);
        const int more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
        char32_t point = more == 0 ? lead : lead & (0x3Fu >> more);
        for (int k = 0; k < more; ++k)
            point = point << 6 | (static_cast<unsigned char>(text[i++]) & 0x3Fu);
        out.push_back(point);
    }
    return out;
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

/// RFC 3492 section 6.3 with the constants of section 5; `label` has some point outside of ASCII, and at most
/// kNameBytesMax of them.
std::string punycode(const std::vector<char32_t>& label) {
    constexpr std::uint32_t kBase = 36, kMin = 1, kMax = 26, kSkew = 38, kDamp = 700;
    std::string out;
    for (const auto c : label) {
        if (c < 0x80) out += static_cast<char>(c);
    }
    const auto basic = static_cast<std::uint32_t>(out.size());
    if (basic > 0) out += '-';
    std::uint32_t next = 0x80, delta = 0, bias = 72, handled = basic;
    while (handled < label.size()) {
        char32_t least = 0x110000;
        for (const auto c : label) {
            if (c >= next) least = std::min(least, c);
        }
        delta += (least - next) * (handled + 1);  // 1.1 M × 254 fits
        next = least;
        for (const auto c : label) {
            if (c < next) ++delta;
            if (c != next) continue;
            auto rest = delta;
            for (std::uint32_t k = kBase;; k += kBase) {
                const auto threshold = k <= bias ? kMin : std::min(k - bias, kMax);
                if (rest < threshold) break;
                const auto digit = threshold + (rest - threshold) % (kBase - threshold);
                out += static_cast<char>(digit < 26 ? 'a' + digit : '0' + digit - 26);
                rest = (rest - threshold) / (kBase - threshold);
            }
            out += static_cast<char>(rest < 26 ? 'a' + rest : '0' + rest - 26);
            delta = handled == basic ? delta / kDamp : delta / 2;
            delta += delta / (handled + 1);
            std::uint32_t k = 0;
            for (; delta > (kBase - kMin) * kMax / 2; k += kBase)
                delta /= kBase - kMin;
            bias = k + (kBase - kMin + 1) * delta / (delta + kSkew);
            delta = 0;
            ++handled;
        }
        ++delta;
        ++next;
    }
    return "xn--" + out;
}

bool append_label(const std::vector<char32_t>& label, std::string& out) {
    if (std::all_of(label.begin(), label.end(), [](char32_t c) { return c < 0x80; })) {
        for (const auto c : label)
            out += static_cast<char>(c);
        return true;
    }
    auto folded = label;
    std::transform(folded.begin(), folded.end(), folded.begin(), small);
    const auto written = punycode(folded);
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
    if (text.size() > 4 * kNameBytesMax || !is_utf8(text)) return std::nullopt;
    std::string out;
    std::vector<char32_t> label;
    for (const auto point : code_points(text)) {
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
