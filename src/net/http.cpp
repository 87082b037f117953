#include "net/http.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.hpp"

namespace fieldwatch::net {
namespace {

bool has_control_character(std::string_view text) {
    return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::string decode_form(std::string_view text) {
    std::string spaced(text);
    std::ranges::replace(spaced, '+', ' ');
    return percent_decode(spaced);
}

/// JSON string content: our sentences may quote what a peer sent.
std::string escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
            out += c;
        }
    }
    return out;
}

bool equal_ignoring_case(std::string_view left, std::string_view right) {
    return std::ranges::equal(left, right, [](char a, char b) {
        const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
        return lower(a) == lower(b);
    });
}

/// 127.a.b.c in its dotted form; nothing shorter, so that no resolver's fancy form passes.
bool is_loopback_v4(std::string_view host) {
    if (!host.starts_with("127.")) return false;
    return std::ranges::count(host, '.') == 3 &&
           std::ranges::all_of(host, [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

/// Nothing, or what RFC 9110 section 7.2 lets follow the host: a colon and digits.
bool is_port_suffix(std::string_view text) {
    return text.empty() || (text.front() == ':' &&
                            std::ranges::all_of(text.substr(1), [](char c) { return c >= '0' && c <= '9'; }));
}

}  // namespace

std::string_view HttpRequest::header(std::string_view lower_case_name) const {
    for (const auto& [name, value] : headers) {
        if (name == lower_case_name) return value;
    }
    return {};
}

std::optional<std::string_view> HttpRequest::parameter(std::string_view name) const {
    for (const auto& [key, value] : query) {
        if (key == name) return value;
    }
    return std::nullopt;
}

Result<void> read_target(HttpRequest& request) {
    std::string_view rest = request.target;
    if (!rest.starts_with('/')) return fail(Errc::Malformed, "the request target must start with '/'");
    const auto mark = rest.find('?');
    request.path = percent_decode(rest.substr(0, mark));
    if (!is_utf8(request.path) || has_control_character(request.path)) {
        return fail(Errc::Malformed, "the request path must decode to UTF-8 without control characters");
    }
    request.query.clear();
    rest = mark == std::string_view::npos ? std::string_view{} : rest.substr(mark + 1);
    while (!rest.empty()) {
        const auto end = rest.find('&');
        const auto part = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
        if (part.empty()) continue;
        const auto equals = part.find('=');
        auto name = decode_form(part.substr(0, equals));
        auto value = equals == std::string_view::npos ? std::string{} : decode_form(part.substr(equals + 1));
        if (!is_utf8(name) || !is_utf8(value)) {
            return fail(Errc::Malformed, "the request's parameters must decode to UTF-8");
        }
        request.query.emplace_back(std::move(name), std::move(value));
    }
    return {};
}

bool host_is_ours(std::string_view host, const std::vector<std::string>& host_names) {
    std::string_view port;
    if (host.starts_with('[')) {
        const auto close = host.find(']');
        if (close == std::string_view::npos) return false;
        port = host.substr(close + 1);
        host = host.substr(1, close - 1);
    } else {
        const auto colon = std::min(host.rfind(':'), host.size());
        port = host.substr(colon);
        host = host.substr(0, colon);
    }
    if (!is_port_suffix(port)) return false;
    if (equal_ignoring_case(host, "localhost") || host == "::1" || is_loopback_v4(host)) return true;
    return std::ranges::any_of(host_names, [&](const auto& name) { return equal_ignoring_case(host, name); });
}

HttpResponse error_response(int status, std::string_view code, std::string_view message) {
    return {.status = status,
            .headers = {{"content-type", "application/json; charset=utf-8"}},
            .body = fmt::format(R"({{"error":{{"code":"{}","message":"{}"}}}})", escaped(code),
                                escaped(message))};
}

}  // namespace fieldwatch::net
