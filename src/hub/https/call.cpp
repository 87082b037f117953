#include "hub/https/call.hpp"

#include <array>
#include <charconv>

#include "base/uuid.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::size_t kBodyDepthMax = 64;

struct Name {
    int code;
    std::string_view name;
};
constexpr std::array kNames = {Name{400001, "InvalidProtocolVersion"},
                               Name{400003, "InvalidOperation"},
                               Name{400004, "ArgumentInvalid"},
                               Name{400006, "IotHubFormatError"},
                               Name{400013, "BulkRegistryOperationFailure"},
                               Name{401002, "IotHubUnauthorizedAccess"},
                               Name{401003, "IotHubUnauthorized"},
                               Name{403002, "IotHubQuotaExceeded"},
                               Name{403004, "DeviceMaximumQueueDepthExceeded"},
                               Name{403006, "DeviceMaximumActiveFileUploadLimitExceeded"},
                               Name{403012, "DeviceDisabled"},
                               Name{404001, "DeviceNotFound"},
                               Name{404002, "IotHubNotFound"},
                               Name{404010, "ModuleNotFound"},
                               Name{404103, "DeviceNotOnline"},
                               Name{404301, "ConfigurationNotFound"},
                               Name{404305, "JobNotFound"},
                               Name{409001, "DeviceAlreadyExists"},
                               Name{409301, "ModuleAlreadyExistsOnDevice"},
                               Name{412001, "PreconditionFailed"},
                               Name{412002, "DeviceMessageLockLost"},
                               Name{413001, "MessageTooLarge"},
                               Name{429001, "ThrottlingException"},
                               Name{502001, "InvalidDeviceResponse"},
                               Name{503003, "ServiceUnavailable"},
                               Name{504101, "GatewayTimeout"}};

std::string_view name_of(int code) {
    for (const auto& entry : kNames) {
        if (entry.code == code) return entry.name;
    }
    return "ServerError";
}

std::string_view unquoted(std::string_view text) {
    if (text.starts_with("W/")) text.remove_prefix(2);
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
    return text;
}

bool equal_ignoring_case(std::string_view left, std::string_view right) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [&](char a, char b) { return lower(a) == lower(b); });
}

}  // namespace

bool Call::at(std::size_t index, std::string_view word) const {
    return index < path.size() && equal_ignoring_case(path[index], word);
}

net::HttpResponse api_error(int code, std::string_view text) {
    const auto name = std::string(name_of(code));
    const Json body{{"Message", "ErrorCode:" + name + ";" + std::string(text)},
                    {"ExceptionMessage", "Tracking ID:" + Uuid::random(system_random()).text() +
                                             "-TimeStamp:" + to_iso8601(system_clock().now(), 0)}};
    auto response = json_response(code / 1'000, body);
    response.headers.emplace_back("iothub-errorcode", name);
    return response;
}

int error_code(const Error& error, bool module) {
    switch (error.code) {
        case Errc::NotFound:
            return module ? 404010 : 404001;
        case Errc::AlreadyExists:
            return module ? 409301 : 409001;
        case Errc::Conflict:
            return 412001;
        case Errc::TooLarge:
            return 413001;
        case Errc::Malformed:
        case Errc::InvalidArgument:
        case Errc::Unsupported:
            return 400004;
        case Errc::Exhausted:
            return 403002;
        case Errc::Unauthorized:
            return 401003;
        case Errc::Forbidden:
            return 401002;
        default:
            return 500001;
    }
}

net::HttpResponse json_response(int status, const Json& body) {
    return {.status = status,
            .headers = {{"content-type", "application/json; charset=utf-8"}},
            .body = body.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

net::HttpResponse empty_response() {
    return {.status = 204, .headers = {}, .body = {}};
}

Result<Json> parse_body(const Call& call) {
    // The library's parser keeps its own stack on the heap, but what walks the tree later recurses.
    std::size_t deepest = 0, now = 0;
    bool in_text = false;
    for (std::size_t i = 0; i < call.request.body.size(); ++i) {
        const char c = call.request.body[i];
        if (in_text) {
            if (c == '\\') ++i;
            if (c == '"') in_text = false;
        } else if (c == '"') {
            in_text = true;
        } else if (c == '{' || c == '[') {
            deepest = std::max(deepest, ++now);
        } else if ((c == '}' || c == ']') && now > 0) {
            --now;
        }
    }
    if (deepest > kBodyDepthMax) return fail(Errc::Malformed, "the body is nested over 64 levels deep");
    auto json = Json::parse(call.request.body, nullptr, false);
    if (json.is_discarded() || (!json.is_object() && !json.is_array()))
        return fail(Errc::Malformed, "the body must be JSON");
    return json;
}

std::string identity_etag(std::uint64_t etag) {
    return base64(as_bytes(std::to_string(etag)));
}

std::string twin_etag(std::uint64_t etag) {
    std::array<std::byte, 8> bytes{};
    for (std::size_t i = 0; i < 8; ++i)
        bytes[i] = static_cast<std::byte>(etag >> (56 - 8 * i) & 0xff);
    return base64(bytes);
}

std::optional<std::uint64_t> parse_identity_etag(std::string_view header) {
    const auto text = unquoted(header);
    if (text.empty() || text == "*") return std::nullopt;
    const auto bytes = from_base64(text);
    if (!bytes) return 0;
    const auto digits = as_text(*bytes);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc{} && end == digits.data() + digits.size() ? value : 0;
}

std::optional<std::uint64_t> parse_twin_etag(std::string_view header) {
    const auto text = unquoted(header);
    if (text.empty() || text == "*") return std::nullopt;
    const auto bytes = from_base64(text);
    if (!bytes || bytes->size() != 8) return 0;
    std::uint64_t value = 0;
    for (const auto byte : *bytes)
        value = value << 8 | std::to_integer<std::uint64_t>(byte);
    return value;
}

}  // namespace fieldwatch::hub
