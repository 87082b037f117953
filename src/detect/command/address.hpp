// Address classes: which literal addresses and host names lie outside the device's own networks
// (spec/alerts.md section 6, "External address" and "Local login").
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"

namespace fieldwatch::detect {

/// IPv4 is held mapped (::ffff:a.b.c.d), so that one prefix comparison serves both.
struct Address {
    std::array<std::uint8_t, 16> bytes{};
    bool v4 = false;
    friend bool operator==(const Address&, const Address&) = default;
};
std::optional<Address> parse_address(
    std::string_view text);  ///< dotted quad or RFC 4291 text, brackets allowed

/// What inet_aton(3) makes an IPv4 address of: one to four parts, each decimal, octal or hexadecimal, the
/// last for all bytes that are left. `3232235777` and `0xc0.168.257` are 192.168.1.1. Programs take hosts so
/// on their command lines; nowhere else is text read this way.
std::optional<IpAddress> parse_typed_address(std::string_view text);

struct Prefix {
    Address address;
    std::uint8_t bits = 128;  ///< of the mapped form: an IPv4 /24 is 120
    bool contains(const Address& other) const;
};
std::optional<Prefix> parse_prefix(std::string_view text);  ///< address with optional /bits

enum class AddressClass : std::uint8_t {
    Unspecified,
    Loopback,
    LinkLocal,
    Private,
    CarrierGrade,
    UniqueLocal,
    Multicast,
    Documentation,
    External,
};
std::string_view to_string(AddressClass address_class);
AddressClass classify(const Address& address);

struct AddressSettings {
    bool documentation_is_external = false;   ///< the spec's test mode
    std::vector<std::string> local_suffixes;  ///< host names under these are local: "lan", "plant.example"
};

/// A literal address, or a host name: external unless single-label or under a local suffix.
bool is_external(std::string_view host, const AddressSettings& settings);
/// Absent, empty, `?`, 0.0.0.0, ::, 127.0.0.0/8 or ::1.
bool is_local_login(std::string_view remote_address);

}  // namespace fieldwatch::detect
