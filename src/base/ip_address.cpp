#include "base/ip_address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace fieldwatch {

namespace {
bool is_v4_mapped(const IpAddress& address) {
    if (address.is_v4) return false;
    return std::all_of(address.bytes.begin(), address.bytes.begin() + 10,
                       [](auto byte) { return byte == 0; }) &&
           address.bytes[10] == 0xff && address.bytes[11] == 0xff;
}
}  // namespace

bool IpAddress::is_loopback() const {
    if (is_v4) return bytes[0] == 127;
    if (is_v4_mapped(*this)) return bytes[12] == 127;
    return std::all_of(bytes.begin(), bytes.end() - 1, [](auto byte) { return byte == 0; }) && bytes[15] == 1;
}

IpAddress IpAddress::unmapped() const {
    if (!is_v4_mapped(*this)) return *this;
    IpAddress inner;
    std::copy(bytes.begin() + 12, bytes.end(), inner.bytes.begin());
    return inner;
}

bool IpAddress::is_unspecified() const {
    return std::all_of(bytes.begin(), bytes.begin() + (is_v4 ? 4 : 16), [](auto byte) { return byte == 0; });
}

bool IpAddress::is_global() const {
    struct Block {
        std::uint32_t network;
        unsigned length;
    };
    static constexpr Block kKept[] = {{0x00000000, 8},  {0x0A000000, 8},  {0x64400000, 10}, {0x7F000000, 8},
                                      {0xA9FE0000, 16}, {0xAC100000, 12}, {0xC0000000, 24}, {0xC0000200, 24},
                                      {0xC0A80000, 16}, {0xC6120000, 15}, {0xC6336400, 24}, {0xCB007100, 24},
                                      {0xE0000000, 3}};
    const auto inner = [this](std::size_t at) {
        IpAddress out;
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), 4, out.bytes.begin());
        return out;
    };
    if (is_v4)
        return std::none_of(std::begin(kKept), std::end(kKept), [this](const Block& block) {
            return (v4() ^ block.network) >> (32 - block.length) == 0;
        });
    if (is_v4_mapped(*this)) return inner(12).is_global();
    const auto first = static_cast<unsigned>(bytes[0]) << 8 | bytes[1];
    const auto second = static_cast<unsigned>(bytes[2]) << 8 | bytes[3];
    if (first == 0x0064 && second == 0xFF9B) return bytes[4] == 0 && bytes[5] == 0 && inner(12).is_global();
    if (first == 0x2002) return inner(2).is_global();
    return first >> 13 == 1 && !(first == 0x2001 && (second < 0x0200 || second == 0x0DB8));
}

std::string IpAddress::text() const {
    char out[INET6_ADDRSTRLEN];
    ::inet_ntop(is_v4 ? AF_INET : AF_INET6, bytes.data(), out, sizeof out);
    return out;
}

std::optional<IpAddress> parse_ip(std::string_view text) {
    char copy[INET6_ADDRSTRLEN];
    if (text.empty() || text.size() >= sizeof copy || text.find('\0') != text.npos) return std::nullopt;
    std::memcpy(copy, text.data(), text.size());
    copy[text.size()] = '\0';
    IpAddress out;
    out.is_v4 = text.find(':') == text.npos;
    if (::inet_pton(out.is_v4 ? AF_INET : AF_INET6, copy, out.bytes.data()) != 1) return std::nullopt;
    return out;
}

std::optional<IpPrefix> parse_prefix(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = parse_ip(text.substr(0, slash));
    if (!address) return std::nullopt;
    IpPrefix out{*address, static_cast<std::uint8_t>(address->is_v4 ? 32 : 128)};
    if (slash == text.npos) return out;
    const auto digits = text.substr(slash + 1);
    unsigned length = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc{} || end != digits.data() + digits.size() || length > out.length)
        return std::nullopt;
    out.length = static_cast<std::uint8_t>(length);
    for (unsigned bit = length; bit < (address->is_v4 ? 32u : 128u); ++bit)
        out.address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> bit % 8));
    return out;
}

}  // namespace fieldwatch
