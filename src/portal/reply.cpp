#include "portal/reply.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace fieldwatch::portal {
namespace {

struct Meaning {
    int status;
    std::string_view code;
};

Meaning meaning_of(Errc code) {
    switch (code) {
        case Errc::Malformed:
        case Errc::InvalidArgument:
            return {400, "BadArgumentError"};
        case Errc::TooLarge:
            return {413, "ContentTooLarge"};
        case Errc::NotFound:
            return {404, "NotFound"};
        case Errc::AlreadyExists:
            return {409, "AlreadyExists"};
        case Errc::Conflict:
            return {412, "PreconditionFailed"};
        case Errc::Unauthorized:
            return {401, "InvalidTokenError"};
        case Errc::Forbidden:
            return {403, "InsufficientAccessError"};
        case Errc::Exhausted:
            return {429, "ThrottledError"};
        case Errc::Unsupported:
            return {400, "Unsupported"};
        case Errc::Unavailable:
            return {503, "ServiceUnavailable"};
        case Errc::Timeout:
            return {504, "GatewayTimeout"};
        case Errc::Io:
        case Errc::Corrupt:
        case Errc::Cancelled:
        case Errc::Internal:
            break;
    }
    return {500, "InternalServerError"};
}

}  // namespace

net::HttpResponse json_reply(int status, const Json& body) {
    return {.status = status,
            .headers = {{"content-type", "application/json; charset=utf-8"}},
            .body = body.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

net::HttpResponse problem(const Error& error) {
    const auto [status, code] = meaning_of(error.code);
    auto reply = json_reply(status, {{"error", {{"code", code}, {"message", error.message}}}});
    if (status == 401) reply.headers.emplace_back("www-authenticate", "Bearer realm=\"fieldwatch\"");
    if (status == 429 || status == 503) reply.headers.emplace_back("retry-after", "1");
    return reply;
}

Result<Json> body_object(const net::HttpRequest& request, std::initializer_list<std::string_view> allowed) {
    if (nests_deeper_than(limits::json_depth, request.body)) {
        return fail(Errc::Malformed, fmt::format("the body nests deeper than {} levels", limits::json_depth));
    }
    auto body = Json::parse(request.body.empty() ? "{}" : request.body, nullptr, false);
    if (body.is_discarded()) return fail(Errc::Malformed, "the body is not JSON in UTF-8");
    if (!body.is_object()) return fail(Errc::Malformed, "the body must be a JSON object");
    for (const auto& [name, value] : body.items()) {
        if (std::ranges::find(allowed, name) == allowed.end()) {
            return fail(Errc::InvalidArgument, fmt::format("\"{}\" is not a member here; allowed are {}",
                                                           name, fmt::join(allowed, ", ")));
        }
    }
    return body;
}

std::string html_text(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

Result<void> read_member(const Json& object, std::string_view name, bool& into) {
    const auto found = object.find(name);
    if (found == object.end()) return {};
    if (!found->is_boolean()) {
        return fail(Errc::InvalidArgument,
                    fmt::format("\"{}\" must be true or false; it is {}", name, found->dump()));
    }
    into = found->get<bool>();
    return {};
}

Result<void> read_member(const Json& object, std::string_view name, std::string& into) {
    const auto found = object.find(name);
    if (found == object.end()) return {};
    if (!found->is_string()) {
        return fail(Errc::InvalidArgument,
                    fmt::format("\"{}\" must be a text; it is {}", name, found->type_name()));
    }
    into = found->get<std::string>();
    return {};
}

std::unexpected<Error> not_among(std::string_view name, std::string_view value,
                                 std::initializer_list<std::string_view> allowed) {
    return fail(Errc::InvalidArgument,
                fmt::format("\"{}\" must be one of {}; it is \"{}\"", name, fmt::join(allowed, ", "), value));
}

Result<std::uint64_t> number_parameter(const net::HttpRequest& request, std::string_view name,
                                       std::uint64_t fallback, std::uint64_t low, std::uint64_t high) {
    const auto text = request.parameter(name);
    if (!text) return fallback;
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc{} || end != text->data() + text->size() || value < low || value > high) {
        return fail(
            Errc::InvalidArgument,
            fmt::format("\"{}\" must be a whole number from {} to {}; it is \"{}\"", name, low, high, *text));
    }
    return value;
}

// Optimistic concurrency: RFC 9110 section 13.1.1; `*` is any.
Result<std::optional<std::uint64_t>> if_match(const net::HttpRequest& request) {
    auto text = request.header("if-match");
    if (text.empty() || text == "*") return std::nullopt;
    if (text.size() > 1 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
    std::uint64_t etag = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), etag);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return fail(Errc::InvalidArgument,
                    fmt::format("If-Match must be an etag this API gave; it is {}", text));
    }
    return etag;
}

}  // namespace fieldwatch::portal
