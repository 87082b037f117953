// Security groups over HTTP: the published shapes, and what is refused.
#include "portal/api_test.hpp"

namespace fieldwatch::portal {
namespace {

using Json = nlohmann::json;

class GroupsApi : public testing::ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        ASSERT_TRUE(registry_->create_hub({.name = {"plant7"}}));
    }
    void join(Parts& parts) override {
        parts.content_changed = [this] { ++changes_; };
    }
    static std::string code(const net::HttpResponse& response) {
        return Json::parse(response.body)["error"]["code"];
    }

    const std::string hub_ =
        "/subscriptions/075423e9-7d33-4166-8bdf-3920b04e3735/resourceGroups/line/providers/Microsoft.Devices/"
        "IotHubs/plant7";
    const std::string groups_ = hub_ + "/providers/Microsoft.Security/deviceSecurityGroups";
    int changes_ = 0;
};

const std::string kRules = R"({"properties":{
  "timeWindowRules":[{"ruleType":"MqttD2CMessagesNotInAllowedRange","isEnabled":true,"minThreshold":4,"maxThreshold":40,"timeWindowSize":"PT010M"}],
  "allowlistRules":[{"ruleType":"ConnectionToIpNotAllowed","isEnabled":true,"allowlistValues":["10.20.0.0/16","fd00:5::/64"]}]}})";

TEST_F(GroupsApi, CreatesThenUpdatesAndKeepsTheNamesCase) {
    const auto made = ask("PUT", groups_ + "/Pumps?api-version=2019-08-01", kRules);
    ASSERT_EQ(made.status, 201) << made.body;
    const auto group = Json::parse(made.body);
    EXPECT_EQ(group["name"], "Pumps");
    EXPECT_EQ(group["id"], groups_ + "/Pumps");
    EXPECT_EQ(group["type"], "Microsoft.Security/deviceSecurityGroups");
    EXPECT_EQ(group["properties"]["timeWindowRules"].size(), 16u);
    EXPECT_EQ(group["properties"]["timeWindowRules"][8]["timeWindowSize"], "PT010M");
    EXPECT_EQ(group["properties"]["allowlistRules"].size(), 3u);
    const auto again = ask("PUT", groups_ + "/pumps?api-version=2017-08-01-preview", R"({"properties":{}})");
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(Json::parse(again.body)["name"], "Pumps");
    EXPECT_EQ(Json::parse(again.body)["properties"]["timeWindowRules"][8]["isEnabled"], false);
    EXPECT_EQ(changes_, 2);
    EXPECT_EQ(ask("GET", "/api/v1/hubs/plant7/groups/PUMPS").status, 200);
    EXPECT_EQ(Json::parse(ask("GET", groups_).body)["value"].size(), 2u);  // default is always there
}

TEST_F(GroupsApi, KnowsResourceIdsWithoutCase) {
    const auto answer =
        ask("GET",
            "/SUBSCRIPTIONS/s/RESOURCEGROUPS/r/PROVIDERS/MICROSOFT.DEVICES/IOTHUBS/PLANT7/PROVIDERS/"
            "MICROSOFT.SECURITY/DEVICESECURITYGROUPS/DEFAULT");
    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(Json::parse(answer.body)["name"], "default");  // and not the page
}

TEST_F(GroupsApi, DeletesAllButDefault) {
    ASSERT_EQ(ask("PUT", groups_ + "/pumps", kRules).status, 201);
    EXPECT_EQ(ask("DELETE", groups_ + "/pumps").status, 200);
    EXPECT_EQ(ask("DELETE", groups_ + "/pumps").status, 204);
    EXPECT_EQ(ask("GET", groups_ + "/pumps").status, 404);
    EXPECT_EQ(ask("DELETE", groups_ + "/default").status, 400);
    EXPECT_EQ(ask("PUT", groups_ + "/default", kRules).status, 200);
}

TEST_F(GroupsApi, RefusesWithTheNameOfWhatIsWrong) {
    EXPECT_EQ(code(ask("PUT", groups_ + "/a",
                       R"({"properties":{"timeWindowRules":[{"ruleType":"Nope","isEnabled":true}]}})")),
              "UnknownRuleType");
    EXPECT_EQ(code(ask("PUT", groups_ + "/a%20b", kRules)), "InvalidGroupName");
    EXPECT_EQ(code(ask("PUT", groups_ + "/a?api-version=2020-01-01", kRules)), "InvalidApiVersionParameter");
    EXPECT_EQ(ask("PUT", groups_ + "/a", kRules, "reader").status, 403);
    EXPECT_EQ(ask("GET", "/api/v1/hubs/nowhere/groups").status, 404);
    const std::string deny =
        R"({"properties":{"denylistRules":[{"ruleType":"LocalUserDenied","isEnabled":true,"denylistValues":["x"]}]}})";
    EXPECT_EQ(code(ask("PUT", groups_ + "/a", deny)), "UnknownRuleType");
    ASSERT_EQ(ask("PUT", "/api/v1/settings/detection.settings", R"({"value":"{\"custom.extensions\":true}"})")
                  .status,
              200);
    EXPECT_EQ(ask("PUT", groups_ + "/a", deny).status, 201);
    EXPECT_EQ(ask("PUT", "/api/v1/settings/detection.settings", R"({"value":"{\"dedup.window\":7}"})").status,
              400);
}

}  // namespace
}  // namespace fieldwatch::portal
