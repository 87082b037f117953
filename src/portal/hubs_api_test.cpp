#include <nlohmann/json.hpp>
#include <thread>

#include "portal/api_test.hpp"

namespace fieldwatch::portal {
namespace {

class HubsApiTest : public testing::ApiTest {};

TEST_F(HubsApiTest, NamesNoFolderOutsideTheWorkspaces) {
    for (const auto* id : {"../../etc", "..", ".", "a/b", "a b", "a.b"}) {
        const auto refused = ask("PUT", "/api/v1/hubs/third", Json{{"workspace", id}}.dump());
        EXPECT_EQ(refused.status, 400) << id;
    }
    EXPECT_EQ(ask("PUT", "/api/v1/hubs/third", R"({"workspace":"Line_3-b"})").status, 201);
}

TEST_F(HubsApiTest, ChangesOfTwoPeopleAtOnceBothStay) {
    ASSERT_TRUE(registry_->create_hub({.name = {"plant"}}));
    ASSERT_TRUE(registry_->create({.identity = {{"plant"}, {"pump"}, {}}}));
    ASSERT_TRUE(registry_->create({.identity = {{"plant"}, {"pump"}, {"m"}}}));
    static constexpr const char* kModule = "/api/v1/hubs/plant/devices/pump/modules/m";
    const auto change = [&](const char* target, const char* on, const char* off) {
        return [=, this] {
            for (int i = 0; i <= 20; ++i)
                EXPECT_EQ(ask("PATCH", target, i % 2 == 0 ? on : off).status, 200);
        };
    };
    {
        const std::jthread first(
            change("/api/v1/hubs/plant", R"({"maskAddresses":true})", R"({"maskAddresses":false})"));
        const std::jthread second(
            change("/api/v1/hubs/plant", R"({"storeRawEvents":false})", R"({"storeRawEvents":true})"));
        const std::jthread third(change(kModule, R"({"status":"disabled"})", R"({"status":"enabled"})"));
        change(kModule, R"({"statusReason":"y"})", R"({"statusReason":"x"})")();
    }
    const auto hub = *registry_->hub({"plant"});
    EXPECT_TRUE(hub.mask_addresses);
    EXPECT_FALSE(hub.store_raw_events);
    const auto module = *registry_->get({{"plant"}, {"pump"}, {"m"}});
    EXPECT_FALSE(module.enabled);
    EXPECT_EQ(module.status_reason, "y");
}

}  // namespace
}  // namespace fieldwatch::portal
