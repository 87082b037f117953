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
constexpr std::size_t kVersionsMax = 50'000;
constexpr int kResolvedDays = 14;  ///< of which nothing is left then: a resolved alert halves every day
constexpr std::size_t kRiskPageMax = 1'000, kFixedMax = 200, kHistoryDaysMax = 90;

/// Which versions of the rows are asked for: the newest of each, or the newest of each day.
struct Span {
    int days;
    bool daily = false;
};

std::string newest_by(std::string_view id, const Span& span) {
    return fmt::format("| summarize arg_max(TimeGenerated, *) by {}{} ", id,
                       span.daily ? ", Day = bin(TimeGenerated, 1d)" : "");
}

std::string alerts_query(const Context& context, const Scope& scope, const Span& span) {
    return fmt::format(
        "SecurityAlert | where TimeGenerated >= {} and ResourceId endswith {} {}"
        "| project Id = SystemAlertId, Type = AlertType, Title = DisplayName, Device = "
        "iff(isempty(CompromisedEntity), {}, CompromisedEntity), Severity = AlertSeverity, Status, At = "
        "EndTime, Written = TimeGenerated, Gone = Status == 'Dismissed'",
        kql_datetime(context.parts.clock.now() - std::chrono::hours(24 * span.days)),
        kql_string("/iothubs/" + scope.hub.name.value), newest_by("SystemAlertId", span),
        kql_string(scope.hub.name.value));
}

/// What is of the hub itself counts under the hub's name, as its alerts do.
std::string states_query(const Context& context, const Scope& scope, const Span& span) {
    return fmt::format(
        "SecurityRecommendation | where TimeGenerated >= {} and AssessedResourceId endswith {} {}"
        "| project Id = RecommendationId, Type = RecommendationName, Title = RecommendationDisplayName, "
        "Device = iff(isempty(DeviceId), {}, DeviceId), Severity = RecommendationSeverity, Status = "
        "RecommendationState, At = DiscoveredTimeUTC, Written = TimeGenerated, Gone = RecommendationState != "
        "'Active'",
        kql_datetime(context.parts.clock.now() - std::chrono::hours(24 * span.days)),
        kql_string("/iothubs/" + scope.hub.name.value), newest_by("RecommendationId", span),
        kql_string(scope.hub.name.value));
}

/// A risk without some of its rows is a wrong one. Errors: TooLarge with the remedy.
Result<void> add_versions(const Scope& scope, const std::string& query, bool alerts, std::string_view remedy,
                          std::vector<detect::RiskVersion>& out) {
    const auto table = FIELDWATCH_TRY(ask_whole(*scope.workspace, query, kVersionsMax, remedy));
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
        const auto written = parse_iso8601(row.text("Written"));
        out.push_back({.row = std::move(one),
                       .written = written ? written->time : Timestamp{},
                       .gone = row.flag("Gone")});
    }
    return {};
}

/// The rows as they are now.
Result<std::vector<detect::RiskRow>> present_rows(const Context& context, const Scope& scope,
                                                  const std::string& filter) {
    std::vector<detect::RiskVersion> versions;
    const auto there = filter + " | where not(Gone)";
    const auto remedy = filter.empty() ? "name one \"device\", or resolve or dismiss what is dealt with"
                                       : "resolve or dismiss what is dealt with";
    const auto counts =
        fmt::format(" | where Status != 'Resolved' or At >= {}",
                    kql_datetime(context.parts.clock.now() - std::chrono::hours(24 * kResolvedDays)));
    FIELDWATCH_TRY(add_versions(scope, alerts_query(context, scope, {.days = kAlertDays}) + there + counts,
                                true, remedy, versions));
    FIELDWATCH_TRY(add_versions(scope, states_query(context, scope, {.days = kStateDays}) + there, false,
                                remedy, versions));
    std::vector<detect::RiskRow> out;
    for (auto& version : versions)
        out.push_back(std::move(version.row));
    return out;
}

/// One device's risk day by day.
Result<Json> history_json(const Context& context, const Scope& scope, const std::string& filter, int days) {
    std::vector<detect::RiskVersion> versions;
    constexpr std::string_view kRemedy = "ask for fewer \"days\"";
    FIELDWATCH_TRY(
        add_versions(scope, alerts_query(context, scope, {.days = kAlertDays + days, .daily = true}) + filter,
                     true, kRemedy, versions));
    FIELDWATCH_TRY(
        add_versions(scope, states_query(context, scope, {.days = kStateDays + days, .daily = true}) + filter,
                     false, kRemedy, versions));
    Json out = Json::array();
    for (const auto& one : detect::risk_history(std::move(versions), context.parts.clock.now(), days))
        out.push_back({{"at", to_iso8601(one.at)}, {"risk", one.risk}});
    return out;
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
    const auto days = FIELDWATCH_TRY(number_parameter(call.request, "days", 0, 0, kHistoryDaysMax));
    const auto device = call.request.parameter("device");
    if (days > 0 && !device)
        return fail(Errc::InvalidArgument,
                    "\"days\" tells one device's risk day by day: name the \"device\"");
    const auto filter = device ? " | where Device == " + kql_string(*device) : std::string();
    const auto rows = FIELDWATCH_TRY(present_rows(context, scope, filter));
    auto devices = detect::assess_risk(rows, context.parts.clock.now(), fixed);
    const auto fleet = detect::fleet_risk(devices);
    if (devices.size() > top) devices.resize(top);
    Json found = Json::array();
    for (const auto& one : devices)
        found.push_back(device_json(one));
    Json answer{{"value", std::move(found)}, {"sequence", context.notifier.sequence()}};
    if (!device) answer["fleet"] = fleet;
    if (days > 0)
        answer["history"] = FIELDWATCH_TRY(history_json(context, scope, filter, static_cast<int>(days)));
    return json_reply(200, answer);
}

}  // namespace

std::vector<Route> risk_routes() {
    return {{"GET", "/api/v1/risk", Role::Reader, get_risk}};
}

}  // namespace fieldwatch::portal
