// Alerts and alert types of the published security API, and alerts aggregated by type and day.
// spec/alerts.md sections 2 and 4.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "portal/rules.hpp"
#include "portal/security_shapes.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::size_t kTopDevicesShown = 10;
constexpr std::string_view kProvider = "IoTSecurity", kVendor = "Fieldwatch";

Json iot_alert_json(const Row& row, std::string_view place) {
    return resource_json(place, "iotAlerts", row.text("SystemAlertId"),
                         {{"systemAlertId", row.text("SystemAlertId")},
                          {"compromisedEntity", row.text("CompromisedEntity")},
                          {"alertType", row.text("AlertType")},
                          {"startTimeUtc", row.text("StartTime")},
                          {"endTimeUtc", row.text("EndTime")},
                          {"entities", row.parsed_json("Entities")},
                          {"extendedProperties", row.parsed_json("ExtendedProperties")}});
}

/// ` | where StartTime >= …` of a parameter like `startTimeUtc>`: the comparison is part of its name.
Result<std::string> time_filter(const net::HttpRequest& request, std::string_view name,
                                std::string_view comparison) {
    const auto text = request.parameter(name);
    if (!text) return std::string();
    const auto time = parse_iso8601(*text);
    if (!time)
        return fail(Errc::InvalidArgument,
                    fmt::format("\"{}\" must be an ISO 8601 time; it is \"{}\"", name, *text));
    return fmt::format(" | where StartTime {} {}", comparison, kql_datetime(time->time));
}

std::string equality(const net::HttpRequest& request, std::string_view parameter, std::string_view column) {
    const auto value = request.parameter(parameter);
    return value ? fmt::format(" | where {} == {}", column, kql_string(*value)) : std::string();
}

Answer list_iot_alerts(const Context& context, const Call& call) {
    const auto solution = FIELDWATCH_TRY(solution_of(context, call));
    const auto page = FIELDWATCH_TRY(page_of(call.request, "$limit"));
    auto text = solution.alerts(context.parts.clock.now() - kFindingsKept);
    text += FIELDWATCH_TRY(time_filter(call.request, "startTimeUtc>", ">="));
    text += FIELDWATCH_TRY(time_filter(call.request, "startTimeUtc<", "<="));
    text += equality(call.request, "alertType", "AlertType");
    text += equality(call.request, "compromisedEntity", "CompromisedEntity");
    return page_reply(call, solution, page,
                      {.text = std::move(text),
                       .order = "StartTime desc, SystemAlertId asc",
                       .one = [&](const Row& row) { return iot_alert_json(row, call.request.path); }});
}

Answer get_iot_alert(const Context& context, const Call& call) {
    const auto solution = FIELDWATCH_TRY(solution_of(context, call));
    const auto id = Uuid::parse(call.names.back());
    if (!id) return fail(Errc::InvalidArgument, "the name of an alert is a UUID");
    const auto table = FIELDWATCH_TRY(
        ask(*solution.scope.workspace,
            fmt::format("{} | where SystemAlertId == {}",
                        solution.alerts(context.parts.clock.now() - kFindingsKept), kql_string(id->text())),
            1));
    if (table.rows.empty()) return fail(Errc::NotFound, "there is no alert " + id->text());
    return json_reply(200, iot_alert_json(Row(table, 0), last_of_path(call.request.path, 1)));
}

/// The texts of an alert type: of the rules in force, and of what has been raised here.
struct TypeTexts {
    std::string display_name, severity, description, component, intent;
    Json remediation = Json::array();
};
using TypesByName = std::map<std::string, TypeTexts>;

Result<TypesByName> alert_types(const Context& context, const Solution& solution) {
    TypesByName out;
    const auto raised =
        FIELDWATCH_TRY(ask(*solution.scope.workspace,
                           solution.alerts(context.parts.clock.now() - kFindingsKept) +
                               " | summarize arg_max(TimeGenerated, DisplayName, AlertSeverity, Description, "
                               "ProductComponentName, Tactics, RemediationSteps) by AlertType"));
    for (std::size_t i = 0; i < raised.rows.size(); ++i) {
        const Row row(raised, i);
        out[row.text("AlertType")] = {.display_name = row.text("DisplayName"),
                                      .severity = row.text("AlertSeverity"),
                                      .description = row.text("Description"),
                                      .component = row.text("ProductComponentName"),
                                      .intent = row.text("Tactics"),
                                      .remediation = row.parsed_json("RemediationSteps")};
    }
    if (context.parts.rules == nullptr) return out;
    const auto running = FIELDWATCH_TRY(context.parts.rules->running());
    for (const auto& rule : running.content->rules->rules()) {
        if (rule.only_correlated) continue;
        out[rule.alert_type] = {.display_name = rule.display_name,
                                .severity = std::string(model::to_string(rule.severity)),
                                .description = rule.description,
                                .component = rule.component,
                                .intent = rule.intent,
                                .remediation = rule.remediation};
    }
    return out;
}

Json alert_type_json(std::string_view place, const std::string& name, const TypeTexts& texts) {
    return resource_json(place, "iotAlertTypes", name,
                         {{"alertDisplayName", texts.display_name},
                          {"severity", texts.severity},
                          {"description", texts.description},
                          {"providerName", kProvider},
                          {"productName", kVendor},
                          {"productComponentName", texts.component},
                          {"vendorName", kVendor},
                          {"intent", texts.intent.empty() ? "Unknown" : texts.intent},
                          {"remediationSteps", texts.remediation}});
}

Answer list_alert_types(const Context& context, const Call& call) {
    const auto solution = FIELDWATCH_TRY(solution_of(context, call));
    Json list = Json::array();
    for (const auto& [name, texts] : FIELDWATCH_TRY(alert_types(context, solution)))
        list.push_back(alert_type_json(call.request.path, name, texts));
    return json_reply(200, {{"value", std::move(list)}, {"nextLink", nullptr}});
}

Answer get_alert_type(const Context& context, const Call& call) {
    const auto solution = FIELDWATCH_TRY(solution_of(context, call));
    const auto types = FIELDWATCH_TRY(alert_types(context, solution));
    const auto found = types.find(call.names.back());
    if (found == types.end())
        return fail(Errc::NotFound, fmt::format("there is no alert type \"{}\" here", call.names.back()));
    return json_reply(200, alert_type_json(last_of_path(call.request.path, 1), found->first, found->second));
}

/// Alerts that a person did not dismiss, by type and day; `only` narrows what is aggregated.
std::string aggregated(const Solution& solution, Timestamp since, std::string_view only) {
    return fmt::format("{} | where Status != \"Dismissed\"{} | extend Day = startofday(StartTime)",
                       solution.alerts(since), only);
}

/// What one question tells of the devices of each aggregate: most alerts first.
using DevicesByAggregate = std::map<std::string, Json>;
Result<DevicesByAggregate> top_devices(const Solution& solution, const std::string& text) {
    DevicesByAggregate out;
    const auto table = FIELDWATCH_TRY(ask(
        *solution.scope.workspace, text + " | summarize Alerts = count(), Last = max(EndTime) by AlertType, "
                                          "Day, CompromisedEntity "
                                          "| order by Alerts desc, CompromisedEntity asc"));
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const Row row(table, i);
        auto& list = out[row.text("AlertType") + "/" + row.text("Day").substr(0, 10)];
        if (list.is_null()) list = Json::array();
        if (list.size() < kTopDevicesShown)
            list.push_back({{"deviceId", row.text("CompromisedEntity")},
                            {"alertsCount", row.number("Alerts")},
                            {"lastOccurrence", row.text("Last")}});
    }
    return out;
}

/// Runs as it stands at the query API of the hub's workspace.
std::string ready_made_query(const Row& row) {
    return fmt::format(
        "SecurityAlert | where tolower(ResourceId) == tolower({}) and tolower(AlertName) == "
        "tolower({}) | extend DeviceId = tostring(parse_json(ExtendedProperties)[\"DeviceId\"]) "
        "| project DeviceId, TimeGenerated, DisplayName, AlertSeverity, Description, "
        "RemediationSteps, ExtendedProperties",
        kql_string(row.text("ResourceId")), kql_string(row.text("DisplayName")));
}

Json aggregate_json(const Row& row, std::string_view place, const DevicesByAggregate& devices) {
    const auto day = row.text("Day").substr(0, 10);
    const auto name = row.text("AlertType") + "/" + day;
    std::string steps;
    for (const auto& step : row.parsed_json("RemediationSteps")) {
        if (step.is_string()) steps += (steps.empty() ? "" : "\n") + step.get<std::string>();
    }
    const auto found = devices.find(name);
    return resource_json(
        place, "iotSecurityAggregatedAlerts", name,
        {{"alertType", row.text("AlertType")},
         {"alertDisplayName", row.text("DisplayName")},
         {"aggregatedDateUtc", day},
         {"vendorName", kVendor},
         {"reportedSeverity", row.text("AlertSeverity")},
         {"remediationSteps", steps},
         {"description", row.text("Description")},
         {"count", row.number("Alerts")},
         {"effectedResourceType", row.text("ProductComponentName") == "IoT Hub" ? "IoT Hub" : "IoT Device"},
         {"systemSource", "Devices"},
         {"actionTaken", "Detected"},
         {"logAnalyticsQuery", ready_made_query(row)},
         {"topDevicesList", found == devices.end() ? Json::array() : found->second}});
}

constexpr std::string_view kByTypeAndDay =
    " | summarize Alerts = count(), arg_max(TimeGenerated, DisplayName, AlertSeverity, Description, "
    "RemediationSteps, ProductComponentName, ResourceId) by AlertType, Day";

Answer list_aggregated_alerts(const Context& context, const Call& call) {
    const auto solution = FIELDWATCH_TRY(solution_of(context, call));
    const auto page = FIELDWATCH_TRY(page_of(call.request, "$top"));
    const auto text = aggregated(solution, context.parts.clock.now() - kFindingsKept, "");
    const auto devices = FIELDWATCH_TRY(top_devices(solution, text));
    return page_reply(
        call, solution, page,
        {.text = text + std::string(kByTypeAndDay),
         .order = "Day desc, AlertType asc",
         .one = [&](const Row& row) { return aggregate_json(row, call.request.path, devices); }});
}

/// Its name is `TYPE/yyyy-MM-dd`: two segments of the path.
Answer get_aggregated_alert(const Context& context, const Call& call) {
    const auto solution = FIELDWATCH_TRY(solution_of(context, call));
    const auto& type = call.names.at(3);
    const auto day = parse_iso8601(call.names.at(4) + "T00:00:00Z");
    if (!day) return fail(Errc::InvalidArgument, "an aggregated alert is named TYPE/yyyy-MM-dd");
    const auto text = aggregated(
        solution, context.parts.clock.now() - kFindingsKept,
        fmt::format(" | where AlertType == {} and StartTime >= {} and StartTime < {}", kql_string(type),
                    kql_datetime(day->time), kql_datetime(day->time + std::chrono::hours(24))));
    const auto table = FIELDWATCH_TRY(ask(*solution.scope.workspace, text + std::string(kByTypeAndDay), 1));
    if (table.rows.empty())
        return fail(Errc::NotFound, fmt::format("no alert {} began on {}", type, call.names.at(4)));
    const auto devices = FIELDWATCH_TRY(top_devices(solution, text));
    return json_reply(200, aggregate_json(Row(table, 0), last_of_path(call.request.path, 2), devices));
}

/// For good: the alerts of that type that began on that day, and those that are still to come of it. Whatever
/// device they are of: every shard hears of it.
Answer dismiss_aggregated_alert(const Context& context, const Call& call) {
    const auto solution = FIELDWATCH_TRY(solution_of(context, call));
    const auto& type = call.names.at(3);
    const auto day = parse_iso8601(call.names.at(4) + "T00:00:00Z");
    if (!day) return fail(Errc::InvalidArgument, "an aggregated alert is named TYPE/yyyy-MM-dd");
    const auto name = type + "/" + to_iso8601(day->time, 0).substr(0, 10);
    const auto found = FIELDWATCH_TRY(
        ask(*solution.scope.workspace,
            fmt::format("{} | where AlertType == {} and StartTime >= {} and StartTime < {} | take 1",
                        solution.alerts(context.parts.clock.now() - kFindingsKept), kql_string(type),
                        kql_datetime(day->time), kql_datetime(day->time + std::chrono::hours(24))),
            1));
    if (found.rows.empty())
        return fail(Errc::NotFound, fmt::format("no alert {} began on {}", type, call.names.at(4)));
    model::Record record;
    record.kind = model::RecordKind::AlertState;
    record.received = context.parts.clock.now();
    record.sender = {.hub = solution.scope.hub.name};
    record.body = Json{{"aggregate", name}, {"status", "Dismissed"}, {"by", call.who.name}}.dump();
    FIELDWATCH_TRY(context.parts.registry.publish(record));
    call.detail = name;
    return json_reply(200, {{"name", name}, {"status", "Dismissed"}});
}

}  // namespace

std::vector<Route> security_alert_routes() {
    static const auto kBelow = std::string(kSolutions) + "/{hub}";
    static const auto kAlerts = kBelow + "/iotAlerts", kAlert = kAlerts + "/{id}";
    static const auto kTypes = kBelow + "/iotAlertTypes", kType = kTypes + "/{name}";
    static const auto kAggregates = kBelow + "/analyticsModels/default/aggregatedAlerts";
    static const auto kAggregate = kAggregates + "/{type}/{date}", kDismissal = kAggregate + "/dismiss";
    return {{"GET", kAlerts, Role::Reader, list_iot_alerts},
            {"GET", kAlert, Role::Reader, get_iot_alert},
            {"GET", kTypes, Role::Reader, list_alert_types},
            {"GET", kType, Role::Reader, get_alert_type},
            {"GET", kAggregates, Role::Reader, list_aggregated_alerts},
            {"GET", kAggregate, Role::Reader, get_aggregated_alert},
            {"POST", kDismissal, Role::Operator, dismiss_aggregated_alert}};
}

}  // namespace fieldwatch::portal
