// What people decide about alerts: which records it becomes in the log, and what is refused before any is
// written.
#include "portal/alert_decisions.hpp"

#include "portal/api_test.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::string_view kWorkspace = "11111111-2222-3333-4444-555555555555";
const std::string kAlert = "0b9d7a52-5e0f-5a5e-8b52-3c1f0f6d9a11";
const std::string kOther = "1c9d7a52-5e0f-5a5e-8b52-3c1f0f6d9a22";
const std::string kGone = "2d9d7a52-5e0f-5a5e-8b52-3c1f0f6d9a33";

class AlertDecisionsTest : public testing::ApiTest {
  protected:
    void join(Parts& parts) override {
        parts.workspace = [this](std::string_view id) { return id == kWorkspace ? &workspace_ : nullptr; };
        ASSERT_TRUE(registry_->create_hub({.name = {"plant"}, .workspace = std::string(kWorkspace)}));
    }

    /// The newest rows that the workspace gives: alerts of these devices, by their ids.
    void stored(std::vector<std::pair<std::string, std::string>> alerts) {
        workspace::ResultTable table{.columns = {{"SystemAlertId"},
                                                 {"Status"},
                                                 {"CompromisedEntity"},
                                                 {"Evidence", workspace::ColumnType::Dynamic}}};
        for (auto& [id, entity] : alerts)
            table.rows.push_back(
                {std::move(id), std::string("New"), std::move(entity), std::string("[[2,41,0],[2,43,1]]")});
        workspace_.answers_ = {{"SystemAlertId in", std::move(table)}};
    }

    std::vector<model::Record> decisions() {  // the audit's own records lie beside them
        std::vector<model::Record> out;
        auto rows = registry_->outbox(100).value();
        for (auto& row : rows)
            if (row.record.kind == model::RecordKind::AlertState) out.push_back(std::move(row.record));
        return out;
    }
    Json last_said() { return Json::parse(decisions().back().body); }

    testing::ScriptedWorkspace workspace_;
    const std::string place_ = "/api/v1/alerts/" + kAlert;
};

TEST_F(AlertDecisionsTest, PutsADismissalIntoTheLog) {
    stored({{kAlert, "pump"}});
    EXPECT_EQ(ask("POST", place_ + "/dismiss", "", "reader").status, 403);
    EXPECT_EQ(ask("POST", place_ + "/dismiss", R"({"assignee":"nobody"})").status, 400);
    ASSERT_TRUE(decisions().empty());
    EXPECT_EQ(ask("POST", place_ + "/dismiss").status, 202);
    EXPECT_EQ(decisions().back().sender.device.value, "pump");
    EXPECT_EQ(last_said(), (Json{{"alertId", kAlert}, {"status", "Dismissed"}, {"by", "administrator"}}));
    workspace_.answers_.clear();
    EXPECT_EQ(ask("POST", place_ + "/dismiss").status, 404);
}

TEST_F(AlertDecisionsTest, SendsADecisionOnAHubsOwnAlertToEveryShard) {
    stored({{kAlert, "plant"}});
    EXPECT_EQ(ask("POST", place_ + "/dismiss").status, 202);
    EXPECT_EQ(decisions().back().sender.device.value, "");
    EXPECT_EQ(last_said()["partition"], "2");
}

TEST_F(AlertDecisionsTest, PutsWhatAPersonSaysIntoTheLog) {
    stored({{kAlert, "pump"}});
    EXPECT_EQ(ask("POST", place_ + "/dismiss", R"({"reason":"Expected","comment":"our own"})").status, 202);
    EXPECT_EQ(last_said()["comment"], "our own");
    EXPECT_EQ(ask("PATCH", place_, R"({"feedback":"NotUseful"})").status, 202);
    EXPECT_EQ(last_said()["feedback"], "NotUseful");
    EXPECT_FALSE(last_said().contains("status"));
    EXPECT_EQ(ask("PATCH", place_, "{}").status, 400);
    EXPECT_EQ(ask("PATCH", place_, R"({"feedback":"Great"})").status, 400);
    EXPECT_EQ(ask("PATCH", place_, Json{{"comment", std::string(2'001, 'x')}}.dump()).status, 400);
    EXPECT_EQ(ask("PATCH", "/api/v1/alerts/x'y", R"({"feedback":"Useful"})").status, 400);
}

TEST_F(AlertDecisionsTest, DecidesAboutManyAtOnce) {
    stored({{kAlert, "pump"}, {kOther, "valve"}});
    const auto decide = [&](Json ids, Json said, std::string_view role = "administrator") {
        said["ids"] = std::move(ids);
        return ask("POST", "/api/v1/alerts/decisions", said.dump(), role);
    };
    const auto dismissal = Json{{"status", "Dismissed"}, {"reason", "A test"}};
    EXPECT_EQ(decide(Json::array({kAlert}), dismissal, "reader").status, 403);
    EXPECT_EQ(decide(Json::array({kAlert, "x'y"}), dismissal).status, 400);
    EXPECT_EQ(decide(Json::array({kAlert, 7}), dismissal).status, 400);
    EXPECT_EQ(decide(Json::array(), dismissal).status, 400);
    EXPECT_EQ(decide(Json(501, kAlert), dismissal).status, 400);
    EXPECT_EQ(decide(Json::array({kAlert}), Json::object()).status, 400);
    EXPECT_EQ(decide(Json::array({kAlert}), Json{{"assignee", "nobody"}}).status, 400);
    ASSERT_TRUE(decisions().empty());

    const auto done = decide(Json::array({kAlert, kGone, kOther, kAlert}), dismissal);
    EXPECT_EQ(done.status, 202);
    EXPECT_EQ(Json::parse(done.body),
              (Json{{"decided", Json::array({kAlert, kOther})}, {"unknown", Json::array({kGone})}}));
    ASSERT_EQ(decisions().size(), 2u);
    EXPECT_EQ(decisions()[1].sender.device.value, "valve");
    EXPECT_EQ(
        last_said(),
        (Json{{"alertId", kOther}, {"status", "Dismissed"}, {"reason", "A test"}, {"by", "administrator"}}));
}

}  // namespace
}  // namespace fieldwatch::portal
