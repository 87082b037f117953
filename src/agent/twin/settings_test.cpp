#include "agent/twin/settings.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace fieldwatch::agent {
namespace {

using nlohmann::json;

const std::string kClassicObject = "ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration";

std::string desired(const std::string& properties, int version = 0) {
    auto section = "{\"" + kClassicObject + "\":" + properties;
    if (version) section += ",\"$version\":" + std::to_string(version);
    return section + "}";
}
std::string full(const std::string& properties, int version = 1) {
    return "{\"desired\":" + desired(properties, version) + ",\"reported\":{}}";
}

TEST(Twin, DefaultsAreThePublishedOnes) {
    const Settings settings;
    EXPECT_EQ(to_iso8601_duration(settings.high_frequency), "PT7M");
    EXPECT_EQ(to_iso8601_duration(settings.low_frequency), "PT5H");
    EXPECT_EQ(to_iso8601_duration(settings.snapshot_frequency), "PT13H");
    EXPECT_EQ(settings.cache_bytes, 2'560'000);
    EXPECT_EQ(settings.priority[FIELDWATCH_LOGIN], FIELDWATCH_PRIORITY_HIGH);
    EXPECT_EQ(settings.priority[FIELDWATCH_PROCESS_CREATE], FIELDWATCH_PRIORITY_LOW);
}

// Weakness W1 of the reference agents: a patch was read as if it were the whole document.
TEST(TwinPatch, KeepsWhatThePatchOmits) {
    Twin twin(kClassicObject);
    ASSERT_TRUE(twin.replace(
        full(R"({"highPriorityMessageFrequency":{"value":"PT2S"},"eventPriorityLogin":{"value":"low"}})")));
    const auto update = twin.patch(desired(R"({"snapshotFrequency":{"value":"PT30S"}})", 2));
    ASSERT_TRUE(update && update->applied);
    EXPECT_EQ(to_iso8601_duration(twin.settings().high_frequency), "PT2S");
    EXPECT_EQ(to_iso8601_duration(twin.settings().snapshot_frequency), "PT30S");
    EXPECT_EQ(twin.settings().priority[FIELDWATCH_LOGIN], FIELDWATCH_PRIORITY_LOW);
}

TEST(TwinPatch, NullTakesAPropertyBackToItsDefault) {
    Twin twin(kClassicObject);
    ASSERT_TRUE(twin.replace(full(R"({"highPriorityMessageFrequency":{"value":"PT2S"}})")));
    ASSERT_TRUE(twin.patch(desired(R"({"highPriorityMessageFrequency":null})", 2)));
    EXPECT_EQ(to_iso8601_duration(twin.settings().high_frequency), "PT7M");
}

TEST(TwinPatch, AnOlderVersionChangesNothingAndAGapAsksForTheWhole) {
    Twin twin(kClassicObject);
    ASSERT_TRUE(twin.replace(full("{}", 5)));
    EXPECT_FALSE(twin.patch(desired(R"({"snapshotFrequency":{"value":"PT30S"}})", 5))->applied);
    EXPECT_FALSE(twin.needs_refresh());
    EXPECT_TRUE(twin.patch(desired(R"({"snapshotFrequency":{"value":"PT30S"}})", 7))->applied);
    EXPECT_TRUE(twin.needs_refresh());
}

TEST(Twin, OneBadPropertyRefusesTheWholeUpdate) {
    Twin twin(kClassicObject);
    ASSERT_TRUE(twin.replace(full(R"({"highPriorityMessageFrequency":{"value":"PT2S"}})")));
    const auto update = twin.patch(
        desired(R"({"snapshotFrequency":{"value":"PT30S"},"eventPriorityLogin":{"value":"loud"}})", 2));
    ASSERT_TRUE(update);
    EXPECT_FALSE(update->applied);
    ASSERT_EQ(update->findings.size(), 1U);
    EXPECT_EQ(update->findings[0].error_type, "TypeMismatch");
    EXPECT_NE(update->findings[0].message.find("eventPriorityLogin"), std::string::npos);
    EXPECT_EQ(to_iso8601_duration(twin.settings().snapshot_frequency), "PT13H");
    EXPECT_EQ(to_iso8601_duration(twin.settings().high_frequency), "PT2S");
    const auto reported = json::parse(twin.reported("1"))[kClassicObject];
    EXPECT_EQ(reported["configurationStatus"]["value"], "failed");
    EXPECT_EQ(reported["invalidProperties"]["value"], json::array({"eventPriorityLogin"}));
}

TEST(Twin, ClampsSizesAndFindsConflicts) {
    Twin twin(kClassicObject);
    const auto update =
        twin.replace(full(R"({"maxMessageSizeInBytes":{"value":-5},"maxLocalCacheSizeInBytes":{"value":8192},
        "highPriorityMessageFrequency":{"value":"PT6H"}})"));
    ASSERT_TRUE(update && update->applied);
    EXPECT_EQ(twin.settings().message_bytes, 8'192);
    ASSERT_EQ(update->findings.size(), 2U);
    EXPECT_EQ(update->findings[0].name, "maxMessageSizeInBytes");
    EXPECT_EQ(update->findings[0].used, "8192");
    EXPECT_EQ(update->findings[1].name, "highPriorityMessageFrequency");
}

TEST(Twin, RefusesBadDurationsAndPropertiesWithoutValue) {
    for (const std::string bad :
         {R"({"snapshotFrequency":{"value":"PT0S"}})", R"({"snapshotFrequency":{"value":"P400D"}})",
          R"({"snapshotFrequency":{"value":5}})", R"({"snapshotFrequency":"PT1H"})",
          R"({"snapshotFrequency":{}})", R"({"snapshotFrequency":{"value":null}})", "[]", "7"}) {
        Twin twin(kClassicObject);
        const auto update = twin.replace(full(bad));
        ASSERT_TRUE(update) << bad;
        EXPECT_FALSE(update->applied) << bad;
    }
}

TEST(Twin, RefusesWhatIsNoTwinWithoutLosingItsSettings) {
    Twin twin(kClassicObject);
    ASSERT_TRUE(twin.replace(full(R"({"highPriorityMessageFrequency":{"value":"PT2S"}})")));
    EXPECT_FALSE(twin.replace("not json"));
    EXPECT_FALSE(twin.replace("{}"));
    EXPECT_FALSE(twin.patch(std::string(200'000, ' ')));
    EXPECT_FALSE(twin.patch(std::string(5'000, '[')));
    EXPECT_EQ(to_iso8601_duration(twin.settings().high_frequency), "PT2S");
}

TEST(Twin, ReportsTheWholeEffectiveConfigurationCanonically) {
    Twin twin(kClassicObject);
    ASSERT_TRUE(twin.replace(full(
        R"({"eventPriorityLogin":{"value":"HIGH"},"highPriorityMessageFrequency":{"value":"PT300S"}})", 9)));
    const auto reported = json::parse(twin.reported("1.2.3"))[kClassicObject];
    EXPECT_EQ(reported["eventPriorityLogin"]["value"], "High");
    EXPECT_EQ(reported["highPriorityMessageFrequency"]["value"], "PT5M");
    EXPECT_EQ(reported["desiredVersion"]["value"], 9);
    EXPECT_EQ(reported["agentVersion"]["value"], "1.2.3");
    EXPECT_EQ(reported["maxMessageSizeInBytes"]["value"], 204'800);
    EXPECT_EQ(reported.size(), 39U);
}

TEST(Twin, RestoresWhatItPersisted) {
    Twin before(kClassicObject);
    ASSERT_TRUE(before.replace(full(R"({"snapshotFrequency":{"value":"PT30S"}})", 4)));
    Twin after(kClassicObject);
    ASSERT_TRUE(after.restore(before.persisted()));
    EXPECT_EQ(to_iso8601_duration(after.settings().snapshot_frequency), "PT30S");
    EXPECT_EQ(after.version(), 4);
}

TEST(TwinUpdate, IsTakenForOurArchitectureOnly) {
    const auto with = [](const std::string& value) {
        Twin twin("o");
        const auto update = twin.replace(R"({"desired":{"o":{"agentUpdate":)" + value + "}}}");
        EXPECT_TRUE(update);
        return std::pair(update->applied, twin.settings().update);
    };
    const auto own = "\"" + std::string(architecture()) + "\"";
    const auto [applied, update] = with(R"({"value":{"riscv64":{"manifest":"r","url":"u"},)" + own +
                                        R"(:{"manifest":"m","url":"https://h/x"}}})");
    EXPECT_TRUE(applied);
    EXPECT_EQ(update, (Announcement{"m", "https://h/x"}));
    for (const auto* none : {"null", R"({"value":null})", R"({"value":{}})", R"({"value":{"riscv64":1}})"})
        EXPECT_EQ(with(none), (std::pair(true, std::optional<Announcement>()))) << none;
    for (const auto& wrong :
         {std::string("1"), std::string(R"({"value":"m"})"), R"({"value":{)" + own + ":[]}}",
          R"({"value":{)" + own + R"(:{"manifest":"m"}}})",
          R"({"value":{)" + own + R"(:{"manifest":1,"url":"u"}}})"})
        EXPECT_FALSE(with(wrong).first) << wrong;
}

}  // namespace
}  // namespace fieldwatch::agent
