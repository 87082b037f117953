// Addresses as numbers: parsing of literals and the classes that detection asks for (spec/alerts.md section
// 6).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fieldwatch {

struct IpAddress {
    bool is_v4 = true;
    std::array<std::uint8_t, 16> bytes{};  ///< network order; an IPv4 address fills the first four

    friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

    std::uint32_t v4() const {
        return static_cast<std::uint32_t>(bytes[0]) << 24 | static_cast<std::uint32_t>(bytes[1]) << 16 |
               static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3];
    }
    bool is_loopback() const;     ///< 127.0.0.0/8, ::1, and IPv4-mapped forms of it
    bool is_unspecified() const;  ///< 0.0.0.0, ::
    /// Reachable from anywhere: none of the blocks that RFC 6890 keeps for a machine, a site, groups or
    /// documents; of an address of IPv4 inside one of IPv6 (mapped, NAT64, 6to4) what that is.
    bool is_global() const;
    /// An address of IPv6 that only wraps one of IPv4 (::ffff:a.b.c.d) as that one; any other as it is.
    IpAddress unmapped() const;
    std::string text() const;  ///< dotted quad, or RFC 5952
};

/// Exactly one IPv4 or IPv6 literal, no zone, no blanks, no leading zeros. RFC 4291 section 2.2.
std::optional<IpAddress> parse_ip(std::string_view text);

/// An address with a prefix length; host bits are cleared.
struct IpPrefix {
    IpAddress address;
    std::uint8_t length = 0;  ///< 0 to 32 or 128
    friend auto operator<=>(const IpPrefix&, const IpPrefix&) = default;
};
/// `address/length`, or an address alone as a full-length prefix.
std::optional<IpPrefix> parse_prefix(std::string_view text);

}  // namespace fieldwatch
