#include "detect/intel/indicator_value.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "base/text.hpp"
#include "detect/intel/address_range.hpp"
#include "detect/intel/domain_name.hpp"
#include "detect/intel/refang.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::size_t kValueBytesMax = 4'096;
/// A path alone is on harmless servers too: below the usual least confidence.
constexpr int kPathConfidence = 40;

bool is_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    });
}

bool is_graphic(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > ' '; });
}

std::optional<IndicatorType> hash_type(std::string_view value) {
    if (!is_hex(value)) return std::nullopt;
    if (value.size() == 64) return IndicatorType::Sha256;
    if (value.size() == 40) return IndicatorType::Sha1;
    if (value.size() == 32) return IndicatorType::Md5;
    return std::nullopt;
}

bool is_port(std::string_view text) {
    return !text.empty() && text.size() <= 5 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Indicator indicator(IndicatorType type, std::string_view value) {
    Indicator out;
    out.type = type;
    out.value = value;
    return out;
}

/// `sha256:…`, `MD5=…`: the digits behind the name.
std::string_view without_hash_name(std::string_view value) {
    const auto cut = value.find_first_of(":=");
    if (cut > 8) return value;  // there is none, or what is before it is longer than a name
    const auto name = lower(value.substr(0, cut));
    for (const std::string_view known : {"md5", "sha1", "sha-1", "sha256", "sha-256", "hash"}) {
        if (name == known) return value.substr(cut + 1);
    }
    return value;
}

/// An address of IPv6 that only wraps one of IPv4 is that one: connections are looked up so too. A network of
/// more than a sixty-fourth of all addresses is a slip of the list, and would make everything a hit.
std::optional<Indicator> address_indicator(IpPrefix prefix, std::string_view value) {
    constexpr unsigned kLengthMin4 = 6, kLengthMin6 = 12;
    std::string text(value);
    if (const auto inner = prefix.address.unmapped();
        inner.is_v4 && !prefix.address.is_v4 && prefix.length >= 96) {
        prefix = {inner, static_cast<std::uint8_t>(prefix.length - 96)};
        text = inner.text() + "/" + std::to_string(prefix.length);
    }
    const bool is_v4 = prefix.address.is_v4;
    if (prefix.length < (is_v4 ? kLengthMin4 : kLengthMin6)) return std::nullopt;
    const bool whole = prefix.length == (is_v4 ? 32 : 128);
    const auto type = !whole ? IndicatorType::Cidr : is_v4 ? IndicatorType::Ipv4 : IndicatorType::Ipv6;
    return indicator(type, whole ? std::string_view(text).substr(0, text.find('/')) : text);
}

/// `tcp://host:port` names a place to talk to, not a document.
bool is_service_url(std::string_view value) {
    const auto cut = value.find("://");
    if (cut == value.npos || value.find('/', cut + 3) != value.npos) return false;
    const auto scheme = lower(value.substr(0, cut));
    for (const std::string_view known : {"tcp", "udp", "ssl", "tls", "ssh", "telnet", "mqtt", "mqtts", "irc",
                                         "ircs", "stratum", "stratum+tcp", "stratum+ssl", "socks5"}) {
        if (scheme == known) return true;
    }
    return false;
}

/// `address:port`, `[address]:port`, `host`, `host:port`, and with a path behind it a URL.
std::optional<Indicator> host_indicator(std::string_view value) {
    if (value.starts_with('[')) {
        const auto end = value.find(']');
        const auto address = fieldwatch::parse_prefix(value.substr(1, end == value.npos ? 0 : end - 1));
        return address ? address_indicator(*address, address->address.text()) : std::nullopt;
    }
    const auto host = value.substr(0, value.find('/'));
    const auto colon = host.find_last_of(":|");
    const auto name = colon != host.npos && is_port(host.substr(colon + 1)) ? host.substr(0, colon) : host;
    const auto address = parse_ip(name);
    const auto ascii = address ? std::string(name) : ascii_name(name).value_or("");
    if (!address && !is_domain(ascii)) return std::nullopt;
    const auto path = value.substr(std::min(value.size(), host.size() + 1));
    const bool is_length = path.find_first_not_of("0123456789") == path.npos;
    if (!path.empty() && address && is_length) return std::nullopt;  // of no prefix that there is
    if (!path.empty()) return indicator(IndicatorType::Url, value);
    return address ? address_indicator({*address, static_cast<std::uint8_t>(address->is_v4 ? 32 : 128)}, name)
                   : std::optional(indicator(IndicatorType::Domain, ascii));
}

/// Where hosts files send names, and this machine itself: talking there says nothing.
bool is_of_nowhere(const Indicator& indicator) {
    if (indicator.type != IndicatorType::Ipv4 && indicator.type != IndicatorType::Ipv6) return false;
    const auto address = parse_ip(indicator.value);
    return address && (address->is_loopback() || address->is_unspecified());
}

}  // namespace

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

std::optional<Indicator> classify_value(std::string_view given) {
    if (given.empty() || given.size() > kValueBytesMax) return std::nullopt;
    const auto text = refanged(given);
    std::string_view value = text;
    if (value.empty() || !is_graphic(value)) return std::nullopt;
    if (const auto hash = without_hash_name(value); const auto type = hash_type(hash))
        return indicator(*type, hash);
    if (const auto prefix = fieldwatch::parse_prefix(value)) return address_indicator(*prefix, value);
    if (is_service_url(value)) value = value.substr(value.find("://") + 3);
    if (const auto scheme = value.find("://"); scheme != value.npos)
        return scheme > 0 && scheme + 3 < value.size() ? std::optional(indicator(IndicatorType::Url, value))
                                                       : std::nullopt;
    if (value.starts_with("||")) value = value.substr(2, value.find_first_of("^/$", 2) - 2);
    if (value.starts_with("*.")) value.remove_prefix(2);
    if (value.starts_with('.')) value.remove_prefix(1);
    if (value.ends_with('.')) value.remove_suffix(1);
    if (value.starts_with('/')) {
        // A short path is on every other server too.
        if (value.size() < 5) return std::nullopt;
        return indicator(IndicatorType::UrlPath, value);
    }
    return host_indicator(value);
}

bool append_indicators(std::string_view value, const Indicator& about, IndicatorFile& out) {
    const auto append = [&](Indicator found) {
        if (is_of_nowhere(found)) {
            ++out.skipped;
            return;
        }
        auto& added = out.indicators.emplace_back(about);
        added.type = found.type;
        added.value = std::move(found.value);
        if (added.type == IndicatorType::UrlPath)
            added.confidence = std::min(about.confidence, kPathConfidence);
    };
    if (auto found = classify_value(value)) {
        append(std::move(*found));
        return true;
    }
    auto parts = address_range(trimmed(value));
    if (const auto bar = value.rfind('|'); parts.empty() && bar != value.npos) {
        // MISP's `filename|hash` and `domain|ip`.
        const auto last = classify_value(value.substr(bar + 1));
        if (!last) return false;
        parts.emplace_back(value.substr(bar + 1));
        if (hash_type(last->value) == std::nullopt) parts.emplace_back(value.substr(0, bar));
    }
    bool any = false;
    for (const auto& part : parts) {
        auto found = classify_value(part);
        any = any || found.has_value();
        if (found) append(std::move(*found));
    }
    return any;
}

std::optional<Timestamp> parse_indicator_time(std::string_view given) {
    std::string text(trimmed(given));
    for (const std::string_view zone : {" UTC", " GMT", " Z"}) {
        if (text.ends_with(zone)) text.resize(text.size() - zone.size());
    }
    std::int64_t number = 0;
    const auto* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    if (read.ec == std::errc{} && read.ptr == end && text.front() != '-') {
        if (text.size() == 8) text = text.substr(0, 4) + "-" + text.substr(4, 2) + "-" + text.substr(6);
        if (text.size() == 9 || text.size() == 10) {
            if (text.find('-') == text.npos) return Timestamp::from_unix_seconds(number);
        } else if (text.size() == 13) {
            return Timestamp::from_unix_seconds(number / 1'000);
        } else {
            return std::nullopt;
        }
    }
    if (text.size() >= 10 && text[4] == '/' && text[7] == '/') text[4] = text[7] = '-';
    if (text.size() == 10) text += "T00:00:00Z";
    if (text.size() == 16 && text[13] == ':') text += ":00";  // no seconds
    if (text.size() == 17 && text.ends_with('Z')) text.insert(16, ":00");
    const auto time = parse_iso8601(text);
    return time ? std::optional(time->time) : std::nullopt;
}

std::string clean_text(std::string_view text, std::size_t bytes_max) {
    auto end = std::min(text.size(), bytes_max);
    while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
        --end;  // not in the middle of a character
    std::string out(text.substr(0, end));
    if (is_utf8(out)) return out;
    std::replace_if(
        out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
    return out;
}

std::optional<int> parse_confidence(std::string_view given) {
    auto text = trimmed(given, " \t\r\n\"%");
    double value = 0;
    const auto* const end = text.data() + text.size();
    if (const auto read = std::from_chars(text.data(), end, value); read.ec == std::errc{} && read.ptr == end)
        return value >= 0 && value <= 100 ? std::optional(static_cast<int>(value)) : std::nullopt;
    const auto word = lower(text);
    if (word == "none") return 0;
    if (word == "low") return 15;
    if (word == "medium" || word == "moderate" || word == "med") return 50;
    if (word == "high") return 85;
    if (word == "certain" || word == "confirmed") return 100;
    return std::nullopt;
}

}  // namespace fieldwatch::detect
