// Profiles over HTTP: shown, written for others, accepted, watched, forgotten.
#include <gmock/gmock.h>

#include "portal/api_test.hpp"
#include "portal/scheduled_rules.hpp"

namespace fieldwatch::portal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using workspace::ColumnType;

/// Finds nothing, and remembers what it was asked to try.
class RulesTried final : public ScheduledRules {
  public:
    std::vector<detect::ScheduledRule> tried_;

    Result<ScheduledTrial> trial(const registry::Hub&, const detect::ScheduledRule& rule) override {
        tried_.push_back(rule);
        return ScheduledTrial{};
    }
    ScheduledHealth health(std::string_view, std::string_view) override { return {}; }
    std::vector<ScheduledRun> runs(std::string_view, std::string_view) override { return {}; }
    void changed() override {}
};

class ProfilesApi : public testing::ApiTest {
  protected:
    static constexpr const char* kOne = "/api/v1/hubs/plant/profiles/cameras";

    void SetUp() override {
        ApiTest::SetUp();
        ASSERT_TRUE(registry_->create_hub({.name = {"plant"}, .workspace = "w"}));
    }
    void join(Parts& parts) override {
        parts.workspace = [this](std::string_view) { return &workspace_; };
        parts.scheduled = &rules_;
    }
    /// Rows as the workspace has them.
    void connections(const std::vector<std::tuple<std::string, std::string, std::int64_t>>& rows) {
        const auto at = Timestamp::from_unix_seconds(1'795'000'000);
        workspace::ResultTable table{.columns = {{"DeviceId"},
                                                 {"Program"},
                                                 {"Remote"},
                                                 {"Protocol"},
                                                 {"Port", ColumnType::Long},
                                                 {"Way"},
                                                 {"Count", ColumnType::Long},
                                                 {"First", ColumnType::DateTime},
                                                 {"Last", ColumnType::DateTime}},
                                     .rows = {}};
        for (const auto& [device, remote, port] : rows)
            table.rows.push_back({device, std::string("/usr/bin/app"), remote, std::string("tcp"), port,
                                  std::string("out"), std::int64_t{3}, at.ticks, at.ticks});
        workspace_.answers_ = {{"by DeviceId, Program, Remote", table}};
    }
    Json json(const net::HttpResponse& reply) { return Json::parse(reply.body, nullptr, false); }

    testing::ScriptedWorkspace workspace_;
    RulesTried rules_;
};

TEST_F(ProfilesApi, ShowsWhatIsStandardForAClass) {
    connections({{"camera-1", "203.0.113.7", 443}, {"camera-2", "203.0.113.7", 443}});
    const auto reply = ask("GET", std::string(kOne) + "?devices=camera-*,door&days=3", "", "reader");
    ASSERT_EQ(reply.status, 200) << reply.body;
    const auto profile = json(reply);
    EXPECT_EQ(profile["connections"][0]["line"], "out tcp/443 203.0.113.7/32");
    EXPECT_EQ(profile["connections"][0]["devices"], 2);
    EXPECT_EQ(profile["deviceCount"], 2);
    EXPECT_EQ(profile["accepted"], nullptr);
    ASSERT_EQ(workspace_.asked_.size(), 3u);
    EXPECT_THAT(workspace_.asked_[0].text,
                HasSubstr(R"((DeviceId startswith_cs "camera-" or DeviceId in ("door")))"));
    ASSERT_EQ(ask("GET", "/api/v1/hubs/plant/profiles/camera-7").status, 200);
    EXPECT_THAT(workspace_.asked_.back().text, HasSubstr(R"(DeviceId in ("camera-7"))"))
        << "the device itself";
}

TEST_F(ProfilesApi, IsAcceptedWatchedAndForgotten) {
    connections({{"camera-1", "203.0.113.7", 443}});
    EXPECT_EQ(ask("PUT", kOne, R"({"devices":["camera-*"]})", "reader").status, 403);
    auto reply = ask("PUT", kOne, R"({"devices":["camera-*"],"days":7})");
    ASSERT_EQ(reply.status, 201) << reply.body;
    EXPECT_EQ(json(reply)["lines"], Json::array({"out tcp/443 203.0.113.7/32"}));
    ASSERT_EQ(rules_.tried_.size(), 1u);
    EXPECT_EQ(rules_.tried_[0].id, "profile-cameras");
    EXPECT_THAT(rules_.tried_[0].query, HasSubstr(R"(Remote in ("203.0.113.7"))"));
    EXPECT_EQ(ask("GET", "/api/v1/hubs/plant/scheduled-rules/profile-cameras").status, 200);

    connections({{"camera-1", "203.0.113.7", 443}, {"camera-1", "198.51.100.9", 23}});
    const auto shown = json(ask("GET", kOne));
    EXPECT_EQ(shown["drift"]["added"], Json::array({"out tcp/23 198.51.100.9/32"}));
    EXPECT_EQ(shown["devices"], Json::array({"camera-*"})) << "as it was accepted";
    reply = ask("PUT", kOne, "{}");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(json(reply)["version"], 2);
    EXPECT_EQ(json(ask("GET", "/api/v1/hubs/plant/profiles"))["value"].size(), 1u);

    EXPECT_EQ(ask("DELETE", kOne).status, 204);
    EXPECT_EQ(ask("DELETE", kOne).status, 404);
    EXPECT_EQ(ask("GET", "/api/v1/hubs/plant/scheduled-rules/profile-cameras").status, 404);
}

TEST_F(ProfilesApi, IsWrittenForSwitchesFiltersAndGroups) {
    connections({{"camera-1", "203.0.113.7", 443}});
    const auto mud = ask("GET", std::string(kOne) + "/mud?url=https://mud.example/c.json");
    ASSERT_EQ(mud.status, 200) << mud.body;
    EXPECT_EQ(json(mud)["ietf-mud:mud"]["mud-url"], "https://mud.example/c.json");
    EXPECT_EQ(ask("GET", std::string(kOne) + "/mud?url=http://mud.example/c.json").status, 400);
    EXPECT_THAT(ask("GET", std::string(kOne) + "/nftables?enforce=true").body, HasSubstr(" drop"));
    EXPECT_EQ(json(ask("GET", std::string(kOne) +
                                  "/allow-list"))["properties"]["allowlistRules"][0]["allowlistValues"],
              Json::array({"203.0.113.7/32"}));

    // The reviewed file goes back: what it allows is accepted, whatever happens today.
    connections({{"camera-1", "198.51.100.9", 23}});
    const Json body{{"mud", json(mud)}};
    EXPECT_EQ(json(ask("POST", std::string(kOne) + "/diff", body.dump()))["gone"],
              Json::array({"out tcp/443 203.0.113.7/32"}));
    const auto accepted = ask("PUT", kOne, body.dump());
    ASSERT_EQ(accepted.status, 201) << accepted.body;
    EXPECT_EQ(json(accepted)["lines"], Json::array({"out tcp/443 203.0.113.7/32"}));
}

TEST_F(ProfilesApi, RefusesWhatSaysNothing) {
    EXPECT_EQ(ask("PUT", kOne, "{}").status, 400) << "no connection, nothing to accept";
    for (const auto* const form : {"/mud", "/nftables?enforce=true", "/allow-list"})
        EXPECT_EQ(ask("GET", std::string(kOne) + form).status, 400) << form << " would let nothing through";
    connections({{"camera-1", "203.0.113.7", 443}});
    for (const auto* const body : {R"({"devices":[]})", R"({"devices":["a*b"]})", R"({"days":0})",
                                   R"({"days":"x"})", R"({"mud":{}})", R"({"mud":7})", R"({"other":1})"})
        EXPECT_EQ(ask("PUT", kOne, body).status, 400) << body;
    EXPECT_EQ(ask("GET", std::string(kOne) + "?days=1000").status, 400);
    EXPECT_EQ(ask("GET", "/api/v1/hubs/plant/profiles/two%20words").status, 400);
    EXPECT_EQ(ask("GET", "/api/v1/hubs/moon/profiles/cameras").status, 404);
    EXPECT_EQ(ask("POST", std::string(kOne) + "/diff", R"({"mud":[]})").status, 400);
}

}  // namespace
}  // namespace fieldwatch::portal
