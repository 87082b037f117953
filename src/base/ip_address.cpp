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

bool IpAddress::is_unspecified() const {
    return std::all_of(bytes.begin(), bytes.begin() + (is_v4 ? 4 : 16), [](auto byte) { return byte == 0; });
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
