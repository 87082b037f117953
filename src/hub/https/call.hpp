// One HTTPS request to a hub, and how it is answered. Inside src/hub/https.
// Source: spec/iot-hub-protocols.md sections 6 and 7.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hub/core.hpp"
#include "hub/service_access.hpp"
#include "net/http.hpp"
#include "net/web_stream.hpp"

namespace fieldwatch::hub {

using Json = nlohmann::json;
using Answer = Result<net::HttpResponse>;

struct Call {
    net::HttpRequest request;
    std::vector<std::string> path;  ///< decoded segments
    std::optional<net::PeerCertificate> certificate;
    Speaker speaker;  ///< identity and authType as soon as they are known
    net::WebHandlers::Respond respond;
    std::chrono::nanoseconds begun{0};
    ServiceCaller caller;  ///< of a service's call
    model::HubName hub;

    /// Fixed segments compare without case (section 7.1).
    bool at(std::size_t index, std::string_view word) const;
    bool is(std::string_view method) const { return request.method == method; }
    model::Identity identity(std::string_view device, std::string_view module = {}) const {
        return {hub, model::DeviceId{std::string(device)}, model::ModuleId{std::string(module)}};
    }
};

/// HTTP status, name and body of a six-digit code (section 8), as Node's client reads it (trap 18).
net::HttpResponse api_error(int code, std::string_view text);
/// The code that an error of the registry stands for; `module` = what was looked for was one.
int error_code(const Error& error, bool module);
net::HttpResponse json_response(int status, const Json& body);
net::HttpResponse empty_response();  ///< 204

/// A JSON object or array, bounded in depth. Errors: Malformed.
Result<Json> parse_body(const Call& call);

/// Entity tags as text: of identities base64 of the decimal number, of twins base64 of eight big-endian
/// bytes.
std::string identity_etag(std::uint64_t etag);
std::string twin_etag(std::uint64_t etag);
/// `*`, `"*"` and absence are nullopt; what is no tag of that kind is 0, which matches nothing.
std::optional<std::uint64_t> parse_identity_etag(std::string_view header);
std::optional<std::uint64_t> parse_twin_etag(std::string_view header);

}  // namespace fieldwatch::hub
