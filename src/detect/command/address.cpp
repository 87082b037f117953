#include "detect/command/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace fieldwatch::detect {
namespace {

/// inet_pton wants a terminated string; literal addresses are short.
template <std::size_t N>
bool copy_terminated(std::string_view text, char (&out)[N]) {
    if (text.empty() || text.size() >= N) return false;
    std::memcpy(out, text.data(), text.size());
    out[text.size()] = '\0';
    return true;
}

struct ClassPrefix {
    std::string_view text;
    AddressClass address_class;
};

/// The first that holds decides: RFC 6890 and the documentation ranges of RFC 5737 and RFC 3849.
constexpr ClassPrefix kClasses[] = {
    {"0.0.0.0/8", AddressClass::Unspecified},
    {"127.0.0.0/8", AddressClass::Loopback},
    {"10.0.0.0/8", AddressClass::Private},
    {"172.16.0.0/12", AddressClass::Private},
    {"192.168.0.0/16", AddressClass::Private},
    {"169.254.0.0/16", AddressClass::LinkLocal},
    {"100.64.0.0/10", AddressClass::CarrierGrade},
    {"192.0.2.0/24", AddressClass::Documentation},
    {"198.51.100.0/24", AddressClass::Documentation},
    {"203.0.113.0/24", AddressClass::Documentation},
    {"224.0.0.0/4", AddressClass::Multicast},
    {"255.255.255.255", AddressClass::Multicast},
    {"::/128", AddressClass::Unspecified},
    {"::1/128", AddressClass::Loopback},
    {"fe80::/10", AddressClass::LinkLocal},
    {"fc00::/7", AddressClass::UniqueLocal},
    {"2001:db8::/32", AddressClass::Documentation},
    {"ff00::/8", AddressClass::Multicast},
};

struct ParsedClass {
    Prefix prefix;
    AddressClass address_class;
};

const std::vector<ParsedClass>& parsed_classes() {
    static const std::vector<ParsedClass> classes = [] {
        std::vector<ParsedClass> out;
        for (const auto& entry : kClasses)
            out.push_back({*parse_prefix(entry.text), entry.address_class});
        return out;
    }();
    return classes;
}

bool equals_ignoring_case(std::string_view left, std::string_view right) {
    return std::ranges::equal(left, right, [](char a, char b) {
        const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
        return lower(a) == lower(b);
    });
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
    if (text.size() > 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
    if (const auto zone = text.find('%'); zone != std::string_view::npos) text = text.substr(0, zone);
    char buffer[INET6_ADDRSTRLEN + 1];
    if (!copy_terminated(text, buffer)) return std::nullopt;
    Address address;
    if (text.find(':') == std::string_view::npos) {
        if (text.front() < '0' || text.front() > '9') return std::nullopt;
        address.v4 = true;
        address.bytes[10] = address.bytes[11] = 0xff;
        if (inet_pton(AF_INET, buffer, &address.bytes[12]) != 1) return std::nullopt;
        return address;
    }
    if (inet_pton(AF_INET6, buffer, address.bytes.data()) != 1) return std::nullopt;
    static constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    address.v4 = std::memcmp(address.bytes.data(), kMapped, sizeof kMapped) == 0;
    return address;
}

namespace {

/// As C reads an integer: 0x… is hexadecimal, 0… octal.
std::optional<std::uint64_t> parse_c_number(std::string_view digits) {
    int base = 10;
    if (digits.starts_with("0x") || digits.starts_with("0X")) {
        base = 16;
        digits.remove_prefix(2);
    } else if (digits.size() > 1 && digits.front() == '0') {
        base = 8;
    }
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return value;
}

}  // namespace

std::optional<IpAddress> parse_typed_address(std::string_view text) {
    std::array<std::uint64_t, 4> parts{};
    std::size_t count = 0;
    for (bool more = true; more; ++count) {
        const auto dot = text.find('.');
        const auto part = parse_c_number(text.substr(0, dot));
        if (!part || count == parts.size()) return std::nullopt;
        parts[count] = *part;
        more = dot != std::string_view::npos;
        if (more) text.remove_prefix(dot + 1);
    }
    auto value = parts[count - 1];
    if (value >> (8 * (5 - count)) != 0) return std::nullopt;
    for (std::size_t i = 0; i + 1 < count; ++i) {
        if (parts[i] > 255) return std::nullopt;
        value |= parts[i] << (24 - 8 * i);
    }
    IpAddress address;
    for (std::size_t i = 0; i < 4; ++i)
        address.bytes[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
    return address;
}

std::optional<Prefix> parse_prefix(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = parse_address(text.substr(0, slash));
    if (!address) return std::nullopt;
    const unsigned width = address->v4 ? 32 : 128;
    unsigned bits = width;
    if (slash != std::string_view::npos) {
        const auto digits = text.substr(slash + 1);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
        if (error != std::errc{} || end != digits.data() + digits.size() || bits > width) return std::nullopt;
    }
    return Prefix{*address, static_cast<std::uint8_t>(128 - width + bits)};
}

bool Prefix::contains(const Address& other) const {
    if (other.v4 != address.v4) return false;
    const std::size_t whole = bits / 8;
    if (std::memcmp(address.bytes.data(), other.bytes.data(), whole) != 0) return false;
    const unsigned rest = bits % 8;
    if (rest == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
    return (address.bytes[whole] & mask) == (other.bytes[whole] & mask);
}

std::string_view to_string(AddressClass address_class) {
    switch (address_class) {
        case AddressClass::Unspecified:
            return "unspecified";
        case AddressClass::Loopback:
            return "loopback";
        case AddressClass::LinkLocal:
            return "link-local";
        case AddressClass::Private:
            return "private";
        case AddressClass::CarrierGrade:
            return "carrier-grade";
        case AddressClass::UniqueLocal:
            return "unique-local";
        case AddressClass::Multicast:
            return "multicast";
        case AddressClass::Documentation:
            return "documentation";
        case AddressClass::External:
            return "external";
    }
    return "external";
}

AddressClass classify(const Address& address) {
    for (const auto& entry : parsed_classes()) {
        if (entry.prefix.contains(address)) return entry.address_class;
    }
    return AddressClass::External;
}

bool is_external(std::string_view host, const AddressSettings& settings) {
    if (const auto address = parse_address(host)) {
        const auto address_class = classify(*address);
        return address_class == AddressClass::External ||
               (settings.documentation_is_external && address_class == AddressClass::Documentation);
    }
    while (!host.empty() && host.back() == '.')
        host.remove_suffix(1);
    if (host.find('.') == std::string_view::npos) return false;
    const auto lies_below = [&](std::string_view suffix) {
        if (!suffix.empty() && suffix.front() == '.') suffix.remove_prefix(1);
        if (suffix.empty() || host.size() < suffix.size()) return false;
        const auto tail = host.substr(host.size() - suffix.size());
        return equals_ignoring_case(tail, suffix) &&
               (host.size() == suffix.size() || host[host.size() - suffix.size() - 1] == '.');
    };
    // Names that the public tree never holds: RFC 6762, RFC 8375, RFC 6761; `internal` is ICANN's reservation
    // of 2024.
    static constexpr std::array<std::string_view, 5> kLocal{"local", "home.arpa", "localhost", "localdomain",
                                                            "internal"};
    return std::ranges::none_of(kLocal, lies_below) &&
           std::ranges::none_of(settings.local_suffixes, lies_below);
}

bool is_local_login(std::string_view remote_address) {
    if (remote_address.empty() || remote_address == "?") return true;
    const auto address = parse_address(remote_address);
    if (!address) return false;
    const auto address_class = classify(*address);
    return address_class == AddressClass::Loopback || address_class == AddressClass::Unspecified;
}

}  // namespace fieldwatch::detect
