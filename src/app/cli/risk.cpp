// fieldwatch risk: how much trouble each device is in, from what, and what it would be without.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/cli/command.hpp"
#include "base/clock.hpp"
#include "detect/risk/risk.hpp"

namespace fieldwatch::app {

namespace {

using Json = nlohmann::json;

struct RiskOptions {
    std::string device;
    std::vector<std::string> fixed;
};

// The newest row of each alert and recommendation says what it is now.
constexpr const char* kAlerts =
    "SecurityAlert | where TimeGenerated > ago(60d) | summarize arg_max(TimeGenerated, *) by SystemAlertId "
    "| where Status != 'Dismissed' "
    "| project SystemAlertId, AlertType, DisplayName, CompromisedEntity, AlertSeverity, Status, EndTime";
constexpr const char* kStates =
    "SecurityRecommendation | summarize arg_max(TimeGenerated, *) by RecommendationId "
    "| where RecommendationState == 'Active' "
    "| project RecommendationId, RecommendationName, RecommendationDisplayName, DeviceId, "
    "RecommendationSeverity, "
    "RecommendationState, DiscoveredTimeUTC";

std::string cell(const Json& row, std::size_t at) {
    return at < row.size() && row[at].is_string() ? row[at].get<std::string>() : std::string();
}

Result<void> add_rows(const Session& session, const std::string& workspace, const char* query, bool alerts,
                      std::vector<detect::RiskRow>& out) {
    const Json request{{"query", query}};
    const auto answer =
        FIELDWATCH_TRY(call(session, "POST", fmt::format("/v1/workspaces/{}/query", workspace), &request));
    for (const auto& table : answer["tables"]) {
        for (const auto& row : table["rows"]) {
            detect::RiskRow one{
                .id = cell(row, 0), .type = cell(row, 1), .title = cell(row, 2), .device = cell(row, 3)};
            if (one.device.empty()) one.device = session.hub;
            one.kind = alerts ? detect::RiskKind::Alert : detect::risk_kind_of_recommendation(one.type);
            one.severity = model::severity_from(cell(row, 4)).value_or(model::Severity::Low);
            one.resolved = alerts && cell(row, 5) == "Resolved";
            if (const auto time = parse_iso8601(cell(row, 6))) one.at = time->time;
            out.push_back(std::move(one));
        }
        break;  // the first table is the result
    }
    return {};
}

Json json_of(const detect::DeviceRisk& device) {
    Json points = Json::array();
    for (const auto& point : device.points) {
        points.push_back({{"kind", detect::to_string(point.row.kind)},
                          {"id", point.row.id},
                          {"type", point.row.type},
                          {"title", point.row.title},
                          {"severity", model::to_string(point.row.severity)},
                          {"points", point.points},
                          {"without", point.without}});
    }
    return {{"device", device.device},
            {"risk", device.risk},
            {"dayBefore", device.day_before},
            {"points", points}};
}

void print_fleet(const Session& session, const std::vector<detect::DeviceRisk>& devices) {
    TextTable table({"DEVICE", "RISK", "A DAY AGO", "MOST OF IT"});
    for (const auto& device : devices)
        table.add({printable(device.device), fmt::format("{:.0f}", device.risk),
                   fmt::format("{:.0f}", device.day_before),
                   device.points.empty() ? std::string() : printable(device.points[0].row.title)});
    session.format == "csv" ? table.print_csv() : table.print();
    if (session.format == "table") std::printf("\nfleet: %.0f\n", detect::fleet_risk(devices));
}

void print_device(const Session& session, const detect::DeviceRisk& device) {
    TextTable table({"POINTS", "KIND", "SEVERITY", "WHAT", "ID", "WITHOUT IT"});
    for (const auto& point : device.points)
        table.add({fmt::format("{:.1f}", point.points), std::string(detect::to_string(point.row.kind)),
                   coloured_severity(model::to_string(point.row.severity)), printable(point.row.title),
                   point.row.id, fmt::format("{:.0f} -> {:.0f}", device.risk, point.without)});
    if (session.format == "table")
        std::printf("%s: %.0f of 100, a day ago %.0f\n\n", printable(device.device).c_str(), device.risk,
                    device.day_before);
    session.format == "csv" ? table.print_csv() : table.print();
}

Result<void> show(const Session& session, const RiskOptions& options) {
    const auto hub = FIELDWATCH_TRY(call(session, "GET", "/api/v1/hubs/" + session.hub));
    const auto workspace = hub.value("workspace", "");
    std::vector<detect::RiskRow> rows;
    FIELDWATCH_TRY(add_rows(session, workspace, kAlerts, true, rows));
    FIELDWATCH_TRY(add_rows(session, workspace, kStates, false, rows));
    if (!options.device.empty())
        std::erase_if(rows, [&](const detect::RiskRow& row) { return row.device != options.device; });
    auto devices = detect::assess_risk(rows, system_clock().now(), options.fixed);
    if (!options.device.empty()) {
        const auto device =
            devices.empty() ? detect::DeviceRisk{.device = options.device, .points = {}} : devices.front();
        if (session.format == "json")
            std::puts(json_of(device).dump(2).c_str());
        else
            print_device(session, device);
        return {};
    }
    if (session.format != "json") {
        print_fleet(session, devices);
        return {};
    }
    Json list = Json::array();
    for (const auto& device : devices)
        list.push_back(json_of(device));
    std::puts(Json{{"fleet", detect::fleet_risk(devices)}, {"devices", list}}.dump(2).c_str());
    return {};
}

}  // namespace

void add_risk(CLI::App& app, Session& session) {
    const auto options = std::make_shared<RiskOptions>();
    auto* const command =
        app.add_subcommand("risk", "How much trouble each device is in, 0 to 100, and from what");
    command->add_option("DEVICE", options->device, "One device, point by point; without it the fleet");
    command->add_option("--without", options->fixed,
                        "What if: these alerts or recommendations (ids) were gone");
    add_session_options(*command, session);
    add_hub_option(*command, session);
    command->footer(
        "Points add up to the risk; each names the alert or recommendation that it comes from. An alert's "
        "points halve\n"
        "every week, a resolved one's every day; a dismissed one has none.\n"
        "Examples:\n"
        "  fieldwatch risk\n"
        "  fieldwatch risk camera-7\n"
        "  fieldwatch risk camera-7 --without 5b0c2f6e-2f0a-5d2e-8a51-0d3f5e1c9a77");
    command->callback([options, &session] { run(session, [&] { return show(session, *options); }); });
}

}  // namespace fieldwatch::app
