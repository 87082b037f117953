// Alerts: the list, and one with the rows that are its evidence.
#include <algorithm>

#include <fmt/format.h>

#include "portal/alert_decisions.hpp"
#include "portal/context.hpp"
#include "portal/reply.hpp"
#include "portal/table_reader.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::size_t kAlertsPageMax = 1'000;
constexpr std::size_t kEvidenceMax = 32;  ///< as many positions as an alert keeps

/// The last row of each alert of a hub, as a KQL fragment; the members of docs/api.md's "alert in a list".
std::string latest_alerts(const registry::Hub& hub, Timestamp since) {
    return fmt::format(
        "SecurityAlert | where TimeGenerated >= {} and ResourceId endswith {} "
        "| summarize arg_max(TimeGenerated, AlertType, DisplayName, AlertSeverity, Status, "
        "CompromisedEntity, "
        "ProductComponentName, Description, StartTime, EndTime, ExtendedProperties) by SystemAlertId",
        kql_datetime(since), kql_string("/iothubs/" + hub.name.value));
}

Json alert_json(const Row& row, const registry::Hub& hub) {
    auto extended = row.parsed_json("ExtendedProperties");
    if (!extended.is_object()) extended = Json::object();
    std::int64_t hits = 1;
    const auto count = extended.find("HitCount");
    if (count != extended.end() && count->is_number_integer()) hits = count->get<std::int64_t>();
    if (count != extended.end() && count->is_string()) hits = std::atoll(count->get<std::string>().c_str());
    const auto incident = extended.value("IncidentId", Json());
    const auto assignee = extended.value("AssignedTo", Json());
    return {{"id", row.text("SystemAlertId")},
            {"incident", incident},
            {"assignedTo", assignee},
            {"type", row.text("AlertType")},
            {"displayName", row.text("DisplayName")},
            {"severity", row.text("AlertSeverity")},
            {"status", row.text("Status")},
            {"hub", hub.name.value},
            {"device", row.text("CompromisedEntity")},
            {"component", row.text("ProductComponentName")},
            {"description", row.text("Description")},
            {"startTime", row.text("StartTime")},
            {"endTime", row.text("EndTime")},
            {"timeGenerated", row.text("TimeGenerated")},
            {"hitCount", hits},
            {"extendedProperties", std::move(extended)}};
}

Result<Timestamp> since_parameter(const Context& context, const Call& call) {
    const auto text = call.request.parameter("since");
    const auto now = context.parts.clock.now();
    if (!text) return now - std::chrono::hours(24 * 30);
    if (text->starts_with('P')) {
        if (const auto span = parse_iso8601_duration(*text)) return now - *span;
    } else if (const auto time = parse_iso8601(*text)) {
        return time->time;
    }
    return fail(Errc::InvalidArgument,
                fmt::format("\"since\" must be an ISO 8601 time or duration (P7D); it is \"{}\"", *text));
}

Result<std::string> status_filter(const net::HttpRequest& request) {
    const auto status = request.parameter("status").value_or("open");
    if (status == "all") return "";
    if (status == "open") return " | where Status !in (\"Dismissed\", \"Resolved\")";
    if (const auto known = model::alert_status_from(status)) {
        return fmt::format(" | where Status == \"{}\"", model::to_string(*known));
    }
    return not_among("status", status, {"open", "all", "New", "InProgress", "Resolved", "Dismissed"});
}

Answer list_alerts(const Context& context, const Call& call) {
    const auto scope = FIELDWATCH_TRY(scope_of(context, call));
    const auto since = FIELDWATCH_TRY(since_parameter(context, call));
    const auto top = FIELDWATCH_TRY(number_parameter(call.request, "top", 100, 1, kAlertsPageMax));
    auto text = latest_alerts(scope.hub, since) + FIELDWATCH_TRY(status_filter(call.request));
    if (const auto severity = call.request.parameter("severity")) {
        if (!model::severity_from(*severity)) {
            return not_among("severity", *severity, {"High", "Medium", "Low", "Informational"});
        }
        text += " | where AlertSeverity == " + kql_string(*severity);
    }
    if (const auto device = call.request.parameter("device")) {
        text += " | where CompromisedEntity == " + kql_string(*device);
    }
    if (const auto incident = call.request.parameter("incident")) {
        if (!Uuid::parse(*incident))
            return fail(Errc::InvalidArgument,
                        fmt::format("\"incident\" must be a UUID; it is \"{}\"", *incident));
        text += " | where tostring(parse_json(ExtendedProperties).IncidentId) == " + kql_string(*incident);
    }
    if (const auto assignee = call.request.parameter("assignee")) {
        constexpr std::string_view kWhose = "tostring(parse_json(ExtendedProperties).AssignedTo)";
        text += assignee->empty() ? fmt::format(" | where isempty({})", kWhose)
                                  : fmt::format(" | where {} == {}", kWhose, kql_string(*assignee));
    }
    if (const auto type = call.request.parameter("type"))
        text += " | where AlertType == " + kql_string(*type);
    text += fmt::format(" | order by StartTime desc, SystemAlertId asc | take {}", top);
    const auto table = FIELDWATCH_TRY(ask(*scope.workspace, std::move(text), top));
    Json alerts = Json::array();
    for (std::size_t i = 0; i < table.rows.size(); ++i)
        alerts.push_back(alert_json(Row(table, i), scope.hub));
    return json_reply(200, {{"value", std::move(alerts)}, {"sequence", context.notifier.sequence()}});
}

/// The newest row of one alert, with every column.
Result<workspace::ResultTable> find_alert(const Scope& scope, std::string_view id) {
    const auto parsed = Uuid::parse(id);
    if (!parsed) {
        return fail(Errc::InvalidArgument, fmt::format("the alert id must be a UUID; it is \"{}\"", id));
    }
    auto table = FIELDWATCH_TRY(
        ask(*scope.workspace,
            fmt::format("SecurityAlert | where SystemAlertId == \"{}\" and ResourceId endswith "
                        "{} | top 1 by TimeGenerated desc | extend Evidence = _Evidence",
                        parsed->text(), kql_string("/iothubs/" + scope.hub.name.value)),
            1));
    if (table.rows.empty()) {
        return fail(Errc::NotFound, fmt::format("hub {} has no alert {}", scope.hub.name.value, id));
    }
    return table;
}

/// `(_Partition == 0 and _Offset == 12 and _Item == 0) or …` of [[0,12,0],…]; "" when there are none.
std::string places_filter(const Json& places) {
    std::string filter;
    if (!places.is_array()) return filter;
    for (std::size_t i = 0; i < std::min(places.size(), kEvidenceMax); ++i) {
        const auto& at = places[i];
        if (!at.is_array() || at.size() != 3) continue;
        if (!std::ranges::all_of(at, [](const Json& part) { return part.is_number_unsigned(); })) continue;
        if (!filter.empty()) filter += " or ";
        filter +=
            fmt::format("(_Partition == {} and _Offset == {} and _Item == {})", at[0].get<std::uint64_t>(),
                        at[1].get<std::uint64_t>(), at[2].get<std::uint64_t>());
    }
    return filter;
}

/// Exactly the rows that the alert's newest state was decided from, as far as they are stored, oldest first.
Result<Json> evidence(const Scope& scope, const Row& alert) {
    Json rows = Json::array();
    const auto filter = places_filter(alert.parsed_json("Evidence"));
    const auto start = parse_iso8601(alert.text("StartTime"));
    const auto decided = parse_iso8601(alert.text("TimeGenerated"));
    if (filter.empty() || !start || !decided) return rows;
    // Rows arrive at or after their event, but for a device's clock; none arrives after the decision.
    const auto window =
        fmt::format("TimeGenerated between ({} .. {})", kql_datetime(start->time - std::chrono::hours(24)),
                    kql_datetime(decided->time + std::chrono::seconds(1)));
    const bool of_hub = alert.text("ProductComponentName") == "IoT Hub";
    const auto tables =
        of_hub ? std::vector<std::string_view>{"AzureDiagnostics", "AzureActivity", "SecurityIoTRawEvent"}
               : std::vector<std::string_view>{"SecurityIoTRawEvent", "AzureDiagnostics"};
    for (const auto& name : tables) {
        const auto columns =
            name == "SecurityIoTRawEvent" ? "Time=TimeStamp, Name=RawEventName, Details=EventDetails"
            : name == "AzureActivity"     ? "Time=TimeGenerated, Name=OperationNameValue, Details=Properties"
                                          : "Time=TimeGenerated, Name=OperationName, Details=properties_s";
        const auto table = FIELDWATCH_TRY(
            ask(*scope.workspace,
                fmt::format("{} | where {} and ({}) | project {} | order by Time asc | take {}", name, window,
                            filter, columns, kEvidenceMax),
                kEvidenceMax));
        for (std::size_t i = 0; i < table.rows.size(); ++i) {
            const Row row(table, i);
            rows.push_back({{"time", row.text("Time")},
                            {"name", row.text("Name")},
                            {"details", row.parsed_json("Details")}});
        }
        if (!rows.empty()) break;
    }
    return rows;
}

Answer get_alert(const Context& context, const Call& call) {
    const auto scope = FIELDWATCH_TRY(scope_of(context, call));
    const auto table = FIELDWATCH_TRY(find_alert(scope, call.names[0]));
    const Row row(table, 0);
    auto reply = alert_json(row, scope.hub);
    reply["entities"] = row.parsed_json("Entities");
    reply["remediationSteps"] = row.parsed_json("RemediationSteps");
    reply["tactics"] = row.text("Tactics");
    reply["techniques"] = row.parsed_json("Techniques");
    reply["subTechniques"] = row.parsed_json("SubTechniques");
    reply["productName"] = row.text("ProductName");
    reply["resourceId"] = row.text("ResourceId");
    reply["extendedLinks"] = row.parsed_json("ExtendedLinks");
    reply["evidence"] = FIELDWATCH_TRY(evidence(scope, row));
    reply["rawEventsStored"] = scope.hub.store_raw_events;
    return json_reply(200, reply);
}

}  // namespace

std::vector<Route> alert_routes() {
    auto routes = alert_decision_routes();
    routes.push_back({"GET", "/api/v1/alerts", Role::Reader, list_alerts});
    routes.push_back({"GET", "/api/v1/alerts/{id}", Role::Reader, get_alert});
    return routes;
}

}  // namespace fieldwatch::portal
