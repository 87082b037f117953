#include "base/unicode.hpp"

#include <algorithm>
#include <cstdint>

#include "base/bytes.hpp"

namespace fieldwatch {
namespace {

// Of Punycode: RFC 3492 section 5.
constexpr std::uint32_t kBase = 36, kLowest = 1, kHighest = 26, kSkew = 38, kDamp = 700, kBias = 72,
                        kFirst = 128;

/// Section 6.1.
std::uint32_t adapted(std::uint64_t delta, std::uint64_t points, bool first) {
    delta /= first ? kDamp : 2;
    delta += delta / points;
    std::uint32_t steps = 0;
    for (; delta > (kBase - kLowest) * kHighest / 2; steps += kBase)
        delta /= kBase - kLowest;
    return steps + static_cast<std::uint32_t>((kBase - kLowest + 1) * delta / (delta + kSkew));
}

std::uint32_t threshold(std::uint32_t at, std::uint32_t bias) {
    return at <= bias ? kLowest : std::min(at - bias, kHighest);
}

int digit_of(char c) {
    if (c >= 'a' && c <= 'z') return c - 'a';
    if (c >= 'A' && c <= 'Z') return c - 'A';
    return c >= '0' && c <= '9' ? c - '0' + 26 : -1;
}

}  // namespace

std::optional<std::u32string> code_points(std::string_view text) {
    if (!is_utf8(text)) return std::nullopt;
    std::u32string out;
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

void append_utf8(std::string& out, char32_t point) {
    const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
    const auto tail = [&](int shift) { put(0x80 | (point >> shift & 0x3F)); };
    if (point < 0x80) return put(point);
    if (point < 0x800) return put(0xC0 | point >> 6), tail(0);
    if (point < 0x10000) return put(0xE0 | point >> 12), tail(6), tail(0);
    put(0xF0 | point >> 18), tail(12), tail(6), tail(0);
}

std::string to_punycode(std::u32string_view points) {
    std::string out;
    for (const auto point : points) {
        if (point < kFirst) out.push_back(static_cast<char>(point));
    }
    const std::uint64_t basic = out.size();
    if (basic > 0) out.push_back('-');
    std::uint64_t delta = 0, handled = basic;
    std::uint32_t next = kFirst, bias = kBias;
    while (handled < points.size()) {
        std::uint32_t lowest = 0x110000;
        for (const auto point : points) {
            if (point >= next) lowest = std::min<std::uint32_t>(lowest, point);
        }
        delta += std::uint64_t{lowest - next} * (handled + 1);
        next = lowest;
        for (const auto point : points) {
            if (point < next) ++delta;
            if (point != next) continue;
            auto rest = delta;
            for (std::uint32_t at = kBase;; at += kBase) {
                const auto limit = threshold(at, bias);
                const auto digit = rest < limit ? rest : limit + (rest - limit) % (kBase - limit);
                out.push_back(static_cast<char>(digit < 26 ? 'a' + digit : '0' + digit - 26));
                if (rest < limit) break;
                rest = (rest - limit) / (kBase - limit);
            }
            bias = adapted(delta, handled + 1, handled == basic);
            delta = 0;
            ++handled;
        }
        ++delta;
        ++next;
    }
    return out;
}

std::optional<std::u32string> from_punycode(std::string_view text) {
    std::u32string points;
    const auto hyphen = text.rfind('-');
    if (hyphen != std::string_view::npos) {
        for (const char c : text.substr(0, hyphen)) {
            if (static_cast<unsigned char>(c) >= kFirst) return std::nullopt;
            points.push_back(static_cast<char32_t>(c));
        }
        text.remove_prefix(hyphen + 1);
    }
    std::uint64_t place = 0, next = kFirst;
    std::uint32_t bias = kBias;
    while (!text.empty()) {
        const auto before = place;
        std::uint64_t weight = 1;
        for (std::uint32_t at = kBase;; at += kBase) {
            if (text.empty()) return std::nullopt;
            const int digit = digit_of(text.front());
            text.remove_prefix(1);
            if (digit < 0) return std::nullopt;
            place += static_cast<std::uint64_t>(digit) * weight;
            const auto limit = threshold(at, bias);
            if (static_cast<std::uint32_t>(digit) < limit) break;
            weight *= kBase - limit;
            if (place > 0xFFFF'FFFF || weight > 0xFFFF'FFFF) return std::nullopt;
        }
        bias = adapted(place - before, points.size() + 1, before == 0);
        next += place / (points.size() + 1);
        place %= points.size() + 1;
        if (next > 0x10FFFF || (next >= 0xD800 && next < 0xE000)) return std::nullopt;
        points.insert(points.begin() + static_cast<std::ptrdiff_t>(place), static_cast<char32_t>(next));
        ++place;
    }
    return points;
}

}  // namespace fieldwatch
