// The inventory with what devices say of themselves.
#include <gmock/gmock.h>

#include "portal/api_test.hpp"

namespace fieldwatch::portal {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr std::int64_t kInventoryYear1 = 621'355'968'000'000'000;

class DevicesApiTest : public testing::ApiTest {
  protected:
    void join(Parts& parts) override {
        parts.workspace = [this](std::string_view) { return &workspace_; };
    }
    void SetUp() override {
        ApiTest::SetUp();
        ASSERT_TRUE(registry_->create_hub({.name = {"plant"}, .workspace = "w"}));
        for (const auto* device : {"pump", "valve"})
            ASSERT_TRUE(
                registry_->create({.identity = {.hub = {"plant"}, .device = {device}, .module = {}}}));
    }
    Json devices(const std::string& search) {
        return Json::parse(ask("GET", "/api/v1/hubs/plant/devices" + search, "", "reader").body)["value"];
    }

    testing::ScriptedWorkspace workspace_;
};

TEST_F(DevicesApiTest, TellsWhatTheNewestSystemInformationSaysOnlyWhereItIsAskedFor) {
    workspace_.answers_ = {{"SystemInformation",
                            {.columns = {{"DeviceId"},
                                         {"agentVersion"},
                                         {"osPlatform"},
                                         {"lastInformation", workspace::ColumnType::DateTime}},
                             .rows = {{std::string("pump"), std::string("0.1.0"), std::string("Linux"),
                                       kInventoryYear1 + clock_.now().ticks}}}}};
    EXPECT_FALSE(devices("")[0].contains("inventory"));
    for (const auto& asked : workspace_.asked_)
        EXPECT_EQ(asked.text.find("SystemInformation"), std::string::npos);
    const auto told = devices("?include=inventory");
    EXPECT_EQ(told[0]["inventory"]["agentVersion"], "0.1.0");
    EXPECT_EQ(told[0]["inventory"]["osPlatform"], "Linux");
    EXPECT_EQ(told[0]["inventory"]["vendor"], "");
    EXPECT_EQ(told[0]["inventory"]["lastInformation"], "2026-11-23T00:00:00.0000000Z");
    EXPECT_TRUE(told[1]["inventory"].is_null());
}

TEST_F(DevicesApiTest, RefusesToIncludeWhatItDoesNotKnow) {
    const auto refused = ask("GET", "/api/v1/hubs/plant/devices?include=weather");
    EXPECT_EQ(refused.status, 400);
    EXPECT_THAT(refused.body, HasSubstr("inventory"));
}

}  // namespace
}  // namespace fieldwatch::portal
