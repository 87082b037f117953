// Alerts: the list, one with the rows that are its evidence, a person's decisions.
#include <algorithm>

#include <fmt/format.h>

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
    return {{"id", row.text("SystemAlertId")},
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
                        "{} | top 1 by TimeGenerated desc",
                        parsed->text(), kql_string("/iothubs/" + scope.hub.name.value)),
            1));
    if (table.rows.empty()) {
        return fail(Errc::NotFound, fmt::format("hub {} has no alert {}", scope.hub.name.value, id));
    }
    return table;
}

/// The rows behind an alert: what the device reported between its first and last contributing event. Rows
/// that carry the alert's own command line come first.
Result<Json> evidence(const Scope& scope, const Row& alert) {
    const auto start = parse_iso8601(alert.text("StartTime"));
    const auto end = parse_iso8601(alert.text("EndTime"));
    if (!start || !end) return Json::array();
    const bool of_hub = alert.text("ProductComponentName") == "IoT Hub";
    const auto device = kql_string(alert.text("CompromisedEntity"));
    const auto window = fmt::format("between ({} .. {})", kql_datetime(start->time - std::chrono::seconds(1)),
                                    kql_datetime(end->time + std::chrono::seconds(1)));
    const auto text =
        of_hub
            ? fmt::format(
                  "AzureDiagnostics | where TimeGenerated {} and Category == \"Connections\" | extend "
                  "DeviceId=tostring(parse_json(properties_s).deviceId) | where DeviceId == {} or Resource "
                  "=~ {} | project Time=TimeGenerated, Name=OperationName, Details=properties_s | order by "
                  "Time asc | take 200",
                  window, device, device)
            : fmt::format(
                  "SecurityIoTRawEvent | where DeviceId == {} and TimeStamp {} and IsEmpty == false | "
                  "project Time=TimeStamp, Name=RawEventName, Details=EventDetails | order by Time asc | "
                  "take 200",
                  device, window);
    const auto table = FIELDWATCH_TRY(ask(*scope.workspace, text, 200));
    const auto extended = alert.parsed_json("ExtendedProperties");
    std::string command;
    if (extended.is_object()) {
        const auto found = extended.find("CommandLine");
        if (found != extended.end() && found->is_string()) command = found->get<std::string>();
    }
    std::vector<Json> rows;
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const Row row(table, i);
        rows.push_back({{"time", row.text("Time")},
                        {"name", row.text("Name")},
                        {"details", row.parsed_json("Details")}});
    }
    std::ranges::stable_partition(rows, [&](const Json& row) {
        return !command.empty() && row["details"].is_object() &&
               row["details"].value("CommandLine", Json()) == command;
    });
    if (rows.size() > kEvidenceMax) rows.resize(kEvidenceMax);
    return Json(std::move(rows));
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

/// A decision is an event in the device's own partition: the pipeline turns it into the alert's next row.
Answer decide(const Context& context, const Call& call, std::string_view status) {
    const auto scope = FIELDWATCH_TRY(scope_of(context, call));
    const auto table = FIELDWATCH_TRY(find_alert(scope, call.names[0]));
    const Row row(table, 0);
    model::Record record;
    record.kind = model::RecordKind::AlertState;
    record.received = context.parts.clock.now();
    record.sender = {.hub = scope.hub.name, .device = {row.text("CompromisedEntity")}};
    record.body =
        Json{{"alertId", row.text("SystemAlertId")}, {"status", status}, {"by", call.who.name}}.dump();
    FIELDWATCH_TRY(context.parts.registry.publish(record));
    return json_reply(202, {{"id", row.text("SystemAlertId")}, {"status", status}});
}

Answer dismiss_alert(const Context& context, const Call& call) {
    return decide(context, call, "Dismissed");
}

Answer set_alert_status(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"status"}));
    std::string status;
    FIELDWATCH_TRY(read_member(body, "status", status));
    if (status != "InProgress" && status != "Resolved" && status != "Dismissed") {
        return not_among("status", status, {"InProgress", "Resolved", "Dismissed"});
    }
    return decide(context, call, status);
}

}  // namespace

std::vector<Route> alert_routes() {
    return {{"GET", "/api/v1/alerts", Role::Reader, list_alerts},
            {"GET", "/api/v1/alerts/{id}", Role::Reader, get_alert},
            {"POST", "/api/v1/alerts/{id}/dismiss", Role::Operator, dismiss_alert},
            {"PATCH", "/api/v1/alerts/{id}", Role::Operator, set_alert_status}};
}

}  // namespace fieldwatch::portal
