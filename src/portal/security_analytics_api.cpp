// The analytics model of the published security API: the overview of one solution. spec/alerts.md section 4.
#include <fmt/format.h>

#include "portal/overview.hpp"
#include "portal/security_shapes.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::chrono::hours kListedFrom{24 * 7};  ///< spec/alerts.md section 4, look-back

Json metrics_json(const Json& by_severity) {
    return {{"high", by_severity.value("High", 0)},
            {"medium", by_severity.value("Medium", 0)},
            {"low", by_severity.value("Low", 0)}};
}

Json days_json(const Json& daily) {
    Json out = Json::array();
    for (const auto& day : daily)
        out.push_back(
            {{"date", day.value("date", "") + "T00:00:00Z"}, {"devicesMetrics", metrics_json(day)}});
    return out;
}

Result<Json> prevalent_alerts(const Solution& solution, Timestamp now) {
    const auto table = FIELDWATCH_TRY(
        ask(*solution.scope.workspace,
            solution.alerts(now - kListedFrom) +
                " | where Status !in (\"Dismissed\", \"Resolved\") and AlertSeverity != \"Informational\" "
                "| summarize Alerts = count() by DisplayName, AlertSeverity "
                "| order by Alerts desc, DisplayName asc | take 3",
            3));
    Json out = Json::array();
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const Row row(table, i);
        out.push_back({{"alertDisplayName", row.text("DisplayName")},
                       {"reportedSeverity", row.text("AlertSeverity")},
                       {"alertsCount", row.number("Alerts")}});
    }
    return out;
}

Result<Json> prevalent_recommendations(const Solution& solution, Timestamp now) {
    const auto table = FIELDWATCH_TRY(
        ask(*solution.scope.workspace,
            solution.recommendations(now - kListedFrom) +
                " | where RecommendationState == \"Active\" and isnotempty(DeviceId) | summarize Devices = "
                "dcount(DeviceId) by RecommendationDisplayName, RecommendationSeverity "
                "| order by Devices desc, RecommendationDisplayName asc | take 3",
            3));
    Json out = Json::array();
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const Row row(table, i);
        out.push_back({{"recommendationDisplayName", row.text("RecommendationDisplayName")},
                       {"reportedSeverity", row.text("RecommendationSeverity")},
                       {"devicesCount", row.number("Devices")}});
    }
    return out;
}

Result<Json> analytics_json(const Context& context, const Solution& solution) {
    const auto overview = FIELDWATCH_TRY(overview_json(context, solution.scope));
    const auto now = context.parts.clock.now();
    Json properties{{"metrics", metrics_json(overview["openAlerts"])},
                    {"unhealthyDeviceCount", overview["devices"]["unhealthy"]},
                    {"devicesMetrics", days_json(overview["daily"])},
                    {"topAlertedDevices", overview["topDevices"]}};
    properties["mostPrevalentDeviceAlerts"] = FIELDWATCH_TRY(prevalent_alerts(solution, now));
    properties["mostPrevalentDeviceRecommendations"] =
        FIELDWATCH_TRY(prevalent_recommendations(solution, now));
    return resource_json(solution.id + "/analyticsModels", "iotSecuritySolutionAnalyticsModels", "default",
                         std::move(properties));
}

Answer get_analytics(const Context& context, const Call& call) {
    const auto solution = FIELDWATCH_TRY(solution_of(context, call));
    return json_reply(200, FIELDWATCH_TRY(analytics_json(context, solution)));
}

Answer list_analytics(const Context& context, const Call& call) {
    const auto solution = FIELDWATCH_TRY(solution_of(context, call));
    Json list = Json::array({FIELDWATCH_TRY(analytics_json(context, solution))});
    return json_reply(200, {{"value", std::move(list)}, {"nextLink", nullptr}});
}

}  // namespace

std::vector<Route> security_analytics_routes() {
    static const auto kModels = std::string(kSolutions) + "/{hub}/analyticsModels";
    static const auto kDefault = kModels + "/default";
    return {{"GET", kModels, Role::Reader, list_analytics}, {"GET", kDefault, Role::Reader, get_analytics}};
}

}  // namespace fieldwatch::portal
