// The lines of behaviour.expectations: listed with what they cover, added, taken back.
#include <gmock/gmock.h>

#include "portal/api_test.hpp"

namespace fieldwatch::portal {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

class ExpectationsApiTest : public testing::ApiTest {
  protected:
    void join(Parts& parts) override {
        parts.workspace = [this](std::string_view) { return &workspace_; };
        parts.content_changed = [this] { ++changes_; };
    }
    void SetUp() override {
        ApiTest::SetUp();
        ASSERT_TRUE(registry_->create_hub({.name = {"plant"}, .workspace = "w"}));
    }
    Json list() { return Json::parse(ask("GET", "/api/v1/expectations", "", "reader").body)["value"]; }
    net::HttpResponse add(const Json& line) { return ask("POST", "/api/v1/expectations", line.dump()); }
    Json settings() { return Json::parse(registry_->setting(kDetectionSettings).value().value()); }

    testing::ScriptedWorkspace workspace_;
    int changes_ = 0;
};

const Json kOvens{{"verdict", "expected"},           {"device", "oven-*"},
                  {"type", "IoT_X_UnusualMetric"},   {"cause", "celsius"},
                  {"until", "2026-12-04T18:00:00Z"}, {"note", "they are being cleaned"}};

TEST_F(ExpectationsApiTest, ListsWhatTheSettingsSayWhoeverWroteIt) {
    EXPECT_TRUE(list().empty());
    ASSERT_TRUE(registry_->set_setting(kDetectionSettings,
                                       R"({"behaviour":true,"behaviour.expectations":[
            {"verdict":"unexpected","hub":"plant","until":"2026-11-01T00:00:00Z","by":"ada"}]})"));
    const auto lines = list();
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_EQ(lines[0]["verdict"], "unexpected");
    EXPECT_EQ(lines[0]["hub"], "plant");
    EXPECT_EQ(lines[0]["device"], "");
    EXPECT_EQ(lines[0]["by"], "ada");
    EXPECT_EQ(lines[0]["over"], true);
}

TEST_F(ExpectationsApiTest, AddsOneAndTakesItBack) {
    ASSERT_TRUE(registry_->set_setting(kDetectionSettings, R"({"behaviour":true})"));
    const auto added = add(kOvens);
    ASSERT_EQ(added.status, 201) << added.body;
    const auto line = Json::parse(added.body);
    EXPECT_EQ(line["by"], "administrator");
    EXPECT_EQ(line["over"], false);
    EXPECT_EQ(settings()["behaviour"], true);
    EXPECT_EQ(settings()["behaviour.expectations"].size(), 1u);
    EXPECT_EQ(add(kOvens).status, 409) << "once is enough";
    EXPECT_EQ(list()[0]["id"], line["id"]);

    const auto id = line["id"].get<std::string>();
    EXPECT_EQ(ask("DELETE", "/api/v1/expectations/" + id).status, 204);
    EXPECT_FALSE(settings().contains("behaviour.expectations"));
    EXPECT_EQ(settings()["behaviour"], true);
    EXPECT_EQ(changes_, 2);
    EXPECT_EQ(ask("DELETE", "/api/v1/expectations/" + id).status, 404);
    std::string told;
    const auto rows = registry_->outbox(100).value();
    for (const auto& row : rows)
        told += row.record.body;
    EXPECT_THAT(told, HasSubstr("they are being cleaned"));
}

TEST_F(ExpectationsApiTest, CountsTheAlertsThatALineCovers) {
    workspace_.answers_ = {
        {"IoT_X_UnusualMetric",
         {.columns = {{"AlertType"}, {"CompromisedEntity"}, {"Hub"}, {"Cause"}, {"Feedback"}},
          .rows = {{std::string("IoT_X_UnusualMetric"), std::string("oven-1"), std::string("plant"),
                    std::string("celsius"), std::string("")},
                   {std::string("IoT_X_UnusualMetric"), std::string("oven-2"), std::string("plant"),
                    std::string("watts"), std::string("")},
                   {std::string("IoT_X_RareLogin"), std::string("door"), std::string("plant"),
                    std::string("root"), std::string("unexpected")}}}}};
    ASSERT_EQ(add(kOvens).status, 201);
    ASSERT_EQ(add({{"verdict", "unexpected"}, {"type", "IoT_X_RareLogin"}, {"until", "2027-12-01T00:00:00Z"}})
                  .status,
              201);
    const auto lines = list();
    EXPECT_EQ(lines[0]["alerts"], 1);
    EXPECT_EQ(lines[0]["earlier"], 0);
    EXPECT_EQ(lines[1]["alerts"], 1);
    EXPECT_EQ(lines[1]["earlier"], 1);
}

TEST_F(ExpectationsApiTest, RefusesWhatIsNoLine) {
    EXPECT_THAT(add({{"verdict", "maybe"}, {"until", "2027-12-01T00:00:00Z"}}).body, HasSubstr("verdict"));
    EXPECT_THAT(add({{"verdict", "expected"}}).body, HasSubstr("until"));
    EXPECT_THAT(add({{"verdict", "expected"}, {"until", "2026-11-22T00:00:00Z"}}).body, HasSubstr("future"));
    EXPECT_THAT(add({{"verdict", "expected"}, {"until", "2027-12-01T00:00:00Z"}, {"by", "eve"}}).body,
                HasSubstr("by"));
    EXPECT_EQ(changes_, 0);
}

}  // namespace
}  // namespace fieldwatch::portal
