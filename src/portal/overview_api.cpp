// The overview of one hub in one answer: spec/portal.md P2, spec/alerts.md section 4.
#include <array>
#include <set>

#include <fmt/format.h>

#include "portal/overview.hpp"
#include "portal/reply.hpp"
#include "portal/table_reader.hpp"

namespace fieldwatch::portal {
namespace {

constexpr int kSeriesDays = 30, kListDays = 7;  ///< spec/alerts.md section 4, look-back
constexpr std::array<std::string_view, 4> kSeverities{"High", "Medium", "Low", "Informational"};
constexpr std::size_t kTopRecommendations = 5;
constexpr std::size_t kDevicesCountedMax = 10'000;  ///< beyond it the count says "at least"

/// KQL: 3 for High down to 0.
std::string severity_rank(std::string_view column) {
    return fmt::format("case({0} == \"High\", 3, {0} == \"Medium\", 2, {0} == \"Low\", 1, 0)", column);
}

Json zero_counts() {
    Json counts = Json::object();
    for (const auto severity : kSeverities)
        counts[std::string(severity)] = 0;
    return counts;
}

Timestamp start_of_day(Timestamp time) {
    constexpr std::int64_t kDay = 864'000'000'000;
    return {time.ticks - (time.ticks % kDay + kDay) % kDay};
}

struct Question {
    const Scope& scope;
    Timestamp now;

    std::string resource() const { return kql_string("/iothubs/" + scope.hub.name.value); }
    std::string latest(int days) const {
        return fmt::format(
            "SecurityAlert | where TimeGenerated >= {} and ResourceId endswith {} "
            "| summarize arg_max(TimeGenerated, AlertSeverity, Status, CompromisedEntity, StartTime, "
            "DisplayName) by SystemAlertId",
            kql_datetime(now - std::chrono::hours(24 * days)), resource());
    }
    static constexpr std::string_view kOpen = " | where Status !in (\"Dismissed\", \"Resolved\")";
};

Result<Json> open_by_severity(const Question& question) {
    auto counts = zero_counts();
    const auto table = FIELDWATCH_TRY(
        ask(*question.scope.workspace, fmt::format("{}{} | summarize Alerts=count() by AlertSeverity",
                                                   question.latest(kSeriesDays), Question::kOpen)));
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const Row row(table, i);
        counts[row.text("AlertSeverity")] = row.number("Alerts");
    }
    return counts;
}

/// One entry per UTC day, the last is today; days without alerts are zeros.
Result<Json> daily_series(const Question& question) {
    const auto first = start_of_day(question.now) - std::chrono::hours(24 * (kSeriesDays - 1));
    Json days = Json::array();
    for (int i = 0; i < kSeriesDays; ++i) {
        auto day = zero_counts();
        day["date"] = to_iso8601(first + std::chrono::hours(24 * i), 0).substr(0, 10);
        days.push_back(std::move(day));
    }
    const auto table = FIELDWATCH_TRY(ask(
        *question.scope.workspace,
        fmt::format(
            "{} | where StartTime >= {} | summarize Alerts=count() by AlertSeverity, Day=bin(StartTime, 1d)",
            question.latest(kSeriesDays), kql_datetime(first))));
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const Row row(table, i);
        const auto date = row.text("Day").substr(0, 10);
        for (auto& day : days) {
            if (day["date"] == date) day[row.text("AlertSeverity")] = row.number("Alerts");
        }
    }
    return days;
}

Result<Json> top_devices(const Question& question) {
    const auto table =
        FIELDWATCH_TRY(ask(*question.scope.workspace,
                           fmt::format("{}{} | summarize Alerts=count() by CompromisedEntity | order by "
                                       "Alerts desc, CompromisedEntity asc | take 3",
                                       question.latest(kListDays), Question::kOpen)));
    Json list = Json::array();
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const Row row(table, i);
        list.push_back({{"deviceId", row.text("CompromisedEntity")}, {"alertsCount", row.number("Alerts")}});
    }
    return list;
}

/// A name has the highest severity that an alert of it has.
Result<Json> top_alerts(const Question& question) {
    const auto table = FIELDWATCH_TRY(
        ask(*question.scope.workspace,
            fmt::format("{}{} | extend Rank = {} | summarize Alerts=count(), arg_max(Rank, AlertSeverity) by "
                        "DisplayName | order by Alerts desc, DisplayName asc | take 3",
                        question.latest(kListDays), Question::kOpen, severity_rank("AlertSeverity"))));
    Json list = Json::array();
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const Row row(table, i);
        list.push_back({{"displayName", row.text("DisplayName")},
                        {"severity", row.text("AlertSeverity")},
                        {"alertsCount", row.number("Alerts")}});
    }
    return list;
}

/// Weak states as they are: how many of each severity, and the types that most devices have, the worst first
/// among equals.
Result<Json> recommendations(const Question& question) {
    const auto active = fmt::format(
        "SecurityRecommendation | where TimeGenerated >= {} and AssessedResourceId endswith {} | summarize "
        "arg_max(TimeGenerated, RecommendationState, RecommendationName, RecommendationDisplayName, "
        "RecommendationSeverity) by RecommendationId | where RecommendationState == \"Active\"",
        kql_datetime(question.now - std::chrono::hours(24 * kSeriesDays)), question.resource());
    const auto types = FIELDWATCH_TRY(
        ask(*question.scope.workspace,
            fmt::format("{} | extend Rank = {} | summarize Count=count(), Rank=max(Rank), "
                        "DisplayName=max(RecommendationDisplayName) by Type=RecommendationName, "
                        "RecommendationSeverity | order by Count desc, Rank desc, Type asc",
                        active, severity_rank("RecommendationSeverity"))));
    auto counts = zero_counts();
    Json top = Json::array();
    for (std::size_t i = 0; i < types.rows.size(); ++i) {
        const Row row(types, i);
        const auto severity = row.text("RecommendationSeverity");
        counts[severity] = counts.value(severity, std::int64_t{0}) + row.number("Count");
        if (top.size() < kTopRecommendations)
            top.push_back({{"type", row.text("Type")},
                           {"displayName", row.text("DisplayName")},
                           {"severity", severity},
                           {"count", row.number("Count")}});
    }
    return Json{{"active", std::move(counts)}, {"top", std::move(top)}};
}

/// Devices with an open alert of at least Low, or an active recommendation.
Result<std::set<std::string>> unhealthy_devices(const Question& question) {
    std::set<std::string> devices;
    const auto alerts = FIELDWATCH_TRY(
        ask(*question.scope.workspace,
            fmt::format("{}{} | where AlertSeverity != \"Informational\" | distinct CompromisedEntity",
                        question.latest(kSeriesDays), Question::kOpen)));
    for (std::size_t i = 0; i < alerts.rows.size(); ++i)
        devices.insert(Row(alerts, i).text("CompromisedEntity"));
    const auto states = FIELDWATCH_TRY(ask(
        *question.scope.workspace,
        fmt::format("SecurityRecommendation | where TimeGenerated >= {} and AssessedResourceId endswith {} "
                    "| summarize arg_max(TimeGenerated, RecommendationState, DeviceId) by RecommendationId "
                    "| where RecommendationState == \"Active\" and isnotempty(DeviceId) | distinct DeviceId",
                    kql_datetime(question.now - std::chrono::hours(24 * kSeriesDays)), question.resource())));
    for (std::size_t i = 0; i < states.rows.size(); ++i)
        devices.insert(Row(states, i).text("DeviceId"));
    return devices;
}

Result<Json> device_summary(const Context& context, const Question& question) {
    const auto unhealthy = FIELDWATCH_TRY(unhealthy_devices(question));
    const auto entries = FIELDWATCH_TRY(
        context.parts.registry.devices(question.scope.hub.name, {.count_max = kDevicesCountedMax}));
    std::size_t enabled = 0;
    std::size_t unhealthy_count = 0;  // an alert of the hub itself, or of a deleted device, is no device here
    for (const auto& entry : entries) {
        enabled += entry.enabled ? 1 : 0;
        unhealthy_count += unhealthy.contains(entry.identity.device.value) ? 1 : 0;
    }
    return Json{{"total", entries.size()},
                {"enabled", enabled},
                {"unhealthy", unhealthy_count},
                {"atLeast", entries.size() == kDevicesCountedMax}};
}

/// Data health: "no alerts" is only good news when data arrive.
Result<Json> data_health(const Context& context, const Question& question) {
    const auto events =
        FIELDWATCH_TRY(ask(*question.scope.workspace,
                           fmt::format("SecurityIoTRawEvent | where AssociatedResourceId endswith {} | "
                                       "summarize Last=max(TimeGenerated), Rows=count()",
                                       question.resource())));
    const auto operations = FIELDWATCH_TRY(
        ask(*question.scope.workspace, fmt::format("AzureDiagnostics | where Resource =~ {} | summarize "
                                                   "Last=max(TimeGenerated), Rows=count()",
                                                   kql_string(question.scope.hub.name.value))));
    const auto last = [](const workspace::ResultTable& table) {
        return table.rows.empty() ? Json(nullptr) : Row(table, 0).json("Last");
    };
    const auto progress = context.parts.progress();
    std::uint64_t backlog = 0;
    for (const auto& partition : progress.partitions) {
        backlog +=
            partition.journal_end > partition.committed ? partition.journal_end - partition.committed : 0;
    }
    const auto count = events.rows.empty() ? 0 : Row(events, 0).number("Rows");
    return Json{{"lastSecurityEvent", last(events)},
                {"lastHubRecord", last(operations)},
                {"rawEvents", count},
                {"anyDataReceived", !last(events).is_null() || !last(operations).is_null()},
                {"backlog", backlog},
                {"deadLetters", progress.dead_letters},
                {"refused", progress.refused}};
}

Answer get_overview(const Context& context, const Call& call) {
    const auto scope = FIELDWATCH_TRY(scope_of(context, call));
    return json_reply(200, FIELDWATCH_TRY(overview_json(context, scope)));
}

}  // namespace

Result<Json> overview_json(const Context& context, const Scope& scope) {
    const Question question{.scope = scope, .now = context.parts.clock.now()};
    Json reply{{"hub", scope.hub.name.value},
               {"workspace", scope.hub.workspace},
               {"securityEnabled", scope.hub.security_enabled},
               {"generated", to_iso8601(question.now)},
               {"sequence", context.notifier.sequence()}};
    reply["openAlerts"] = FIELDWATCH_TRY(open_by_severity(question));
    reply["daily"] = FIELDWATCH_TRY(daily_series(question));
    reply["topDevices"] = FIELDWATCH_TRY(top_devices(question));
    reply["topAlerts"] = FIELDWATCH_TRY(top_alerts(question));
    reply["recommendations"] = FIELDWATCH_TRY(recommendations(question));
    reply["devices"] = FIELDWATCH_TRY(device_summary(context, question));
    reply["dataHealth"] = FIELDWATCH_TRY(data_health(context, question));
    return reply;
}

std::vector<Route> overview_routes() {
    return {{"GET", "/api/v1/overview", Role::Reader, get_overview}};
}

}  // namespace fieldwatch::portal
