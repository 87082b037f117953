// Risk over HTTP: all rows count, or it is said that there are too many.
#include <gmock/gmock.h>

#include "portal/api_test.hpp"

namespace fieldwatch::portal {
namespace {

using ::testing::HasSubstr;

class RiskApi : public testing::ApiTest {
  protected:
    void SetUp() override {
        ApiTest::SetUp();
        ASSERT_TRUE(registry_->create_hub({.name = {"plant"}, .workspace = "w"}));
    }
    void join(Parts& parts) override {
        parts.workspace = [this](std::string_view) { return &workspace_; };
    }

    testing::ScriptedWorkspace workspace_;
};

TEST_F(RiskApi, IsOfAllRowsOrSaysWhatToAskFor) {
    EXPECT_EQ(ask("GET", "/api/v1/risk?hub=plant").status, 200);
    EXPECT_THAT(workspace_.asked_.front().text, HasSubstr("Status != 'Resolved' or At >= datetime("));
    workspace_.truncated_ = true;
    const auto fleet = ask("GET", "/api/v1/risk?hub=plant");
    EXPECT_EQ(fleet.status, 413);
    EXPECT_THAT(fleet.body, HasSubstr("more than 50000 rows: name one"));
    const auto device = ask("GET", "/api/v1/risk?hub=plant&device=d1");
    EXPECT_EQ(device.status, 413);
    EXPECT_THAT(device.body, HasSubstr("more than 50000 rows: resolve or dismiss"));
}

}  // namespace
}  // namespace fieldwatch::portal
