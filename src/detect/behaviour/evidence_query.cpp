#include "detect/behaviour/evidence_query.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/kql_text.hpp"

namespace fieldwatch::detect {
namespace {

constexpr Ticks kFiveMinutes = std::chrono::minutes(5), kHour = std::chrono::hours(1);
constexpr std::string_view kConnections = R"(RawEventName in ("ConnectionCreate", "NetworkActivity"))";
constexpr std::string_view kProcesses = R"(RawEventName in ("ProcessCreate", "Process"))";

std::string between(std::string_view column, Timestamp from, Timestamp to) {
    return fmt::format("{} between (datetime({}) .. datetime({}))", column, to_iso8601(from), to_iso8601(to));
}

/// Names are kept with one `#` for each number: the longest part between such is in the rows as it stands,
/// and what JSON escapes is no part of it.
std::string_view longest_part(std::string_view token) {
    std::string_view best;
    while (!token.empty()) {
        const auto end = std::min(token.find_first_of("#\"\\"), token.size());
        if (end > best.size()) best = token.substr(0, end);
        token.remove_prefix(std::min(end + 1, token.size()));
    }
    return best;
}

/// Empty where the rows are the hub's.
std::string rows_of(Feature feature) {
    switch (feature) {
        case Feature::Executions:
        case Feature::ShellExecutions:
        case Feature::WritableDirectoryExecutions:
            return std::string(kProcesses);
        case Feature::ProcessEnds:
            return R"(RawEventName == "ProcessTerminate")";
        case Feature::FlowsOut:
        case Feature::FlowsIn:
        case Feature::BytesOut:
        case Feature::UnansweredFlows:
            return std::string(kConnections);
        case Feature::LoginFailures:
        case Feature::LoginSuccesses:
            return R"(RawEventName == "Login")";
        case Feature::FileChanges:
            return R"(RawEventName == "FileSystem")";
        case Feature::DroppedEvents:
            return R"(RawEventName == "DroppedEventsStatistics")";
        case Feature::ConfigurationErrors:
            return R"(RawEventName == "ConfigurationError")";
        case Feature::NewTokens:
        case Feature::Events:
            return "true";
        case Feature::HubConnections:
        case Feature::HubAuthenticationFailures:
        case Feature::HubErrors:
        case Feature::HubMessages:
        case Feature::ControlPlaneOperations:
            break;
    }
    return {};
}

std::string rows_of(TokenKind kind, std::string_view token) {
    std::string_view rows = kProcesses;
    auto part = token;
    switch (kind) {
        case TokenKind::Image:
            break;
        case TokenKind::ParentChild:
        case TokenKind::Chain:
            part = token.substr(token.rfind('>') + 1);  // the program at the chain's end
            break;
        case TokenKind::Destination:
            rows = kConnections;
            part = token.substr(0, token.find('/'));
            part = part.substr(0, part.find_last_of(".:") + 1);  // 203.0.113. of 203.0.113.0/24:443/tcp
            break;
        case TokenKind::UserSource:
            rows = R"(RawEventName == "Login")";
            part = token.substr(0, token.find(" from "));
            break;
        case TokenKind::HubOperation:
            return {};
    }
    part = longest_part(part);
    return part.empty() ? std::string(rows)
                        : fmt::format("({} and EventDetails contains {})", rows, kql_string(part));
}

}  // namespace

std::string evidence_query(std::string_view device, Timestamp end,
                           const std::vector<Contribution>& contributions) {
    std::set<std::string> rows;
    bool hour = false;
    for (const auto& one : contributions) {
        hour = hour || one.of_hour;
        auto condition = one.is_token ? rows_of(one.kind, one.observed) : rows_of(one.counted);
        if (!condition.empty()) rows.insert(std::move(condition));
    }
    const auto time = between("TimeGenerated", end - (hour ? kHour : kFiveMinutes), end);
    if (rows.empty())
        return fmt::format(
            "AzureDiagnostics | where {} and properties_s contains {} | order by TimeGenerated asc", time,
            kql_string(device));
    std::string any;
    for (const auto& condition : rows)
        any.append(any.empty() ? "" : " or ").append(condition);
    return fmt::format(
        "SecurityIoTRawEvent | where DeviceId == {} and {} | where {} | order by TimeStamp asc",
        kql_string(device), time, any);
}

std::string evidence_query(const FlowRows& rows) {
    const auto port = std::to_string(rows.flow.port);
    std::string to =
        rows.flow.port == 0 ? "true" : fmt::format("tostring(E.RemotePort) == {}", kql_string(port));
    if (rows.one_address)
        to += fmt::format(" and tostring(E.RemoteAddress) == {}", kql_string(rows.flow.remote.text()));
    return fmt::format(
        "SecurityIoTRawEvent | where DeviceId == {} and {} and {} | extend E = parse_json(EventDetails) "
        "| where {} | order by TimeStamp asc",
        kql_string(rows.device), between("TimeStamp", rows.since, rows.flow.time), kConnections, to);
}

std::string evidence_query(const MetricRows& rows) {
    return fmt::format(
        "SecurityIoTRawEvent | where DeviceId == {} and {} and RawEventName == \"Custom\" | extend Value = "
        "todouble(parse_json(EventDetails).ExtraDetails[{}]) | where isnotnull(Value) | project TimeStamp, "
        "Value | order by TimeStamp asc",
        kql_string(rows.device), between("TimeStamp", rows.until - 24 * kHour, rows.until),
        kql_string(rows.metric));
}

}  // namespace fieldwatch::detect
