#include "agent/twin/aliases.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace fieldwatch::agent {
namespace {

using nlohmann::json;

constexpr const char* kObject = "ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration";

Twin::Update replaced(Twin& twin, const json& desired) {
    auto update = twin.replace(json{{"desired", desired}, {"reported", json::object()}}.dump());
    EXPECT_TRUE(update);
    return update ? *update : Twin::Update{};
}

TEST(MicroAgentNames, AreUnderstoodBesideOurs) {
    Twin twin(kObject);
    EXPECT_TRUE(replaced(twin, {{"Process_Disabled", true},
                                {"NetworkActivity_MessageFrequency", "High"},
                                {"CollectorsCore_PriorityIntervals", "30,120,1440"},
                                {"FileSystem_Paths", "/etc,/opt/app"},
                                {"FileSystem_Recursive", false},
                                {"Process_Mode", 1},
                                {"$version", 4}})
                    .applied);
    const auto& settings = twin.settings();
    EXPECT_EQ(settings.priority[FIELDWATCH_PROCESS_CREATE], FIELDWATCH_PRIORITY_OFF);
    EXPECT_EQ(settings.priority[FIELDWATCH_PROCESS_TERMINATE], FIELDWATCH_PRIORITY_OFF);
    EXPECT_EQ(settings.priority[FIELDWATCH_CONNECTION_CREATE], FIELDWATCH_PRIORITY_HIGH);
    EXPECT_EQ(settings.high_frequency, Ticks(std::chrono::minutes(30)));
    EXPECT_EQ(settings.low_frequency, Ticks(std::chrono::minutes(1'440)));
    EXPECT_EQ(settings.watched_paths, (std::vector<std::string>{"/etc", "/opt/app"}));
    EXPECT_EQ(settings.watch_recursive, false);
    const auto reported = json::parse(twin.reported("1"));
    EXPECT_EQ(reported["latest_state"], "success");
    EXPECT_EQ(reported["latest_invalid_fields"], json::array());
}

TEST(MicroAgentNames, GiveWayToOurOwn) {
    Twin twin(kObject);
    replaced(twin, {{"Login_Disabled", true}, {kObject, {{"eventPriorityLogin", {{"value", "High"}}}}}});
    EXPECT_EQ(twin.settings().priority[FIELDWATCH_LOGIN], FIELDWATCH_PRIORITY_HIGH);
}

TEST(MicroAgentNames, ThatAreWrongRefuseTheWholeUpdateAndAreNamed) {
    Twin twin(kObject);
    replaced(twin, {{"Process_Disabled", true}});
    const auto update =
        replaced(twin, {{"CollectorsCore_PriorityIntervals", "120,30,1"}, {"Login_Disabled", "yes"}});
    EXPECT_FALSE(update.applied);
    EXPECT_EQ(twin.settings().priority[FIELDWATCH_PROCESS_CREATE], FIELDWATCH_PRIORITY_OFF);
    const auto reported = json::parse(twin.reported("1"));
    EXPECT_EQ(reported["latest_state"], "failed");
    EXPECT_EQ(reported["latest_invalid_fields"],
              (json{"Login_Disabled", "CollectorsCore_PriorityIntervals"}));
}

TEST(MicroAgentNames, AreNotReportedWhereNobodyUsesThem) {
    Twin twin(kObject);
    replaced(twin, json::object());
    EXPECT_FALSE(json::parse(twin.reported("1")).contains("latest_state"));
}

}  // namespace
}  // namespace fieldwatch::agent
