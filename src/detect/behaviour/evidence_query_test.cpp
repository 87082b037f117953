#include "detect/behaviour/evidence_query.hpp"

#include <gtest/gtest.h>

#include "base/ip_address.hpp"

namespace fieldwatch::detect {
namespace {

const Timestamp kEnd = Timestamp::from_unix_seconds(1'772'413'200);  // 2026-03-02 01:00

Contribution token(TokenKind kind, std::string text) {
    Contribution out;
    out.observed = std::move(text);
    out.is_token = true;
    out.kind = kind;
    return out;
}
Contribution count(Feature feature, bool of_hour = false) {
    Contribution out;
    out.counted = feature;
    out.of_hour = of_hour;
    return out;
}
std::string where_of(const Contribution& one) {
    const auto query = evidence_query("pump", kEnd, {one});
    const auto from = query.find(") | where ") + 10;
    return query.substr(from, query.find(" | order") - from);
}

TEST(EvidenceQuery, NamesDeviceTimeAndRows) {
    EXPECT_EQ(evidence_query("pump", kEnd, {count(Feature::Executions)}),
              "SecurityIoTRawEvent | where DeviceId == \"pump\" and TimeGenerated between "
              "(datetime(2026-03-02T00:55:00.0000000Z) .. datetime(2026-03-02T01:00:00.0000000Z)) "
              "| where RawEventName in (\"ProcessCreate\", \"Process\") | order by TimeStamp asc");
}

TEST(EvidenceQuery, ReachesBackAnHourForWhatIsOfTheHour) {
    EXPECT_NE(evidence_query("pump", kEnd, {count(Feature::Executions, true)}).find("2026-03-02T00:00:00"),
              std::string::npos);
}

TEST(EvidenceQuery, FindsTokensByTheLongestPartThatStandsInTheRows) {
    EXPECT_EQ(where_of(token(TokenKind::Image, "/opt/fw-#.#/bin/agent")),
              "(RawEventName in (\"ProcessCreate\", \"Process\") and EventDetails contains \"/bin/agent\")");
    EXPECT_EQ(where_of(token(TokenKind::Chain, "init>sh>wget")),
              "(RawEventName in (\"ProcessCreate\", \"Process\") and EventDetails contains \"wget\")");
    EXPECT_EQ(where_of(token(TokenKind::Destination, "203.0.113.0/24:443/tcp")),
              "(RawEventName in (\"ConnectionCreate\", \"NetworkActivity\") and EventDetails contains "
              "\"203.0.113.\")");
    EXPECT_EQ(where_of(token(TokenKind::UserSource, "root from 10.0.0.9")),
              "(RawEventName == \"Login\" and EventDetails contains \"root\")");
    EXPECT_EQ(where_of(token(TokenKind::Image, "##")), "RawEventName in (\"ProcessCreate\", \"Process\")");
}

TEST(EvidenceQuery, LetsNoNameLeaveItsQuotes) {
    const auto query = evidence_query("a\" or \\\"", kEnd, {token(TokenKind::Image, "/x\" | take 1")});
    EXPECT_NE(query.find("DeviceId == \"a\\\" or \\\\\\\"\""), std::string::npos) << query;
    EXPECT_NE(query.find("contains \" | take 1\")"), std::string::npos) << query;
}

TEST(EvidenceQuery, AsksTheHubsTableForWhatOnlyTheHubSaw) {
    EXPECT_TRUE(evidence_query("pump", kEnd, {count(Feature::HubErrors)})
                    .starts_with("AzureDiagnostics | where TimeGenerated"));
    EXPECT_TRUE(evidence_query("pump", kEnd, {count(Feature::HubErrors), count(Feature::FlowsOut)})
                    .starts_with("SecurityIoT"));
}

TEST(EvidenceQuery, FollowsAFlowToItsAddressAndPort) {
    Flow flow;
    flow.time = kEnd;
    flow.remote = *parse_ip("203.0.113.9");
    flow.port = 6'667;
    FlowRows rows{.device = "pump", .flow = flow, .since = kEnd - std::chrono::minutes(5)};
    EXPECT_TRUE(
        evidence_query(rows).ends_with("tostring(E.RemotePort) == \"6667\" and tostring(E.RemoteAddress) == "
                                       "\"203.0.113.9\" | order by TimeStamp asc"));
    rows.one_address = false;
    EXPECT_EQ(evidence_query(rows).find("RemoteAddress"), std::string::npos);
}

}  // namespace
}  // namespace fieldwatch::detect
