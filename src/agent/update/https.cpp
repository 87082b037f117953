#include "agent/update/https.hpp"

#include <algorithm>
#include <charconv>

#include "base/text.hpp"

namespace fieldwatch::agent {

namespace {

constexpr std::string_view kScheme = "https://";
constexpr std::uint64_t kLengthMax = 1ULL << 40;

std::unexpected<Error> bad_url(const char* why) {
    return fail(Errc::InvalidArgument, std::string("the update's url ") + why);
}

bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

bool read_size(std::string_view text, std::uint64_t& out) {
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && stop == text.data() + text.size() && out <= kLengthMax;
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
    return std::ranges::equal(text, lower, [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
}

/// `bytes BEGIN-END/TOTAL`; whether the length fits is asked later.
bool read_range(std::string_view text, std::uint64_t& begin) {
    constexpr std::string_view kUnit = "bytes ";
    if (!text.starts_with(kUnit)) return false;
    text.remove_prefix(kUnit.size());
    return read_size(text.substr(0, std::min(text.find('-'), text.size())), begin);
}

Result<void> read_field(std::string_view line, AnswerHead& out, bool& has_length) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0)
        return fail(Errc::Malformed, "an HTTP field without name");
    const auto name = line.substr(0, colon);
    const auto value = trimmed(line.substr(colon + 1), " \t");
    if (equals_ignoring_case(name, "content-length")) {
        if (has_length || !read_size(value, out.length)) return fail(Errc::Malformed, "Content-Length");
        has_length = true;
    } else if (equals_ignoring_case(name, "content-range")) {
        if (!read_range(value, out.begin)) return fail(Errc::Malformed, "Content-Range");
    } else if (equals_ignoring_case(name, "transfer-encoding") ||
               equals_ignoring_case(name, "content-encoding")) {
        return fail(Errc::Unsupported, "the update's server must send it as it is, with a Content-Length");
    }
    return {};
}

}  // namespace

Result<HttpsUrl> parse_https_url(std::string_view text) {
    if (text.size() > HttpsUrl::kBytesMax) return bad_url("is too long");
    if (!text.starts_with(kScheme)) return bad_url("must begin with https://");
    if (!std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; }))
        return bad_url("has characters that a URL has not");
    text.remove_prefix(kScheme.size());
    const auto slash = std::min(text.find('/'), text.size());
    HttpsUrl out;
    out.authority = text.substr(0, slash);
    out.target = slash == text.size() ? "/" : std::string(text.substr(slash, text.find('#') - slash));
    auto host = text.substr(0, slash);
    const auto bracket = host.starts_with('[') ? host.find(']') : std::string_view::npos;
    const auto colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon != std::string_view::npos) {
        std::uint64_t port = 0;
        if (!read_size(host.substr(colon + 1), port) || port < 1 || port > 65'535)
            return bad_url("has no port after its colon");
        out.port = static_cast<std::uint16_t>(port);
        host = host.substr(0, colon);
    }
    if (bracket != std::string_view::npos) {
        out.host = host.substr(1, bracket - 1);
        const bool is_address = host.size() == bracket + 1 && std::ranges::all_of(out.host, [](char c) {
                                    return is_host_character(c) || c == ':';
                                });
        if (!is_address || out.host.empty()) return bad_url("names no host");
        return out;
    }
    out.host = host;
    if (out.host.empty() || !std::ranges::all_of(out.host, is_host_character))
        return bad_url("names no host");
    return out;
}

Result<std::optional<AnswerHead>> read_answer_head(std::string_view bytes) {
    const auto end = bytes.substr(0, AnswerHead::kBytesMax).find("\r\n\r\n");
    if (end == std::string_view::npos) {
        if (bytes.size() >= AnswerHead::kBytesMax) return fail(Errc::TooLarge, "the head of an HTTP answer");
        return std::nullopt;
    }
    AnswerHead out{.bytes = end + 4};
    const auto lines = split(bytes.substr(0, end), '\n');
    const auto first = lines[0];
    const bool is_http =
        first.starts_with("HTTP/1.") && first.size() >= 12 && first[8] == ' ' &&
        std::from_chars(first.data() + 9, first.data() + 12, out.status).ptr == first.data() + 12;
    if (!is_http) return fail(Errc::Malformed, "the update's server does not speak HTTP/1.1");
    bool has_length = false;
    for (std::size_t i = 1; i < lines.size(); ++i)
        FIELDWATCH_TRY(read_field(trimmed(lines[i], "\r"), out, has_length));
    if (!has_length && (out.status == 200 || out.status == 206))
        return fail(Errc::Unsupported, "the update's server must send it as it is, with a Content-Length");
    return out;
}

}  // namespace fieldwatch::agent
