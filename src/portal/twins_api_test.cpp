// What is done to devices here, in the operation log of their hub.
#include "portal/api_test.hpp"

namespace fieldwatch::portal {
namespace {

class TwinsApi : public testing::ApiTest {};

TEST_F(TwinsApi, WhatIsDoneHereIsAnOperationOfTheHub) {
    ASSERT_TRUE(registry_->create_hub({.name = {"plant"}, .workspace = "w"}));
    const model::Identity pump{{"plant"}, {"pump"}, {}};
    ASSERT_TRUE(registry_->create({.identity = pump}));
    const std::string device = "/api/v1/hubs/plant/devices/pump", twin = device + "/twin";
    // Both parts in one request are one update: custom alerts count operations.
    ASSERT_EQ(ask("PATCH", twin, R"({"properties":{"desired":{"a":1}},"tags":{"b":2}})").status, 200);
    EXPECT_EQ(ask("PATCH", twin, R"({"properties":{"reported":{}}})").status, 400);
    EXPECT_EQ(ask("DELETE", device).status, 204);
    ASSERT_EQ(devices_.operated_.size(), 3u);
    EXPECT_EQ(devices_.operated_[0], "C2DTwinOperations/update pump by administrator");
    EXPECT_TRUE(devices_.operated_[1].starts_with("C2DTwinOperations/update pump by administrator: "));
    EXPECT_EQ(devices_.operated_[2], "DeviceIdentityOperations/delete pump by administrator");
}

}  // namespace
}  // namespace fieldwatch::portal
