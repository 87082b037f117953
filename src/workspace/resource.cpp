#include <fmt/format.h>

#include <algorithm>

#include "base/uuid.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::workspace {
namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

/// KQL string literal.
std::string literal(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out += '"';
}

}  // namespace

std::string hub_resource_id(const Options& options, std::string_view hub) {
    return fmt::format("/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Devices/IotHubs/{}",
                       options.subscription_id, options.resource_group, lower(hub));
}

std::string ready_made_query(const Options& options, std::string_view hub, std::string_view alert_name) {
    return fmt::format(
        "SecurityAlert\n"
        "| where tolower(ResourceId) == tolower({})\n"
        "| where tolower(AlertName) == tolower({})\n"
        "| extend DeviceId = tostring(parse_json(ExtendedProperties)[\"DeviceId\"])\n"
        "| project DeviceId, TimeGenerated, DisplayName, AlertSeverity, Description, RemediationSteps, "
        "ExtendedProperties",
        literal(hub_resource_id(options, hub)), literal(alert_name));
}

}  // namespace fieldwatch::workspace
