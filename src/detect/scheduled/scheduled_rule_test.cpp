#include "detect/scheduled/scheduled_rule.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "detect/engine.hpp"
#include "detect/scheduled/query_finding.hpp"

namespace fieldwatch::detect {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using ::testing::HasSubstr;

constexpr std::string_view kScheduledRule =
    R"({"name":"Many failed logins","query":"SecurityIoTRawEvent | take 1",
    "severity":"High","period":"PT5M","window":"PT1H","suppression":"PT2H","threshold":3,
    "entities":{"ip":"Src","device":"DeviceId"}})";

TEST(ScheduledRule, ReadsWhatItWrites) {
    const auto rule = parse_scheduled_rule("logins", kScheduledRule);
    ASSERT_TRUE(rule) << rule.error().message;
    EXPECT_EQ(rule->period, minutes(5));
    EXPECT_EQ(rule->window, hours(1));
    EXPECT_EQ(rule->lateness, minutes(5));
    EXPECT_EQ(rule->threshold, 3);
    ASSERT_EQ(rule->entities.size(), 2u);
    EXPECT_EQ(rule->entities[0], std::pair(std::string("device"), std::string("DeviceId")));
    const auto again = parse_scheduled_rule("logins", scheduled_rule_json(*rule));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, *rule);
}

TEST(ScheduledRule, RefusesWithTheMemberAndWhatIsAllowed) {
    const auto refusal = [](std::string_view json, std::string_view id = "r") {
        const auto rule = parse_scheduled_rule(id, json);
        return rule ? std::string("accepted") : rule.error().message;
    };
    EXPECT_THAT(refusal("{}"), HasSubstr("\"query\""));
    EXPECT_THAT(refusal("[]"), HasSubstr("JSON object"));
    EXPECT_THAT(refusal(R"({"query":"T","cron":"* * *"})"), HasSubstr("\"cron\""));
    EXPECT_THAT(refusal(R"({"query":"T","period":"PT1S"})"), HasSubstr("\"period\""));
    EXPECT_THAT(refusal(R"({"query":"T","period":"P1M"})"), HasSubstr("\"period\""));
    EXPECT_THAT(refusal(R"({"query":"T","period":"PT1H","window":"PT5M"})"), HasSubstr("\"window\""));
    EXPECT_THAT(refusal(R"({"query":"T","threshold":-1})"), HasSubstr("\"threshold\""));
    EXPECT_THAT(refusal(R"({"query":"T","severity":"Huge"})"), HasSubstr("\"severity\""));
    EXPECT_THAT(refusal(R"({"query":"T","entities":{"planet":"P"}})"), HasSubstr("planet"));
    EXPECT_THAT(refusal(R"({"query":"T"})", "a/b"), HasSubstr("id"));
}

/// What a shard makes of a finding that is in its log at `offset`.
std::vector<model::Finding> decided_of_query(Engine& engine, const model::Record& record,
                                             std::uint64_t offset) {
    std::vector<model::Finding> out;
    const model::RecordView view{.kind = record.kind,
                                 .received = record.received,
                                 .hub = record.sender.hub.value,
                                 .device = record.sender.device.value,
                                 .module = {},
                                 .properties = {},
                                 .body = record.body};
    EXPECT_TRUE(engine.observe_query(view, {.partition = 0, .offset = offset, .item = 0}, out));
    return out;
}

TEST(QueryFinding, IsOneAlertHoweverOftenAndWhereverItIsInTheLog) {
    const auto rule = *parse_scheduled_rule("logins", kScheduledRule);
    QueryFinding finding{.from = Timestamp::from_unix_seconds(3600),
                         .to = Timestamp::from_unix_seconds(7200),
                         .rows = 5,
                         .entities = {{"device", "pump-1"}, {"ip", "10.0.0.9"}},
                         .sample_json = R"([{"Src":"10.0.0.9"}])"};
    const auto record = query_finding_record({"home"}, rule, 2, finding, Timestamp::from_unix_seconds(7205));
    EXPECT_EQ(record.sender.device.value, "pump-1");
    const auto engine = make_engine(*compile({}));
    const auto first = decided_of_query(*engine, record, 10);
    ASSERT_EQ(first.size(), 1u);
    const auto& alert = std::get<model::Alert>(first[0]);
    EXPECT_EQ(alert.type, "IoT_SQ_logins");
    EXPECT_EQ(alert.severity, model::Severity::High);
    EXPECT_EQ(alert.compromised_entity, "pump-1");
    EXPECT_EQ(alert.hit_count, 5);
    EXPECT_EQ(alert.start, finding.from);
    EXPECT_THAT(alert.entities_json, HasSubstr(R"("Address":"10.0.0.9")"));
    EXPECT_THAT(alert.extended_json, HasSubstr(R"("RuleVersion":"2")"));
    EXPECT_TRUE(decided_of_query(*engine, record, 99).empty())
        << "asked again: the same window, the same entities";

    const auto replayed = make_engine(*compile({}));
    EXPECT_EQ(std::get<model::Alert>(decided_of_query(*replayed, record, 4711)[0]).id, alert.id);

    finding.from = finding.to;
    finding.to = Timestamp::from_unix_seconds(10'800);
    const auto next = query_finding_record({"home"}, rule, 2, finding, Timestamp::from_unix_seconds(10'805));
    const auto second = decided_of_query(*engine, next, 11);
    ASSERT_EQ(second.size(), 2u) << "a new alert, and the first learns that both are one incident";
    EXPECT_NE(std::get<model::Alert>(second[0]).id, alert.id);
    EXPECT_EQ(std::get<model::Alert>(second[1]).id, alert.id);
    EXPECT_THAT(std::get<model::Alert>(second[1]).extended_json, HasSubstr(R"("IncidentId")"));
}

TEST(QueryFinding, SurvivesACheckpoint) {
    const auto rule = *parse_scheduled_rule("fleet", R"({"query":"T"})");
    const QueryFinding finding{.from = Timestamp::from_unix_seconds(0),
                               .to = Timestamp::from_unix_seconds(300),
                               .rows = 1,
                               .entities = {}};
    const auto record = query_finding_record({"home"}, rule, 1, finding, Timestamp::from_unix_seconds(301));
    const auto engine = make_engine(*compile({}));
    const auto first = decided_of_query(*engine, record, 1);
    ASSERT_EQ(first.size(), 1u);
    EXPECT_EQ(std::get<model::Alert>(first[0]).compromised_entity, "home");
    Bytes state;
    engine->save(state);
    const auto restored = make_engine(*compile({}));
    ASSERT_TRUE(restored->restore(state));
    EXPECT_TRUE(decided_of_query(*restored, record, 2).empty());
}

TEST(QueryFinding, RefusesWhatIsNone) {
    const auto engine = make_engine(*compile({}));
    std::vector<model::Finding> out;
    for (const auto* body :
         {"", "[]", R"({"rule":"a/b"})", R"({"rule":"a"})", R"({"rule":"a","from":"x","to":"y"})"}) {
        const model::RecordView view{.kind = model::RecordKind::QueryFinding,
                                     .received = {},
                                     .hub = "home",
                                     .device = {},
                                     .module = {},
                                     .properties = {},
                                     .body = body};
        EXPECT_FALSE(engine->observe_query(view, {}, out)) << body;
    }
    EXPECT_TRUE(out.empty());
}

}  // namespace
}  // namespace fieldwatch::detect
