// Risk: how much trouble each device is in and from what, computed from the rows as they are; and what it
// would be without some of them (docs/decisions/0034-risk.md).
#include <fmt/format.h>

#include "detect/risk/risk.hpp"
#include "portal/context.hpp"
#include "portal/reply.hpp"
#include "portal/table_reader.hpp"

namespace fieldwatch::portal {
namespace {

constexpr int kAlertDays = 60;  ///< eight half-lives of a High alert: nothing is left of what is older
constexpr int kStateDays = 30;  ///< what is active is written again daily
constexpr std::size_t kRowsMax = 10'000;
constexpr std::size_t kRiskPageMax = 1'000, kFixedMax = 200;

std::string alerts_query(const Context& context, const Scope& scope) {
    return fmt::format(
        "SecurityAlert | where TimeGenerated >= {} and ResourceId endswith {} "
        "| summarize arg_max(TimeGenerated, *) by SystemAlertId | where Status != 'Dismissed' "
        "| project Id = SystemAlertId, Type = AlertType, Title = DisplayName, Device = "
        "iff(isempty(CompromisedEntity), {}, CompromisedEntity), Severity = AlertSeverity, Status, At = "
        "EndTime",
        kql_datetime(context.parts.clock.now() - std::chrono::hours(24 * kAlertDays)),
        kql_string("/iothubs/" + scope.hub.name.value), kql_string(scope.hub.name.value));
}

/// What is of the hub itself counts under the hub's name, as its alerts do.
std::string states_query(const Context& context, const Scope& scope) {
    return fmt::format(
        "SecurityRecommendation | where TimeGenerated >= {} and AssessedResourceId endswith {} "
        "| summarize arg_max(TimeGenerated, *) by RecommendationId | where RecommendationState == 'Active' "
        "| project Id = RecommendationId, Type = RecommendationName, Title = RecommendationDisplayName, "
        "Device = iff(isempty(DeviceId), {}, DeviceId), Severity = RecommendationSeverity, Status = "
        "RecommendationState, At = "
        "DiscoveredTimeUTC",
        kql_datetime(context.parts.clock.now() - std::chrono::hours(24 * kStateDays)),
        kql_string("/iothubs/" + scope.hub.name.value), kql_string(scope.hub.name.value));
}

Result<void> add_rows(const Scope& scope, std::string query, const std::optional<std::string>& device,
                      bool alerts, std::vector<detect::RiskRow>& out) {
    if (device) query += " | where Device == " + kql_string(*device);
    const auto table = FIELDWATCH_TRY(ask(*scope.workspace, std::move(query), kRowsMax));
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const Row row(table, i);
        detect::RiskRow one{.id = row.text("Id"),
                            .type = row.text("Type"),
                            .title = row.text("Title"),
                            .device = row.text("Device")};
        one.kind = alerts ? detect::RiskKind::Alert : detect::risk_kind_of_recommendation(one.type);
        one.severity = model::severity_from(row.text("Severity")).value_or(model::Severity::Low);
        one.resolved = alerts && row.text("Status") == "Resolved";
        if (const auto at = parse_iso8601(row.text("At"))) one.at = at->time;
        out.push_back(std::move(one));
    }
    return {};
}

Json device_json(const detect::DeviceRisk& device) {
    Json points = Json::array();
    for (const auto& point : device.points) {
        points.push_back({{"kind", detect::to_string(point.row.kind)},
                          {"id", point.row.id},
                          {"type", point.row.type},
                          {"title", point.row.title},
                          {"severity", model::to_string(point.row.severity)},
                          {"at", to_iso8601(point.row.at)},
                          {"resolved", point.row.resolved},
                          {"points", point.points},
                          {"without", point.without}});
    }
    return {{"device", device.device},
            {"risk", device.risk},
            {"dayBefore", device.day_before},
            {"points", std::move(points)}};
}

/// `without`: ids of alerts and recommendations, joined by commas, that count as gone.
Result<std::vector<std::string>> fixed_ids(const Call& call) {
    std::vector<std::string> out;
    std::string_view rest = call.request.parameter("without").value_or("");
    while (!rest.empty()) {
        const auto end = std::min(rest.find(','), rest.size());
        if (end > 0) out.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (out.size() > kFixedMax)
            return fail(Errc::InvalidArgument, fmt::format("\"without\" names at most {} ids", kFixedMax));
    }
    return out;
}

Answer get_risk(const Context& context, const Call& call) {
    const auto scope = FIELDWATCH_TRY(scope_of(context, call));
    const auto top = FIELDWATCH_TRY(number_parameter(call.request, "top", 100, 1, kRiskPageMax));
    const auto fixed = FIELDWATCH_TRY(fixed_ids(call));
    std::optional<std::string> device;
    if (const auto asked = call.request.parameter("device")) device = std::string(*asked);
    std::vector<detect::RiskRow> rows;
    FIELDWATCH_TRY(add_rows(scope, alerts_query(context, scope), device, true, rows));
    FIELDWATCH_TRY(add_rows(scope, states_query(context, scope), device, false, rows));
    auto devices = detect::assess_risk(rows, context.parts.clock.now(), fixed);
    const auto fleet = detect::fleet_risk(devices);
    if (devices.size() > top) devices.resize(top);
    Json found = Json::array();
    for (const auto& one : devices)
        found.push_back(device_json(one));
    Json answer{{"value", std::move(found)}, {"sequence", context.notifier.sequence()}};
    if (!device) answer["fleet"] = fleet;
    return json_reply(200, answer);
}

}  // namespace

std::vector<Route> risk_routes() {
    return {{"GET", "/api/v1/risk", Role::Reader, get_risk}};
}

}  // namespace fieldwatch::portal
