// Devices and modules: inventory with what each last said, registration, enabling, connection strings.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "portal/context.hpp"
#include "portal/default_twin.hpp"
#include "portal/reply.hpp"
#include "portal/table_reader.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::chrono::hours kSilentAfter{72};  ///< the "device silent" alert's own bound, spec/alerts.md A35
constexpr std::size_t kDevicesPageMax = 1'000;

std::string_view auth_text(registry::AuthType auth) {
    switch (auth) {
        case registry::AuthType::Sas:
            return "sas";
        case registry::AuthType::X509Thumbprint:
            return "x509-thumbprint";
        case registry::AuthType::X509Ca:
            return "x509-ca";
    }
    return "";
}

Json entry_json(const Context& context, const registry::Entry& entry) {
    Json json{{"deviceId", entry.identity.device.value}};
    if (!entry.identity.module.empty()) json["moduleId"] = entry.identity.module.value;
    json["hub"] = entry.identity.hub.value;
    json["status"] = entry.enabled ? "enabled" : "disabled";
    if (!entry.status_reason.empty()) json["statusReason"] = entry.status_reason;
    json["authentication"] = auth_text(entry.auth);
    json["connectionState"] = context.parts.devices.connected(entry.identity) ? "Connected" : "Disconnected";
    json["created"] = to_iso8601(entry.created);
    json["etag"] = std::to_string(entry.etag);
    return json;
}

constexpr std::size_t kQueuesOfARun = 3;

/// `GUID:NUMBER GUID:NUMBER …` as the agent says it (docs/formats/spool.md); what is malformed is left out.
std::map<std::string, std::int64_t> parse_sequences(std::string_view text) {
    std::map<std::string, std::int64_t> out;
    while (!text.empty() && out.size() < kQueuesOfARun) {
        const auto end = std::min(text.find(' '), text.size());
        const auto part = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto colon = part.find(':');
        std::int64_t number = 0;
        if (colon == std::string_view::npos) continue;
        const auto digits = part.substr(colon + 1);
        const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (error == std::errc{} && stop == digits.data() + digits.size() && number >= 0)
            out.emplace(part.substr(0, colon), number);
    }
    return out;
}

/// What the workspace knows of each device.
struct Activity {
    std::string last_event;
    std::map<std::string, std::int64_t> open_alerts;  ///< by severity
    std::int64_t recommendations = 0;
};
using Activities = std::map<std::string, Activity, std::less<>>;

/// `only` = one device; "" = all of the hub.
Result<Activities> activities(const Context& context, const Scope& scope, std::string_view only) {
    Activities found;
    if (scope.workspace == nullptr) return found;
    const auto resource = kql_string("/iothubs/" + scope.hub.name.value);
    const auto is_device = [&](std::string_view column) {
        return only.empty() ? std::string() : fmt::format(" | where {} == {}", column, kql_string(only));
    };
    const auto since = kql_datetime(context.parts.clock.now() - std::chrono::hours(24 * 30));
    const auto events = FIELDWATCH_TRY(
        ask(*scope.workspace, fmt::format("SecurityIoTRawEvent | where AssociatedResourceId endswith {}{} "
                                          "| summarize LastEvent=max(TimeGenerated) by DeviceId",
                                          resource, is_device("DeviceId"))));
    for (std::size_t i = 0; i < events.rows.size(); ++i) {
        const Row row(events, i);
        found[row.text("DeviceId")].last_event = row.text("LastEvent");
    }
    const auto alerts = FIELDWATCH_TRY(ask(
        *scope.workspace,
        fmt::format(
            "SecurityAlert | where TimeGenerated > {} and ResourceId endswith {}{} "
            "| summarize arg_max(TimeGenerated, Status, AlertSeverity, CompromisedEntity) by SystemAlertId "
            "| where Status !in (\"Dismissed\", \"Resolved\") "
            "| summarize Alerts=count() by CompromisedEntity, AlertSeverity",
            since, resource, is_device("CompromisedEntity"))));
    for (std::size_t i = 0; i < alerts.rows.size(); ++i) {
        const Row row(alerts, i);
        found[row.text("CompromisedEntity")].open_alerts[row.text("AlertSeverity")] = row.number("Alerts");
    }
    const auto states = FIELDWATCH_TRY(
        ask(*scope.workspace,
            fmt::format("SecurityRecommendation | where TimeGenerated > {} and AssessedResourceId "
                        "endswith {}{} | summarize arg_max(TimeGenerated, RecommendationState, "
                        "DeviceId) by RecommendationId | where RecommendationState == \"Active\" "
                        "| summarize Active=count() by DeviceId",
                        since, resource, is_device("DeviceId"))));
    for (std::size_t i = 0; i < states.rows.size(); ++i) {
        const Row row(states, i);
        found[row.text("DeviceId")].recommendations = row.number("Active");
    }
    return found;
}

constexpr std::array<std::string_view, 9> kInventory{
    "agentVersion",   "hostName", "osPlatform", "osDistribution",  "osVersion",
    "osArchitecture", "vendor",   "model",      "lastInformation",
};
using Inventories = std::map<std::string, Json, std::less<>>;

/// What the newest system information of each device says of it; devices that sent none for 30 days are not
/// in it.
Result<Inventories> inventories(const Context& context, const Scope& scope) {
    Inventories found;
    if (scope.workspace == nullptr) return found;
    const auto newest = FIELDWATCH_TRY(
        ask(*scope.workspace,
            fmt::format(
                "SecurityIoTRawEvent | where TimeGenerated > {} and AssociatedResourceId endswith {} "
                "| where RawEventName == \"SystemInformation\" and not(IsEmpty) "
                "| summarize arg_max(TimeGenerated, AgentVersion, EventDetails) by DeviceId "
                "| extend D = parse_json(EventDetails) | extend Extra = parse_json(tostring(D.ExtraDetails)) "
                "| project DeviceId, agentVersion = AgentVersion, hostName = tostring(D.HostName), "
                "osPlatform = tostring(D.OSName), osDistribution = tostring(D.OSVendor), "
                "osVersion = iff(isempty(tostring(Extra.OsDistVersion)), tostring(D.OSVersion), "
                "tostring(Extra.OsDistVersion)), "
                "osArchitecture = tostring(D.OsArchitecture), vendor = tostring(Extra.HardwareVendor), "
                "model = tostring(Extra.HardwareModel), lastInformation = TimeGenerated",
                kql_datetime(context.parts.clock.now() - std::chrono::hours(24 * 30)),
                kql_string("/iothubs/" + scope.hub.name.value))));
    for (std::size_t i = 0; i < newest.rows.size(); ++i) {
        const Row row(newest, i);
        auto& one = found[row.text("DeviceId")] = Json::object();
        for (const auto name : kInventory)
            one[std::string(name)] = row.text(name);
    }
    return found;
}

/// What the numbers of a device's events tell: which should have come and did not, and what the agent found
/// changed in its spool. Nothing where no agent of ours numbers its events.
Result<Json> integrity(const Context& context, const Scope& scope, std::string_view device) {
    if (scope.workspace == nullptr) return Json(nullptr);
    const auto of_device = fmt::format(
        "SecurityIoTRawEvent | where TimeGenerated > {} and AssociatedResourceId endswith {} and DeviceId == "
        "{} "
        "| extend Extra = parse_json(tostring(parse_json(EventDetails).ExtraDetails)) ",
        kql_datetime(context.parts.clock.now() - std::chrono::hours(24 * 30)),
        kql_string("/iothubs/" + scope.hub.name.value), kql_string(device));
    const auto runs = FIELDWATCH_TRY(
        ask(*scope.workspace, of_device +
                                  "| extend Run = tostring(Extra.BootId), Number = tolong(Extra.Sequence) "
                                  "| where isnotempty(Run) and isnotnull(Number) "
                                  "| summarize First = min(Number), Last = max(Number), "
                                  "Seen = dcount(Number, 4) by Run"));
    if (runs.rows.empty()) return Json(nullptr);
    const auto starts = FIELDWATCH_TRY(
        ask(*scope.workspace, of_device + "| where RawEventName == \"Diagnostic\" "
                                          "| extend Previous = tostring(Extra.PreviousSequences), "
                                          "Runs = tostring(Extra.Runs), "
                                          "Breaks = tolong(Extra.SpoolBreaks) | where isnotempty(Previous) "
                                          "| project TimeGenerated, Previous, Runs, Breaks "
                                          "| sort by TimeGenerated asc"));
    std::set<std::string, std::less<>> begun;  // runs whose start lies in the time that is looked at
    for (std::size_t i = 0; i < starts.rows.size(); ++i) {
        const auto text = Row(starts, i).text("Runs");
        const auto named = split(text, ' ');
        for (std::size_t run = 0; run < std::min(named.size(), kQueuesOfARun); ++run)
            begun.emplace(named[run]);
    }
    std::map<std::string, std::int64_t, std::less<>> last;
    std::int64_t missing = 0;
    for (std::size_t i = 0; i < runs.rows.size(); ++i) {
        const Row row(runs, i);
        last[row.text("Run")] = row.number("Last");
        const auto first = begun.contains(row.text("Run")) ? 1 : row.number("First");
        missing += std::max<std::int64_t>(0, row.number("Last") - first + 1 - row.number("Seen"));
    }
    std::int64_t breaks = 0, unknown = 0;
    Json last_break = nullptr;
    for (std::size_t i = 0; i < starts.rows.size(); ++i) {
        const Row row(starts, i);
        breaks += row.number("Breaks");
        if (row.number("Breaks") > 0) last_break = row.text("TimeGenerated");
        const auto previous = parse_sequences(row.text("Previous"));
        unknown += previous.empty();
        for (const auto& [run, number] : previous) {
            const auto came = last.find(run);
            missing += std::max<std::int64_t>(0, number - (came == last.end() ? 0 : came->second));
        }
    }
    return Json{{"missingEvents", missing},
                {"startsWithoutPast", std::max<std::int64_t>(0, unknown - 1)},  // the first has none
                {"spoolBreaks", breaks},
                {"lastSpoolBreak", last_break}};
}

/// spec/portal.md P5: Not installed, Never reported, Reporting, Silent.
std::string_view agent_state(bool has_module, const Activity& activity, Timestamp now) {
    if (activity.last_event.empty()) return has_module ? "NeverReported" : "NotInstalled";
    const auto last = parse_iso8601(activity.last_event);
    return last && now - last->time > kSilentAfter ? "Silent" : "Reporting";
}

Result<Json> device_json(const Context& context, const registry::Entry& entry, const Activities& known) {
    auto json = entry_json(context, entry);
    static const Activity kNothing;
    const auto found = known.find(entry.identity.device.value);
    const auto& activity = found == known.end() ? kNothing : found->second;
    const auto modules =
        FIELDWATCH_TRY(context.parts.registry.modules(entry.identity.hub, entry.identity.device));
    bool has_security_module = false;
    auto& names = json["modules"] = Json::array();
    for (const auto& module : modules) {
        names.push_back(module.identity.module.value);
        has_security_module |= module.identity.module.value == model::kSecurityModule;
        if (context.parts.devices.connected(module.identity)) json["connectionState"] = "Connected";
    }
    json["lastEvent"] = activity.last_event.empty() ? Json(nullptr) : Json(activity.last_event);
    std::int64_t open = 0;
    auto& severities = json["openAlertsBySeverity"] = Json::object();
    for (const auto* severity : {"High", "Medium", "Low", "Informational"}) {
        const auto count = activity.open_alerts.find(severity);
        severities[severity] = count == activity.open_alerts.end() ? 0 : count->second;
        open += severities[severity].get<std::int64_t>();
    }
    json["openAlerts"] = open;
    json["activeRecommendations"] = activity.recommendations;
    json["agentState"] = agent_state(has_security_module, activity, context.parts.clock.now());
    return json;
}

Answer list_devices(const Context& context, const Call& call) {
    const auto scope = FIELDWATCH_TRY(scope_of_hub(context, call.names[0]));
    registry::ListOptions options;
    options.count_max =
        FIELDWATCH_TRY(number_parameter(call.request, "top", kDevicesPageMax, 1, kDevicesPageMax));
    options.after = std::string(call.request.parameter("after").value_or(""));
    const auto include = call.request.parameter("include").value_or("");
    if (!include.empty() && include != "inventory") return not_among("include", include, {"inventory"});
    const auto entries = FIELDWATCH_TRY(context.parts.registry.devices(scope.hub.name, options));
    const auto known = FIELDWATCH_TRY(activities(context, scope, ""));
    const auto inventory = include.empty() ? Inventories{} : FIELDWATCH_TRY(inventories(context, scope));
    Json devices = Json::array();
    for (const auto& entry : entries) {
        auto json = FIELDWATCH_TRY(device_json(context, entry, known));
        if (!include.empty()) {
            const auto found = inventory.find(entry.identity.device.value);
            json["inventory"] = found == inventory.end() ? Json(nullptr) : found->second;
        }
        devices.push_back(std::move(json));
    }
    Json reply{{"value", std::move(devices)}};
    if (entries.size() == options.count_max) reply["after"] = entries.back().identity.device.value;
    return json_reply(200, reply);
}

Result<Json> shown(const Context& context, const registry::Entry& entry) {
    if (!entry.identity.module.empty()) return entry_json(context, entry);
    const auto scope = FIELDWATCH_TRY(scope_of_hub(context, entry.identity.hub.value));
    const auto known = FIELDWATCH_TRY(activities(context, scope, entry.identity.device.value));
    auto json = FIELDWATCH_TRY(device_json(context, entry, known));
    json["integrity"] = FIELDWATCH_TRY(integrity(context, scope, entry.identity.device.value));
    return json;
}

Answer get_entry(const Context& context, const Call& call) {
    const auto identity = FIELDWATCH_TRY(identity_of(call));
    const auto entry = FIELDWATCH_TRY(context.parts.registry.get(identity));
    return json_reply(200, FIELDWATCH_TRY(shown(context, entry)));
}

Answer put_entry(const Context& context, const Call& call) {
    registry::Entry entry;
    entry.identity = FIELDWATCH_TRY(identity_of(call));
    const bool is_module = !entry.identity.module.empty();
    const auto body =
        is_module ? FIELDWATCH_TRY(body_object(call.request, {"authentication", "primaryThumbprint",
                                                              "secondaryThumbprint", "profile"}))
                  : FIELDWATCH_TRY(body_object(
                        call.request, {"authentication", "primaryThumbprint", "secondaryThumbprint"}));
    std::string authentication = "sas";
    FIELDWATCH_TRY(read_member(body, "authentication", authentication));
    if (authentication == "x509-thumbprint")
        entry.auth = registry::AuthType::X509Thumbprint;
    else if (authentication == "x509-ca")
        entry.auth = registry::AuthType::X509Ca;
    else if (authentication != "sas")
        return not_among("authentication", authentication, {"sas", "x509-thumbprint", "x509-ca"});
    FIELDWATCH_TRY(read_member(body, "primaryThumbprint", entry.primary_thumbprint));
    FIELDWATCH_TRY(read_member(body, "secondaryThumbprint", entry.secondary_thumbprint));
    std::string profile = "real-time";
    FIELDWATCH_TRY(read_member(body, "profile", profile));
    const auto agent_profile = agent_profile_from(profile);
    if (!agent_profile) return not_among("profile", profile, {"real-time", "classic"});

    const auto created = FIELDWATCH_TRY(context.parts.registry.create(std::move(entry)));
    if (created.identity.module.value == model::kSecurityModule) {
        FIELDWATCH_TRY(
            context.parts.registry.replace_desired(created.identity, default_desired_json(*agent_profile)));
    }
    return json_reply(201, FIELDWATCH_TRY(shown(context, created)));
}

Answer patch_entry(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"status", "statusReason"}));
    const auto identity = FIELDWATCH_TRY(identity_of(call));
    // Keys are part of an entry: whoever enables a device must not bring back those of before a rotation.
    const auto updated = settled([&]() -> Result<registry::Entry> {
        auto entry = FIELDWATCH_TRY(context.parts.registry.get(identity));
        std::string status = entry.enabled ? "enabled" : "disabled";
        FIELDWATCH_TRY(read_member(body, "status", status));
        if (status != "enabled" && status != "disabled")
            return not_among("status", status, {"enabled", "disabled"});
        FIELDWATCH_TRY(read_member(body, "statusReason", entry.status_reason));
        entry.enabled = status == "enabled";
        return context.parts.registry.update(entry, entry.etag);
    });
    if (!updated) return std::unexpected(updated.error());
    if (!updated->enabled) context.parts.devices.disconnect(identity);
    return json_reply(200, FIELDWATCH_TRY(shown(context, *updated)));
}

Answer delete_entry(const Context& context, const Call& call) {
    const auto identity = FIELDWATCH_TRY(identity_of(call));
    FIELDWATCH_TRY(context.parts.registry.remove(identity));
    context.parts.devices.disconnect(identity);
    return net::HttpResponse{.status = 204};
}

Answer get_connection_string(const Context& context, const Call& call) {
    const auto identity = FIELDWATCH_TRY(identity_of(call));
    const auto hub = FIELDWATCH_TRY(context.parts.registry.hub(identity.hub));
    const auto entry = FIELDWATCH_TRY(context.parts.registry.get(identity));
    const auto host = hub.host_names.substr(0, hub.host_names.find(','));
    auto text = fmt::format("HostName={};DeviceId={}", host.empty() ? context.parts.host_name : host,
                            identity.device.value);
    if (!identity.module.empty()) text += ";ModuleId=" + identity.module.value;
    text += entry.auth == registry::AuthType::Sas ? ";SharedAccessKey=" + entry.keys.primary : ";x509=true";
    return json_reply(200, {{"connectionString", std::move(text)}});
}

constexpr std::string_view kOperations = "DeviceIdentityOperations";

Answer create(const Context& context, const Call& call) {
    return told(context, call, kOperations, "create", put_entry);
}
Answer update(const Context& context, const Call& call) {
    return told(context, call, kOperations, "update", patch_entry);
}
Answer remove(const Context& context, const Call& call) {
    return told(context, call, kOperations, "delete", delete_entry);
}

}  // namespace

std::vector<Route> device_routes() {
    std::vector<Route> routes{{"GET", "/api/v1/hubs/{hub}/devices", Role::Reader, list_devices}};
    for (const std::string_view place :
         {std::string_view("/api/v1/hubs/{hub}/devices/{device}"),
          std::string_view("/api/v1/hubs/{hub}/devices/{device}/modules/{module}")}) {
        routes.push_back({"GET", place, Role::Reader, get_entry});
        routes.push_back({"PUT", place, Role::Administrator, create});
        routes.push_back({"PATCH", place, Role::Operator, update});
        routes.push_back({"DELETE", place, Role::Administrator, remove});
    }
    routes.push_back({"GET", "/api/v1/hubs/{hub}/devices/{device}/connection-string", Role::Administrator,
                      get_connection_string});
    routes.push_back({"GET", "/api/v1/hubs/{hub}/devices/{device}/modules/{module}/connection-string",
                      Role::Administrator, get_connection_string});
    return routes;
}

}  // namespace fieldwatch::portal
