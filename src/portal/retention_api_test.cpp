// Days a table's rows are kept: shown, foretold, changed only where what goes was agreed to.
#include <gmock/gmock.h>

#include "portal/api_test.hpp"
#include "workspace/upkeep.hpp"

namespace fieldwatch::portal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

/// A workspace with thirty old rows of one table.
class KeptRows final : public testing::ScriptedWorkspace, public workspace::Upkeep {
  public:
    explicit KeptRows(const Clock& clock) : clock_(clock) {}
    Result<void> snapshot_to(const std::string&) override { return {}; }
    Result<workspace::Purged> purge(const workspace::Purge&) override { return workspace::Purged{}; }
    Result<std::vector<workspace::TableUse>> use() override {
        return std::vector<workspace::TableUse>{
            {.table = "SecurityAlert",
             .days = days_of(days_, "SecurityAlert"),
             .usual_days = 90,
             .rows = 40,
             .bytes = 5'000,
             .oldest = clock_.now() - std::chrono::hours(24 * 60)},
            {.table = "AzureActivity", .days = days_of(days_, "AzureActivity"), .usual_days = 90}};
    }
    Result<std::vector<workspace::Expiring>> expiring(const workspace::RetentionDays& days) override {
        std::vector<workspace::Expiring> out;
        for (const auto* table : {"SecurityAlert", "AzureActivity"}) {
            const auto kept = days_of(days, table);
            const bool lost = std::string_view(table) == "SecurityAlert" && kept < 60;
            out.push_back({.table = table,
                           .days = kept,
                           .before = clock_.now() - std::chrono::days(kept),
                           .rows = lost ? 30u : 0u,
                           .bytes = lost ? 4'000u : 0u});
        }
        return out;
    }
    void keep(const workspace::RetentionDays& days) override { days_ = days; }

    workspace::RetentionDays days_;

  private:
    static unsigned days_of(const workspace::RetentionDays& days, std::string_view table) {
        const auto found = days.find(table);
        return found == days.end() ? 90 : found->second;
    }
    const Clock& clock_;
};

class RetentionApiTest : public testing::ApiTest {
  protected:
    void join(Parts& parts) override {
        parts.workspace = [this](std::string_view id) { return id == "w" ? &workspace_ : nullptr; };
        parts.workspace_bytes = [](std::string_view) { return 9'000; };
    }
    void SetUp() override {
        ApiTest::SetUp();
        ASSERT_TRUE(registry_->create_hub({.name = {"plant"}, .workspace = "w"}));
    }
    Json change(const Json& body, int status) {
        const auto reply = ask("PUT", kPath, body.dump());
        EXPECT_EQ(reply.status, status) << reply.body;
        return Json::parse(reply.body);
    }

    static constexpr const char* kPath = "/api/v1/hubs/plant/retention";
    KeptRows workspace_{clock_};
};

TEST_F(RetentionApiTest, ShowsEveryTableToReaders) {
    ASSERT_TRUE(registry_->create_hub({.name = {"annex"}, .workspace = "w"}));
    const auto shown = Json::parse(ask("GET", kPath, "", "reader").body);
    EXPECT_EQ(shown["hubs"], Json::array({"annex", "plant"}));
    EXPECT_EQ(shown["bytes"], 9'000);
    EXPECT_EQ(shown["tables"][0], (Json{{"table", "SecurityAlert"},
                                        {"days", 90},
                                        {"usualDays", 90},
                                        {"rows", 40},
                                        {"bytes", 5'000},
                                        {"oldest", "2026-09-24T00:00:00.0000000Z"}}));
    EXPECT_TRUE(shown["tables"][1]["oldest"].is_null());
}

TEST_F(RetentionApiTest, LengthensWithoutAskingAndKeepsItInTheRegistry) {
    EXPECT_EQ(change({{"days", {{"AzureActivity", 365}}}}, 200)["tables"][1]["days"], 365);
    EXPECT_EQ(registry_->setting("workspace.retention/w").value(), R"({"AzureActivity":365})");
    EXPECT_EQ(change({{"days", {{"SecurityAlert", 70}}}}, 200)["tables"][0]["days"], 70)
        << "shorter, and nothing goes";
    EXPECT_EQ(change({{"days", {{"AzureActivity", nullptr}}}}, 200)["tables"][1]["days"], 90);
    EXPECT_EQ(registry_->setting("workspace.retention/w").value(), R"({"SecurityAlert":70})");
}

TEST_F(RetentionApiTest, DeletesOnlyWhatWasAgreedTo) {
    const Json body{{"days", {{"SecurityAlert", 30}}}};
    const auto foretold = Json::parse(ask("POST", std::string(kPath) + "/preview", body.dump()).body);
    EXPECT_EQ(foretold["tables"], Json::array({{{"table", "SecurityAlert"},
                                                {"days", 30},
                                                {"before", "2026-10-24T00:00:00.0000000Z"},
                                                {"rows", 30},
                                                {"bytes", 4'000}}}));
    EXPECT_THAT(change(body, 409)["error"]["message"].get<std::string>(),
                HasSubstr("30 rows of SecurityAlert from before 2026-10-24T00:00:00.0000000Z"));
    EXPECT_TRUE(workspace_.days_.empty());
    EXPECT_FALSE(registry_->setting("workspace.retention/w").value());
    EXPECT_EQ(change({{"days", {{"SecurityAlert", 30}}}, {"delete", true}}, 200)["tables"][0]["days"], 30);
    EXPECT_EQ(workspace_.days_, (workspace::RetentionDays{{"SecurityAlert", 30}}));
    std::string told;
    const auto rows = registry_->outbox(100).value();
    for (const auto& row : rows)
        told += row.record.body;
    EXPECT_THAT(told, HasSubstr("SecurityAlert 90 to 30 days (deletes 30 rows of SecurityAlert"));
}

TEST_F(RetentionApiTest, SaysWhatIsWrong) {
    EXPECT_THAT(change({{"days", {{"Moon", 3}}}}, 400).dump(), HasSubstr("SecurityIoTRawEvent"));
    EXPECT_THAT(change({{"days", {{"SecurityAlert", 0}}}}, 400).dump(), HasSubstr("from 1 to 3650"));
    EXPECT_THAT(change({{"days", {{"SecurityAlert", "9"}}}}, 400).dump(), HasSubstr("from 1 to 3650"));
    EXPECT_THAT(change({{"days", Json::object()}}, 400).dump(), HasSubstr("is required"));
    EXPECT_EQ(ask("GET", "/api/v1/hubs/moon/retention").status, 404);
    EXPECT_TRUE(workspace_.days_.empty());
}

TEST_F(RetentionApiTest, AWorkspaceOfSeveralHubsIsNotForATokenOfOne) {
    ASSERT_TRUE(registry_->create_hub({.name = {"annex"}, .workspace = "w"}));
    ASSERT_TRUE(accounts_->add(registry::Token{.name = "plant's",
                                               .hash_hex = hex(sha256(as_bytes(std::string("plant's")))),
                                               .role = "administrator",
                                               .hubs = {"plant"}}));
    EXPECT_EQ(ask("PUT", kPath, R"({"days":{"AzureActivity":365}})", "plant's").status, 403);
    EXPECT_TRUE(workspace_.days_.empty());
}

}  // namespace
}  // namespace fieldwatch::portal
