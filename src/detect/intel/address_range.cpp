#include "detect/intel/address_range.hpp"

#include <bit>
#include <cstdint>
#include <optional>

#include "base/ip_address.hpp"
#include "base/text.hpp"

namespace fieldwatch::detect {

namespace {

/// Four groups of three digits, decimal: so DShield pads them.
std::optional<std::string> unpadded(std::string_view text) {
    if (text.size() != 15) return std::nullopt;
    std::string out;
    for (const auto group : split(text, '.')) {
        const auto first = group.find_first_not_of('0');
        if (group.size() != 3) return std::nullopt;
        if (!out.empty()) out += '.';
        out += first == group.npos ? std::string_view("0") : group.substr(first);
    }
    return out;
}

std::optional<std::uint32_t> v4_of(std::string_view text) {
    auto address = parse_ip(text);
    if (const auto plain = unpadded(text); plain && !address) address = parse_ip(*plain);
    return address && address->is_v4 ? std::optional(address->v4()) : std::nullopt;
}

std::string network(std::uint32_t address, unsigned length) {
    IpAddress out;
    for (std::size_t i = 0; i < 4; ++i)
        out.bytes[i] = static_cast<std::uint8_t>(address >> (24 - 8 * i));
    return out.text() + (length == 32 ? "" : "/" + std::to_string(length));
}

}  // namespace

std::vector<std::string> address_range(std::string_view text) {
    std::vector<std::string> out;
    if (const auto slash = text.find('/'); slash != text.npos) {
        const auto address = v4_of(text.substr(0, slash));
        const auto mask = v4_of(text.substr(slash + 1));
        if (!address || !mask) return out;
        const auto length = static_cast<unsigned>(std::countl_one(*mask));
        if (std::popcount(*mask) != static_cast<int>(length)) return out;
        out.push_back(network(*address & *mask, length));
        return out;
    }
    const auto dash = text.find('-');
    const auto from = v4_of(trimmed(text.substr(0, dash)));
    const auto to = dash == text.npos ? from : v4_of(trimmed(text.substr(dash + 1)));
    if (!from || !to || *from > *to) return out;
    for (std::uint64_t at = *from; at <= *to;) {
        // The largest block that begins here and ends in time.
        unsigned bits = at == 0 ? 32 : static_cast<unsigned>(std::countr_zero(at));
        while (bits > 32 || at + (std::uint64_t{1} << bits) - 1 > *to)
            --bits;
        out.push_back(network(static_cast<std::uint32_t>(at), 32 - bits));
        at += std::uint64_t{1} << bits;
    }
    return out;
}

}  // namespace fieldwatch::detect
