#include "protocol/sas/connection_string.hpp"

#include <algorithm>

namespace fieldwatch::sas {

Result<ConnectionString> parse_connection_string(std::string_view text) {
    ConnectionString parsed;
    while (!text.empty()) {
        const auto end = std::min(text.find(';'), text.size());
        const auto part = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (part.empty()) continue;
        const auto equals = part.find('=');
        if (equals == std::string_view::npos) {
            return fail(Errc::Malformed, "a part of the connection string has no =");
        }
        const auto name = part.substr(0, equals);
        const auto value = part.substr(equals + 1);
        if (name == "HostName")
            parsed.host_name = value;
        else if (name == "DeviceId")
            parsed.device_id = value;
        else if (name == "ModuleId")
            parsed.module_id = value;
        else if (name == "SharedAccessKey")
            parsed.shared_access_key = value;
        else if (name == "SharedAccessKeyName")
            parsed.shared_access_key_name = value;
        else if (name == "GatewayHostName")
            parsed.gateway_host_name = value;
        else if (name == "x509")
            parsed.x509 = value == "true";
    }
    if (parsed.host_name.empty()) return fail(Errc::Malformed, "the connection string names no HostName");
    return parsed;
}

std::string format(const ConnectionString& connection) {
    std::string text = "HostName=" + connection.host_name;
    const auto add = [&](std::string_view name, const std::string& value) {
        if (value.empty()) return;
        text += ';';
        text += name;
        text += '=';
        text += value;
    };
    add("DeviceId", connection.device_id);
    add("ModuleId", connection.module_id);
    add("SharedAccessKeyName", connection.shared_access_key_name);
    add("SharedAccessKey", connection.shared_access_key);
    add("GatewayHostName", connection.gateway_host_name);
    if (connection.x509) text += ";x509=true";
    return text;
}

}  // namespace fieldwatch::sas
