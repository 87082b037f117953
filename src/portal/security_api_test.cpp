// The published security API: shapes, filters, pages.
#include <gmock/gmock.h>

#include "portal/api_test.hpp"
#include "portal/table_reader.hpp"

namespace fieldwatch::portal {
namespace {

using ::testing::HasSubstr;
using workspace::ColumnType;

const std::string kBase =
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers/Microsoft.Security/"
    "iotSecuritySolutions";
constexpr const char* kAlertId = "0b9d7a52-1111-5222-8333-444455556666";

class SecurityApiTest : public testing::ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        ASSERT_TRUE(registry_->create_hub({.name = {"plant"}, .workspace = "w", .mask_addresses = true}));
        ASSERT_TRUE(registry_->create({.identity = {{"plant"}, {"pump"}, {}}}));
        ASSERT_TRUE(registry_->create({.identity = {{"plant"}, {"valve"}, {}}}));
    }
    void join(Parts& parts) override {
        parts.workspace = [this](std::string_view) { return &workspace_; };
    }
    Json get(const std::string& below, int status = 200) {
        const auto reply = ask("GET", kBase + below, "", "reader");
        EXPECT_EQ(reply.status, status) << below << ": " << reply.body;
        return Json::parse(reply.body);
    }
    /// What the workspace was asked last.
    const std::string& asked() const { return workspace_.asked_.back().text; }

    static workspace::ResultTable count_of(std::int64_t count) {
        return {.columns = {{"Count", ColumnType::Long}}, .rows = {{count}}};
    }
    workspace::ResultTable alerts() const {
        return {.columns = {{"SystemAlertId"},
                            {"CompromisedEntity"},
                            {"AlertType"},
                            {"Entities"},
                            {"ExtendedProperties"}},
                .rows = {{std::string(kAlertId), std::string("pump"), std::string("IoT_CryptoMiner"),
                          std::string(R"([{"$id":"1","Type":"iotdevice"}])"),
                          std::string(R"({"DeviceId":"pump"})")}}};
    }

    testing::ScriptedWorkspace workspace_;
};

TEST_F(SecurityApiTest, ShowsEachHubAsASolution) {
    const auto solution = get("/PLANT?api-version=2019-08-01");
    EXPECT_EQ(solution["id"], kBase + "/plant");
    const auto& properties = solution["properties"];
    EXPECT_EQ(properties["status"], "Enabled");
    EXPECT_EQ(properties["unmaskedIpLoggingStatus"], "Disabled");
    EXPECT_EQ(properties["recommendationsConfiguration"].size(), 16u);
    EXPECT_EQ(properties["recommendationsConfiguration"][0]["status"], "Enabled");
    EXPECT_THAT(properties["iotHubs"][0].get<std::string>(),
                ::testing::EndsWith("/providers/Microsoft.Devices/IotHubs/plant"));
    EXPECT_EQ(get("")["value"].size(), 1u);
    const std::string filter = "?%24filter=properties.iotHubs%2Fany%28i%20eq%20%22%2Fx%2FIotHubs%2F";
    EXPECT_EQ(get(filter + "Plant%22%29")["value"].size(), 1u);
    EXPECT_EQ(get(filter + "other%22%29")["value"].size(), 0u);
    get("?%24filter=name%20eq%20%27x%27", 400);
    get("/plant?api-version=1999-01-01", 400);
    get("/moon", 404);
}

TEST_F(SecurityApiTest, ListsAlertsInThePublishedShapeByPage) {
    workspace_.answers_ = {{" | count", count_of(250)}, {"order by StartTime", alerts()}};
    const auto page =
        get("/plant/iotAlerts?startTimeUtc%3E=2026-11-01T00:00:00Z&alertType=IoT_CryptoMiner&%24limit=1");
    EXPECT_EQ(page["totalCount"], 250);
    EXPECT_THAT(page["nextLink"].get<std::string>(), ::testing::EndsWith("%24limit=1&%24skipToken=1"));
    EXPECT_THAT(asked(), HasSubstr("where StartTime >= datetime(2026-11-01"));
    EXPECT_THAT(asked(), HasSubstr("AlertType == \"IoT_CryptoMiner\""));
    ASSERT_EQ(page["value"].size(), 1u);
    const auto& alert = page["value"][0];
    EXPECT_EQ(alert["name"], kAlertId);
    EXPECT_EQ(alert["type"], "Microsoft.Security/iotAlerts");
    EXPECT_EQ(alert["properties"]["entities"][0]["Type"], "iotdevice");
    EXPECT_EQ(alert["properties"]["extendedProperties"]["DeviceId"], "pump");
    // The link leads on.
    const auto next = ask("GET", page["nextLink"].get<std::string>(), "", "reader");
    EXPECT_EQ(next.status, 200);
    EXPECT_THAT(asked(), HasSubstr("take 2"));
    EXPECT_THAT(asked(), HasSubstr("where StartTime >= datetime(2026-11-01"));
    get("/plant/iotAlerts?startTimeUtc%3C=yesterday", 400);
    get("/plant/iotAlerts?%24limit=0", 400);
}

TEST_F(SecurityApiTest, ShowsOneAlertAndNoText) {
    workspace_.answers_ = {{kAlertId, alerts()}};
    EXPECT_EQ(get(std::string("/plant/iotAlerts/") + kAlertId)["id"], kBase + "/plant/iotAlerts/" + kAlertId);
    get("/plant/iotAlerts/%22%20or%20true", 400);
    get("/plant/iotAlerts/99999999-1111-5222-8333-444455556666", 404);
}

TEST_F(SecurityApiTest, AggregatesAlertsByTypeAndDay) {
    const workspace::ResultTable rows{
        .columns = {{"AlertType"},
                    {"Day", ColumnType::DateTime},
                    {"DisplayName"},
                    {"AlertSeverity"},
                    {"Alerts", ColumnType::Long},
                    {"RemediationSteps"},
                    {"ProductComponentName"},
                    {"ResourceId"}},
        .rows = {{std::string("IoT_CryptoMiner"), std::int64_t{639'302'112'000'000'000},
                  std::string("Crypto \"coin\""), std::string("High"), std::int64_t{3},
                  std::string(R"(["Stop it","Look on"])"), std::string("Agent"),
                  std::string("/subscriptions/s/IotHubs/plant")}}};
    auto day = Row(rows, 0).text("Day").substr(0, 10);
    const workspace::ResultTable devices{
        .columns = {{"AlertType"},
                    {"Day", ColumnType::DateTime},
                    {"CompromisedEntity"},
                    {"Alerts", ColumnType::Long},
                    {"Last", ColumnType::DateTime}},
        .rows = {{std::string("IoT_CryptoMiner"), std::int64_t{639'302'112'000'000'000}, std::string("pump"),
                  std::int64_t{3}, std::int64_t{639'302'112'000'000'000}}}};
    workspace_.answers_ = {{" | count", count_of(1)},
                           {"by AlertType, Day, CompromisedEntity", devices},
                           {"by AlertType, Day", rows}};
    const std::string list = "/plant/analyticsModels/default/aggregatedAlerts";
    const auto page = get(list + "?%24top=5");
    EXPECT_EQ(page["nextLink"], nullptr);
    const auto& found = page["value"][0];
    EXPECT_EQ(found["name"], "IoT_CryptoMiner/" + day);
    const auto& properties = found["properties"];
    EXPECT_EQ(properties["count"], 3);
    EXPECT_EQ(properties["aggregatedDateUtc"], day);
    EXPECT_EQ(properties["effectedResourceType"], "IoT Device");
    EXPECT_EQ(properties["remediationSteps"], "Stop it\nLook on");
    EXPECT_EQ(properties["topDevicesList"][0]["deviceId"], "pump");
    EXPECT_THAT(properties["logAnalyticsQuery"].get<std::string>(),
                HasSubstr(R"(tolower("Crypto \"coin\""))"));
    EXPECT_EQ(get(list + "/IoT_CryptoMiner/" + day)["id"], kBase + list + "/IoT_CryptoMiner/" + day);
    get(list + "/IoT_CryptoMiner/today", 400);
}

TEST_F(SecurityApiTest, DismissesATypeAndDayAtEveryShard) {
    const auto place = kBase + "/plant/analyticsModels/default/aggregatedAlerts/IoT_CryptoMiner/";
    const auto said = [&] {
        std::vector<model::Record> out;
        auto rows = registry_->outbox(100).value();
        for (auto& row : rows)
            if (row.record.kind == model::RecordKind::AlertState) out.push_back(std::move(row.record));
        return out;
    };
    EXPECT_EQ(ask("POST", place + "2026-11-22/dismiss", "", "reader").status, 403);
    EXPECT_EQ(ask("POST", place + "today/dismiss", "").status, 400);
    EXPECT_EQ(ask("POST", place + "2026-11-22/dismiss", "").status, 404);
    EXPECT_TRUE(said().empty());
    workspace_.answers_ = {{"AlertType == \"IoT_CryptoMiner\"", alerts()}};
    const auto reply = ask("POST", place + "2026-11-22/dismiss", "");
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(Json::parse(reply.body),
              (Json{{"name", "IoT_CryptoMiner/2026-11-22"}, {"status", "Dismissed"}}));
    EXPECT_THAT(asked(), HasSubstr("StartTime >= datetime(2026-11-22"));
    ASSERT_EQ(said().size(), 1u);
    EXPECT_EQ(said()[0].sender.hub.value, "plant");
    EXPECT_EQ(said()[0].sender.device.value, "");
    EXPECT_EQ(Json::parse(said()[0].body), (Json{{"aggregate", "IoT_CryptoMiner/2026-11-22"},
                                                 {"status", "Dismissed"},
                                                 {"by", "administrator"}}));
}

TEST_F(SecurityApiTest, ListsRecommendationsAndTheirTypes) {
    const workspace::ResultTable rows{
        .columns = {{"RecommendationName"}, {"DeviceId"}, {"RecommendationAdditionalData"}},
        .rows = {{std::string("IoT_OpenPorts"), std::string("pump"), std::string(R"({"Endpoints":"[]"})")},
                 {std::string("IoT_IPFilter_DenyAll"), std::string(), std::string("{}")}}};
    workspace_.answers_ = {{" | count", count_of(2)}, {"order by DiscoveredTimeUTC", rows}, {"take 1", rows}};
    const auto page = get("/plant/iotRecommendations?deviceId=pump");
    EXPECT_EQ(page["value"][0]["name"], "IoT_OpenPorts|pump");
    EXPECT_EQ(page["value"][0]["properties"]["recommendationAdditionalData"]["Endpoints"], "[]");
    EXPECT_EQ(page["value"][1]["name"], "IoT_IPFilter_DenyAll|plant");
    EXPECT_EQ(get("/plant/iotRecommendations/IoT_OpenPorts%7Cpump")["name"], "IoT_OpenPorts|pump");
    get("/plant/iotRecommendations/IoT_OpenPorts", 400);
    const auto types = get("/plant/iotRecommendationTypes")["value"];
    EXPECT_EQ(types.size(), 23u);
    const auto one = get("/plant/iotRecommendationTypes/IoT_OpenPorts")["properties"];
    EXPECT_EQ(one["recommendationDisplayName"], "Open Ports on device");
    EXPECT_GE(one["remediationSteps"].size(), 1u);
    get("/plant/iotRecommendationTypes/IoT_None", 404);
}

TEST_F(SecurityApiTest, CountsHealthyAndUnhealthyDevicesByType) {
    const workspace::ResultTable rows{
        .columns = {{"RecommendationName"}, {"Devices", ColumnType::Long}, {"AssessedResourceId"}},
        .rows = {{std::string("IoT_OpenPorts"), std::int64_t{1}, std::string("/x/IotHubs/plant")}}};
    workspace_.answers_ = {{" | count", count_of(1)}, {"by RecommendationName", rows}};
    const std::string list = "/plant/analyticsModels/default/aggregatedRecommendations";
    const auto properties = get(list)["value"][0]["properties"];
    EXPECT_EQ(properties["healthyDevices"], 1);
    EXPECT_EQ(properties["unhealthyDeviceCount"], 1);
    EXPECT_EQ(properties["recommendationTypeId"].get<std::string>().size(), 36u);
    EXPECT_EQ(get(list + "/IoT_OpenPorts")["properties"], properties);
}

TEST_F(SecurityApiTest, SumsUpAHub) {
    const auto model = get("/plant/analyticsModels/default");
    EXPECT_EQ(model["name"], "default");
    EXPECT_EQ(model["properties"]["metrics"], (Json{{"high", 0}, {"medium", 0}, {"low", 0}}));
    EXPECT_EQ(model["properties"]["devicesMetrics"].size(), 30u);
    EXPECT_TRUE(model["properties"]["mostPrevalentDeviceAlerts"].is_array());
    EXPECT_EQ(get("/plant/analyticsModels")["value"][0], model);
}

}  // namespace
}  // namespace fieldwatch::portal
