#include "protocol/sas/token.hpp"

#include <algorithm>
#include <charconv>

#include "base/bytes.hpp"
#include "base/hash.hpp"

namespace fieldwatch::sas {

namespace {

constexpr std::string_view kPrefix = "SharedAccessSignature ";
// Later than this (year 9999) a count of seconds does not fit our time.
constexpr std::int64_t kExpirySecondsMax = 253'402'300'799;

std::string to_sign(std::string_view raw_resource, std::string_view raw_expiry) {
    std::string text(raw_resource);
    text += '\n';
    text += raw_expiry;
    return text;
}

bool take_segment(std::string_view& path, std::string_view name, std::string_view& value) {
    if (!path.starts_with(name)) return false;
    path.remove_prefix(name.size());
    const auto end = std::min(path.find('/'), path.size());
    value = path.substr(0, end);
    path.remove_prefix(end);
    return !value.empty();
}

}  // namespace

Result<Token> parse_token(std::string_view text) {
    if (text.size() > kTokenBytesMax) return fail(Errc::TooLarge, "a shared access signature above 8 KiB");
    if (!text.starts_with(kPrefix)) return fail(Errc::Malformed, "not a shared access signature");
    text.remove_prefix(kPrefix.size());
    Token token;
    while (!text.empty()) {
        const auto end = std::min(text.find('&'), text.size());
        const auto pair = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto equals = pair.find('=');
        if (equals == std::string_view::npos) continue;
        const auto name = pair.substr(0, equals);
        const auto value = pair.substr(equals + 1);
        if (name == "sr")
            token.raw_resource = value;
        else if (name == "se")
            token.raw_expiry = value;
        else if (name == "sig")
            token.signature = percent_decode(value);
        else if (name == "skn")
            token.policy = percent_decode(value);
    }
    if (token.raw_resource.empty() || token.raw_expiry.empty() || token.signature.empty()) {
        return fail(Errc::Malformed, "a shared access signature without sr, se or sig");
    }
    std::int64_t seconds = 0;
    const auto* const last = token.raw_expiry.data() + token.raw_expiry.size();
    const auto [end, error] = std::from_chars(token.raw_expiry.data(), last, seconds);
    if (error != std::errc{} || end != last || seconds < 0 || seconds > kExpirySecondsMax) {
        return fail(Errc::Malformed, "the expiry of a shared access signature is not a count of seconds");
    }
    token.expiry = Timestamp::from_unix_seconds(seconds);
    token.resource = percent_decode(token.raw_resource);
    return token;
}

bool verify(const Token& token, std::string_view key_base64) {
    const auto key = from_base64(key_base64);
    if (!key || key->empty()) return false;
    const auto expected = base64(hmac_sha256(*key, as_bytes(to_sign(token.raw_resource, token.raw_expiry))));
    return equal_constant_time(expected, token.signature);
}

Result<std::string> make_token(const TokenRequest& request) {
    const auto key = from_base64(request.key_base64);
    if (!key || key->empty()) return fail(Errc::InvalidArgument, "a shared access key is base64 text");
    const auto resource = percent_encode(request.resource);
    const auto expiry = std::to_string(request.expiry.unix_seconds());
    const auto signature = base64(hmac_sha256(*key, as_bytes(to_sign(resource, expiry))));
    std::string text(kPrefix);
    text += "sr=" + resource + "&sig=" + percent_encode(signature) + "&se=" + expiry;
    if (!request.policy.empty()) text += "&skn=" + percent_encode(request.policy);
    return text;
}

Result<Resource> parse_resource(std::string_view resource) {
    if (resource.ends_with('/')) resource.remove_suffix(1);
    const auto slash = std::min(resource.find('/'), resource.size());
    Resource parsed{.host = without_port(resource.substr(0, slash))};
    if (parsed.host.empty()) return fail(Errc::Malformed, "a shared access signature for no host");
    auto path = resource.substr(slash);
    if (path.empty()) return parsed;
    const bool has_device = take_segment(path, "/devices/", parsed.device);
    if (has_device && !path.empty() && !take_segment(path, "/modules/", parsed.module)) path = "/";
    if (!has_device || !path.empty()) {
        return fail(Errc::Malformed, "the scope of a shared access signature is no device, module or hub");
    }
    return parsed;
}

std::uint16_t port_of(std::string_view host) {
    const auto name = without_port(host);
    if (name.size() + 1 >= host.size()) return 0;
    const auto digits = host.substr(name.size() + 1);
    std::uint16_t port = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    return problem == std::errc{} && end == digits.data() + digits.size() ? port : 0;
}

std::string_view without_port(std::string_view host) {
    const auto colon = host.rfind(':');
    if (colon == std::string_view::npos || colon + 1 == host.size()) return host;
    // The colons of a bare IPv6 address are no port.
    if (host.find(':') != colon && !host.substr(0, colon).ends_with(']')) return host;
    const auto port = host.substr(colon + 1);
    const bool digits = std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
    return digits ? host.substr(0, colon) : host;
}

bool same_host(std::string_view left, std::string_view right) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [&](char a, char b) { return lower(a) == lower(b); });
}

bool covers(const Resource& scope, std::string_view device, std::string_view module) {
    if (scope.device.empty()) return true;
    return scope.device == device && scope.module == module;
}

}  // namespace fieldwatch::sas
