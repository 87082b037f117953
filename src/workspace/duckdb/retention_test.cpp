// What tables hold, and what a change of their retention takes out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workspace/duckdb/test_workspace.hpp"
#include "workspace/tables.hpp"
#include "workspace/upkeep.hpp"

namespace fieldwatch::workspace {
namespace {

using std::chrono::hours;
using ::testing::HasSubstr;

class RetentionTest : public ::testing::Test {
  protected:
    void SetUp() override {
        workspace_ = std::move(*open(testing::options_in(directory_.path()), clock_, metrics_));
        upkeep_ = upkeep_of(*workspace_).value();
    }
    void commit_rows(int count) {
        Commit commit{.partition = 0, .next_offset = next_ + count};
        for (int i = 0; i < count; ++i)
            commit.raw_events.push_back(testing::raw_event(0, next_ + i, clock_.now()));
        commit.alerts.push_back(testing::alert_row(0, next_, clock_.now()));
        next_ += static_cast<std::uint64_t>(count);
        ASSERT_TRUE(workspace_->commit(std::move(commit)));
    }
    TableUse use_of(std::string_view table) {
        const auto all = upkeep_->use().value();
        for (const auto& one : all)
            if (one.table == table) return one;
        return {};
    }
    Expiring expiring(std::string_view table, const RetentionDays& days) {
        const auto all = upkeep_->expiring(days).value();
        for (const auto& one : all)
            if (one.table == table) return one;
        return {};
    }
    std::int64_t asked(const std::string& table) {
        const auto answer = workspace_->query({.text = table + " | count"});
        return std::get<std::int64_t>(answer->tables.at(0).rows.at(0).at(0));
    }

    testing::Directory directory_;
    ManualClock clock_{testing::kStart};
    Metrics metrics_;
    std::unique_ptr<Workspace> workspace_;
    Upkeep* upkeep_ = nullptr;
    std::uint64_t next_ = 0;
};

constexpr std::string_view kRaw = "SecurityIoTRawEvent", kAlerts = "SecurityAlert";

TEST_F(RetentionTest, SaysOfAnEmptyTableThatItIsEmpty) {
    EXPECT_EQ(upkeep_->use()->size(), tables::all().size());
    const auto raw = use_of(kRaw);
    EXPECT_EQ(raw.days, 31u);
    EXPECT_EQ(raw.usual_days, 31u);
    EXPECT_EQ(raw.rows, 0u);
    EXPECT_EQ(raw.bytes, 0u);
    EXPECT_FALSE(raw.oldest);
    EXPECT_EQ(use_of(kAlerts).days, 90u);
}

TEST_F(RetentionTest, CountsHotRowsAndSealedOnesAndSaysWhichIsTheOldest) {
    commit_rows(10);
    const auto first = clock_.now();
    EXPECT_EQ(use_of(kRaw).bytes, 0u) << "nothing is sealed";
    EXPECT_EQ(use_of(kRaw).oldest, first);
    clock_.advance(hours(30));
    commit_rows(5);
    ASSERT_TRUE(workspace_->maintain());
    const auto raw = use_of(kRaw);
    EXPECT_EQ(raw.rows, 15u);
    EXPECT_GT(raw.bytes, 0u);
    EXPECT_EQ(raw.oldest, first);
    EXPECT_EQ(use_of(kAlerts).rows, 2u);
}

TEST_F(RetentionTest, ForetellsExactlyWhatShorteningTakesOut) {
    commit_rows(10);
    clock_.advance(hours(24 * 3));
    commit_rows(20);
    clock_.advance(hours(1));
    commit_rows(7);
    ASSERT_TRUE(workspace_->maintain());
    clock_.advance(hours(24 * 2));
    const RetentionDays two{{std::string(kRaw), 2}};
    const auto raw = expiring(kRaw, two);
    EXPECT_EQ(raw.days, 2u);
    EXPECT_EQ(raw.before, clock_.now() - hours(48));
    EXPECT_EQ(raw.rows, 30u) << "the seven are just young enough";
    EXPECT_GT(raw.bytes, 0u);
    EXPECT_EQ(expiring(kAlerts, two).rows, 0u) << "alerts are kept as long as before";
    EXPECT_EQ(asked(std::string(kRaw)), 37) << "to foretell is not to do";

    const auto bytes = use_of(kRaw).bytes;
    upkeep_->keep(two);
    EXPECT_EQ(asked(std::string(kRaw)), 7) << "queries see no older row at once";
    ASSERT_TRUE(workspace_->maintain());
    EXPECT_EQ(use_of(kRaw).rows, 7u);
    EXPECT_EQ(use_of(kRaw).days, 2u);
    EXPECT_LE(use_of(kRaw).bytes, bytes - raw.bytes + 16'384) << "the hot rows may be sealed by now";
    EXPECT_EQ(asked(std::string(kAlerts)), 3);

    upkeep_->keep({});
    EXPECT_EQ(use_of(kRaw).days, 31u);
    EXPECT_EQ(asked(std::string(kRaw)), 7) << "what went does not come back";
}

TEST_F(RetentionTest, CountsRowsInAFileThatStraddlesTheEnd) {
    commit_rows(10);
    clock_.advance(std::chrono::minutes(10));  // the same file
    commit_rows(4);
    clock_.advance(hours(2));
    ASSERT_TRUE(workspace_->maintain());
    clock_.advance(hours(22) - std::chrono::minutes(5));
    const auto raw = expiring(kRaw, {{std::string(kRaw), 1}});
    EXPECT_EQ(raw.rows, 10u);
    EXPECT_EQ(raw.bytes, 0u) << "the file stays for the sake of the other four";
}

TEST_F(RetentionTest, LengtheningTakesNothingOut) {
    commit_rows(3);
    clock_.advance(hours(24 * 30));
    EXPECT_EQ(expiring(kRaw, {{std::string(kRaw), 365}}).rows, 0u);
}

TEST(RetentionDaysText, ReadsWhatItWritesAndSaysWhatIsWrong) {
    const RetentionDays days{{"SecurityAlert", 365}, {"SecurityIoTRawEvent", 1}};
    EXPECT_EQ(parse_retention(to_json(days)).value(), days);
    EXPECT_THAT(parse_retention(R"({"Moon":3})").error().message, HasSubstr("SecurityAlert"));
    for (const auto* wrong :
         {R"({"SecurityAlert":0})", R"({"SecurityAlert":3651})", R"({"SecurityAlert":-1})",
          R"({"SecurityAlert":"9"})", R"({"SecurityAlert":1.5})"})
        EXPECT_THAT(parse_retention(wrong).error().message, HasSubstr("from 1 to 3650")) << wrong;
    for (const auto* wrong : {"", "[]", "{", "7"})
        EXPECT_FALSE(parse_retention(wrong)) << wrong;
}

}  // namespace
}  // namespace fieldwatch::workspace
