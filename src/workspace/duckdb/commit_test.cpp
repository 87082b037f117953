#include <gtest/gtest.h>

#include <thread>

#include "workspace/duckdb/test_workspace.hpp"
#include "workspace/tables.hpp"

namespace fieldwatch::workspace {
namespace {

using testing::Directory;
using testing::kStart;

class CommitTest : public ::testing::Test {
  protected:
    std::unique_ptr<Workspace> opened() {
        auto workspace = open(testing::options_in(directory_.path()), clock_, metrics_);
        EXPECT_TRUE(workspace) << workspace.error().message;
        return workspace ? std::move(*workspace) : nullptr;
    }
    Commit batch(std::uint32_t partition, std::uint64_t first, std::size_t count) const {
        Commit commit{.partition = partition, .next_offset = first + count};
        for (std::size_t i = 0; i < count; ++i) {
            commit.raw_events.push_back(testing::raw_event(partition, first + i, clock_.now()));
        }
        return commit;
    }
    Directory directory_;
    ManualClock clock_{kStart};
    Metrics metrics_;
};

TEST_F(CommitTest, KeepsRowsAndOffsetsTogetherAcrossAReopening) {
    auto workspace = opened();
    ASSERT_TRUE(workspace->commit(batch(2, 0, 5000)));
    EXPECT_EQ(workspace->committed_offset(2).value(), 5000u);
    EXPECT_EQ(workspace->committed_offset(1).value(), 0u);
    workspace.reset();
    EXPECT_EQ(testing::stored_integer(directory_.path(), tables::kSecurityIoTRawEvent, "count(*)"), 5000);
    workspace = opened();
    EXPECT_EQ(workspace->committed_offset(2).value(), 5000u);
}

TEST_F(CommitTest, RefusesAnOffsetAtOrBelowTheCommittedOne) {
    auto workspace = opened();
    ASSERT_TRUE(workspace->commit(batch(0, 0, 10)));
    auto again = workspace->commit(batch(0, 0, 10));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::Conflict);
    workspace = nullptr;
    workspace = opened();
    again = workspace->commit(batch(0, 0, 9));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::Conflict);
    workspace.reset();
    EXPECT_EQ(testing::stored_integer(directory_.path(), tables::kSecurityIoTRawEvent, "count(*)"), 10);
}

TEST_F(CommitTest, TakesCommitsOfSeveralPartitionsAtOnce) {
    auto workspace = opened();
    constexpr std::uint64_t kBatches = 20;
    {
        std::vector<std::jthread> shards;
        for (std::uint32_t partition = 0; partition < 4; ++partition) {
            shards.emplace_back([&workspace, this, partition] {
                for (std::uint64_t i = 0; i < kBatches; ++i) {
                    auto commit = batch(partition, i * 10, 10);
                    auto alert = testing::alert_row(partition, i * 10, clock_.now());
                    alert.alert.id =
                        Uuid::named(Uuid{}, std::to_string(partition) + "/" + std::to_string(i / 3));
                    commit.outbox.push_back({.kind = "alert", .key = alert.alert.id.text()});
                    commit.alerts.push_back(std::move(alert));
                    const auto done = workspace->commit(std::move(commit));
                    EXPECT_TRUE(done) << done.error().message;
                }
            });
        }
    }
    const auto outbox = workspace->outbox({.count_max = 1000}).value();
    ASSERT_EQ(outbox.size(), 4 * kBatches);
    for (std::size_t i = 0; i < outbox.size(); ++i)
        EXPECT_EQ(outbox[i].sequence, i + 1);
    EXPECT_EQ(workspace->open_alerts(100).value().size(), 4 * 7u);
    workspace.reset();
    EXPECT_EQ(testing::stored_integer(directory_.path(), tables::kSecurityIoTRawEvent, "count(*)"), 800);
    EXPECT_EQ(testing::stored_integer(directory_.path(), tables::kSecurityAlert, "count(*)"), 80);
}

TEST_F(CommitTest, GivesOutboxRowsUntilTheyAreDoneAndNeverASequenceTwice) {
    auto workspace = opened();
    const auto two_rows = [](std::uint64_t next_offset) {
        Commit commit{.partition = 0, .next_offset = next_offset};
        commit.outbox = {{.kind = "alert", .key = "a", .body_json = "{}"}, {.kind = "alert", .key = "b"}};
        return commit;
    };
    ASSERT_TRUE(workspace->commit(two_rows(1)));
    ASSERT_TRUE(workspace->outbox_done(2));
    EXPECT_TRUE(workspace->outbox({.count_max = 10}).value().empty());
    workspace = nullptr;
    workspace = opened();
    ASSERT_TRUE(workspace->commit(two_rows(2)));
    const auto rows = workspace->outbox({.count_max = 10}).value();
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].sequence, 3u);
    EXPECT_EQ(rows[0].key, "a");
    EXPECT_EQ(workspace->outbox_end(), 4u);
    const auto behind = workspace->outbox({.after = 3, .count_max = 10}).value();
    ASSERT_EQ(behind.size(), 1u);
    EXPECT_EQ(behind[0].key, "b");
}

TEST_F(CommitTest, KnowsWhichAlertsAreOpen) {
    auto workspace = opened();
    Commit commit{.partition = 0, .next_offset = 1};
    commit.alerts = {testing::alert_row(0, 0, clock_.now()), testing::alert_row(0, 1, clock_.now())};
    ASSERT_TRUE(workspace->commit(std::move(commit)));
    EXPECT_EQ(workspace->open_alerts(10).value().size(), 2u);
    Commit dismissal{.partition = 0, .next_offset = 2};
    dismissal.alerts = {testing::alert_row(0, 0, clock_.now())};
    dismissal.alerts[0].alert.status = model::AlertStatus::Dismissed;
    ASSERT_TRUE(workspace->commit(std::move(dismissal)));
    const auto open_now = workspace->open_alerts(10).value();
    ASSERT_EQ(open_now.size(), 1u);
    EXPECT_EQ(open_now[0].id, Uuid::named(Uuid{}, "alert 1"));
    EXPECT_EQ(open_now[0].entity, "pump-1");
}

TEST_F(CommitTest, MendsTextThatIsNotUtf8) {
    auto workspace = opened();
    auto commit = batch(0, 0, 1);
    commit.raw_events[0].device = "pump-\xFF\xC3";
    ASSERT_TRUE(workspace->commit(std::move(commit)));
    workspace.reset();
    EXPECT_EQ(testing::stored_integer(directory_.path(), tables::kSecurityIoTRawEvent,
                                      "count(*) FILTER (\"DeviceId\" = 'pump-\uFFFD\uFFFD')"),
              1);
}

}  // namespace
}  // namespace fieldwatch::workspace
