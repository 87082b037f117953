#include "detect/intel/indicator_value.hpp"

#include <algorithm>
#include <charconv>

#include "base/ip_address.hpp"
#include "base/text.hpp"

namespace fieldwatch::detect {

namespace {

bool is_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    });
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

/// A name of at least two labels whose last one has a letter: version numbers are none.
bool is_domain(std::string_view text) {
    if (text.empty() || text.size() > 253 || text.front() == '.' || text.front() == '-') return false;
    const auto dot = text.rfind('.');
    if (dot == text.npos || dot + 1 == text.size() || text.find("..") != text.npos) return false;
    const auto last = text.substr(dot + 1);
    return std::any_of(last.begin(), last.end(), is_letter) &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
           });
}

bool is_graphic(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > ' '; });
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (auto at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
}

/// Reports write `hxxp://evil[.]example` so that nobody follows it by accident.
std::string refanged(std::string_view value) {
    std::string out(value);
    if (out.starts_with("hxxp")) out.replace(0, 4, "http");
    for (const auto* const dot : {"[.]", "(.)", "[dot]", "{.}"})
        replace_all(out, dot, ".");
    replace_all(out, "[:]", ":");
    replace_all(out, "[://]", "://");
    return out;
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

}  // namespace

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

std::optional<Indicator> classify_value(std::string_view given) {
    if (given.empty() || given.size() > 4'096 || !is_graphic(given)) return std::nullopt;
    const auto text = given.find_first_of("[({") != given.npos || given.starts_with("hxxp")
                          ? refanged(given)
                          : std::string(given);
    std::string_view value = text;
    if (const auto type = hash_type(value)) return indicator(*type, value);
    if (const auto prefix = parse_prefix(value)) {
        const bool whole = prefix->length == (prefix->address.is_v4 ? 32 : 128);
        const auto type = !whole                  ? IndicatorType::Cidr
                          : prefix->address.is_v4 ? IndicatorType::Ipv4
                                                  : IndicatorType::Ipv6;
        return indicator(type, whole ? value.substr(0, value.find('/')) : value);
    }
    if (value.find("://") != value.npos) return indicator(IndicatorType::Url, value);
    if (value.starts_with("||")) value = value.substr(2, value.find_first_of("^/", 2) - 2);
    if (value.starts_with("*.")) value.remove_prefix(2);
    if (value.starts_with('.')) value.remove_prefix(1);
    if (value.ends_with('.')) value.remove_suffix(1);
    if (value.starts_with('/')) {
        // A short path is on every other server too.
        if (value.size() < 5) return std::nullopt;
        return indicator(IndicatorType::UrlPath, value);
    }
    if (value.starts_with('[')) {
        const auto end = value.find(']');
        const auto address = value.substr(1, end == value.npos ? 0 : end - 1);
        return parse_ip(address) ? std::optional(indicator(IndicatorType::Ipv6, address)) : std::nullopt;
    }
    const auto host = value.substr(0, value.find('/'));
    const auto colon = host.rfind(':');
    const auto name = colon != host.npos && is_port(host.substr(colon + 1)) ? host.substr(0, colon) : host;
    const bool is_address = parse_ip(name).has_value();
    if (!is_address && !is_domain(name)) return std::nullopt;
    if (host.size() < value.size() && value.size() > host.size() + 1)
        return indicator(IndicatorType::Url, value);
    return indicator(is_address ? IndicatorType::Ipv4 : IndicatorType::Domain, name);
}

std::optional<Timestamp> parse_indicator_time(std::string_view given) {
    std::string text(trimmed(given));
    if (text.ends_with(" UTC")) text.resize(text.size() - 4);
    std::int64_t seconds = 0;
    const auto* const end = text.data() + text.size();
    if (const auto read = std::from_chars(text.data(), end, seconds);
        text.size() >= 9 && text.size() <= 10 && read.ec == std::errc{} && read.ptr == end)
        return Timestamp::from_unix_seconds(seconds);
    if (text.size() == 10) text += "T00:00:00Z";
    const auto time = parse_iso8601(text);
    return time ? std::optional(time->time) : std::nullopt;
}

std::optional<int> parse_confidence(std::string_view text) {
    int value = 0;
    const auto* const end = text.data() + text.size();
    if (const auto read = std::from_chars(text.data(), end, value); read.ec == std::errc{} && read.ptr == end)
        return value >= 0 && value <= 100 ? std::optional(value) : std::nullopt;
    const auto word = lower(text);
    if (word == "low") return 15;
    if (word == "medium" || word == "moderate") return 50;
    if (word == "high") return 85;
    return std::nullopt;
}

}  // namespace fieldwatch::detect
