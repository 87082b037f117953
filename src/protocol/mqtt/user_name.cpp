#include "protocol/mqtt/user_name.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "protocol/api_version.hpp"

namespace fieldwatch::mqtt {

Result<UserName> parse_user_name(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos || slash == 0) {
        return fail(Errc::Malformed, "the MQTT user name does not begin with a host and /");
    }
    UserName parsed;
    parsed.host = text.substr(0, slash);
    auto rest = text.substr(slash + 1);
    const auto query =
        std::min({rest.find("/?"), rest.find("/api-version="), rest.find("/DeviceClientType="), rest.size()});
    auto client_id = rest.substr(0, query);
    if (client_id.ends_with('/')) client_id.remove_suffix(1);
    parsed.client_id = client_id;
    if (parsed.client_id.empty()) return fail(Errc::Malformed, "the MQTT user name has no client id");
    rest.remove_prefix(std::min(query + 1, rest.size()));
    if (rest.starts_with('?')) rest.remove_prefix(1);
    while (!rest.empty()) {
        const auto end = std::min(rest.find('&'), rest.size());
        const auto pair = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        const auto equals = std::min(pair.find('='), pair.size());
        const auto name = pair.substr(0, equals);
        auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())));
        if (name == "api-version")
            parsed.api_version = std::move(value);
        else if (name == "model-id" || name == "digital-twin-model-id")  // the latter of previews
            parsed.model_id = std::move(value);
        else if (name == "DeviceClientType")
            parsed.client_type = std::move(value);
    }
    if (!parsed.api_version.empty() && !is_api_version(parsed.api_version))
        return fail(Errc::Unsupported, "the api-version is no date of a version");
    return parsed;
}

std::string encode_user_name(const UserName& user_name) {
    std::string text = user_name.host + '/' + user_name.client_id + "/?api-version=" + user_name.api_version;
    if (!user_name.model_id.empty()) text += "&model-id=" + percent_encode(user_name.model_id);
    if (!user_name.client_type.empty()) text += "&DeviceClientType=" + percent_encode(user_name.client_type);
    return text;
}

Result<ClientId> parse_client_id(std::string_view text) {
    const auto slash = text.find('/');
    ClientId parsed{.device = text.substr(0, slash)};
    if (slash != std::string_view::npos) {
        parsed.module = text.substr(slash + 1);
        if (parsed.module.empty() || parsed.module.find('/') != std::string_view::npos) {
            return fail(Errc::Malformed, "a client id is {device} or {device}/{module}");
        }
    }
    if (parsed.device.empty()) return fail(Errc::Malformed, "an empty client id");
    return parsed;
}

}  // namespace fieldwatch::mqtt
