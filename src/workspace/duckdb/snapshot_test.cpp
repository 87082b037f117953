#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "workspace/duckdb/test_workspace.hpp"
#include "workspace/tables.hpp"
#include "workspace/upkeep.hpp"

namespace fieldwatch::workspace {
namespace {

using testing::Directory;
using testing::kStart;

Commit rows_of(std::uint64_t first, std::uint64_t count, Timestamp now) {
    Commit commit{.partition = 0, .next_offset = first + count};
    for (std::uint64_t i = 0; i < count; ++i)
        commit.raw_events.push_back(testing::raw_event(0, first + i, now));
    auto alert = testing::alert_row(0, 7, now);  // always the same alert, in another state
    alert.alert.status = first % 2 == 0 ? model::AlertStatus::New : model::AlertStatus::Dismissed;
    commit.alerts.push_back(std::move(alert));
    return commit;
}

TEST(SnapshotTest, HoldsHotAndSealedRowsOffsetsAndTheLastStateOfEveryAlert) {
    const Directory live, copy;
    ManualClock clock{kStart};
    Metrics metrics;
    auto workspace = open(testing::options_in(live.path()), clock, metrics);
    ASSERT_TRUE(workspace) << workspace.error().message;
    for (std::uint64_t commit = 0; commit < 50; ++commit) {
        ASSERT_TRUE((*workspace)->commit(rows_of(commit * 100, 100, clock.now())));
        if (commit % 20 != 19) continue;
        clock.advance(std::chrono::hours(1));
        ASSERT_TRUE((*workspace)->maintain());
    }
    const auto target = copy.path() + "/w";
    const auto done = (*upkeep_of(**workspace))->snapshot_to(target);
    ASSERT_TRUE(done) << done.error().message;
    // What comes later is not in it.
    ASSERT_TRUE((*workspace)->commit(rows_of(5001, 10, clock.now())));

    auto restored = open(testing::options_in(target), clock, metrics);
    ASSERT_TRUE(restored) << restored.error().message;
    EXPECT_EQ((*restored)->committed_offset(0), 5000u);
    EXPECT_TRUE((*restored)->open_alerts(10)->size() == 1u) << "the last of fifty states is New";
    ASSERT_TRUE((*restored)->commit(rows_of(5000, 5, clock.now()))) << "it goes on where it was";
    restored->reset();
    EXPECT_EQ(testing::stored_integer(target, tables::kSecurityIoTRawEvent, "count(DISTINCT \"_RowId\")"),
              5005);
    ASSERT_TRUE((*upkeep_of(**workspace))->snapshot_to(copy.path() + "/again")) << "a second one is as good";
}

TEST(SnapshotTest, IsOfOneMomentWhileCommitsGoOn) {
    const Directory live, copy;
    ManualClock clock{kStart};
    Metrics metrics;
    auto workspace = open(testing::options_in(live.path()), clock, metrics);
    ASSERT_TRUE(workspace);
    std::atomic<bool> stop = false;
    std::thread committing([&] {
        for (std::uint64_t commit = 0; !stop; ++commit)
            EXPECT_TRUE((*workspace)->commit(rows_of(commit * 50, 50, clock.now())));
    });
    for (int round = 0; round < 5; ++round) {
        const auto target = copy.path() + "/" + std::to_string(round);
        const auto done = (*upkeep_of(**workspace))->snapshot_to(target);
        EXPECT_TRUE(done) << done.error().message;
        auto restored = open(testing::options_in(target), clock, metrics);
        ASSERT_TRUE(restored);
        const auto offset = *(*restored)->committed_offset(0);
        restored->reset();
        const auto rows = testing::stored_integer(target, tables::kSecurityIoTRawEvent, "count(*)");
        EXPECT_EQ(rows, static_cast<std::int64_t>(offset)) << "rows and their offset are of one commit";
    }
    stop = true;
    committing.join();
}

}  // namespace
}  // namespace fieldwatch::workspace
