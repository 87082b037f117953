#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "workspace/duckdb/file_readers.hpp"
#include "workspace/duckdb/test_workspace.hpp"
#include "workspace/tables.hpp"

namespace fieldwatch::workspace {
namespace {

using std::chrono::hours;
using testing::Directory;
using testing::kStart;

class SealTest : public ::testing::Test {
  protected:
    void reopen() {
        workspace_.reset();
        auto workspace = open(testing::options_in(directory_.path()), clock_, metrics_);
        ASSERT_TRUE(workspace) << workspace.error().message;
        workspace_ = std::move(*workspace);
    }
    void commit_rows(std::size_t count) {
        Commit commit{.partition = 0, .next_offset = offset_ + count};
        for (std::size_t i = 0; i < count; ++i) {
            commit.raw_events.push_back(testing::raw_event(0, offset_ + i, clock_.now()));
        }
        commit.alerts.push_back(testing::alert_row(0, offset_, clock_.now()));
        offset_ += count;
        const auto done = workspace_->commit(std::move(commit));
        ASSERT_TRUE(done) << done.error().message;
    }
    std::vector<std::string> sealed() const { return posix_names(directory_.path() + "/sealed"); }
    static std::vector<std::string> posix_names(const std::string& path) {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(path)) {
            names.push_back(entry.path().filename());
        }
        std::ranges::sort(names);
        return names;
    }
    std::int64_t stored(const std::string& expression) {
        workspace_.reset();
        const auto value =
            testing::stored_integer(directory_.path(), tables::kSecurityIoTRawEvent, expression);
        reopen();
        return value;
    }

    Directory directory_;
    ManualClock clock_{kStart};
    Metrics metrics_;
    std::unique_ptr<Workspace> workspace_;
    std::uint64_t offset_ = 0;
};

TEST_F(SealTest, MovesAFinishedPeriodIntoAFileAndKeepsEveryRow) {
    reopen();
    commit_rows(3000);
    ASSERT_TRUE(workspace_->maintain());
    EXPECT_TRUE(sealed().empty()) << "the period is not over";
    clock_.advance(hours(1));
    commit_rows(500);
    ASSERT_TRUE(workspace_->maintain());
    EXPECT_EQ(sealed(), std::vector<std::string>{"SecurityIoTRawEvent-1789999200.parquet"});
    EXPECT_EQ(stored("count(*)"), 3500);
    EXPECT_EQ(stored("count(DISTINCT \"_RowId\")"), 3500);
    EXPECT_EQ(
        stored("count(*) FILTER (\"_Details_CommandLine\" = 'sh -c \"id\"' AND \"_Details_UserId\" = '0' "
               "AND \"_Details_RemoteAddress\" IS NULL)"),
        3500);
    ASSERT_TRUE(workspace_->maintain());
    commit_rows(1);
    EXPECT_EQ(stored("count(*)"), 3501);
}

TEST_F(SealTest, MergesTheHoursOfADayThatIsOverAndKeepsEveryRowOnce) {
    reopen();
    for (int hour = 0; hour < 3; ++hour) {
        commit_rows(100);
        clock_.advance(hours(1));
    }
    ASSERT_TRUE(workspace_->maintain());
    EXPECT_EQ(sealed().size(), 3u) << "the day is not over";
    clock_.advance(hours(24));
    ASSERT_TRUE(workspace_->maintain());
    EXPECT_EQ(sealed(), (std::vector<std::string>{"SecurityAlert-1789948800.parquet",
                                                  "SecurityIoTRawEvent-day-1789948800-1.parquet"}));
    EXPECT_EQ(stored("count(*)"), 300);
    EXPECT_EQ(stored("count(DISTINCT \"_RowId\")"), 300);
    ASSERT_TRUE(workspace_->maintain());
    EXPECT_EQ(sealed().size(), 2u) << "one file is not merged again";
}

TEST_F(SealTest, DropsWholeFilesPastTheirRetentionAndNoOthers) {
    reopen();
    commit_rows(10);
    clock_.advance(hours(24));
    commit_rows(20);
    clock_.advance(hours(24 * 30) + std::chrono::minutes(30));
    ASSERT_TRUE(workspace_->maintain());
    EXPECT_EQ(sealed(), (std::vector<std::string>{"SecurityAlert-1789948800.parquet",
                                                  "SecurityAlert-1790035200.parquet",
                                                  "SecurityIoTRawEvent-1790085600.parquet"}));
    EXPECT_EQ(stored("count(*)"), 20);
}

TEST_F(SealTest, RemovesAtStartWhatACrashLeftBeside) {
    reopen();
    workspace_.reset();
    std::ofstream(directory_.path() + "/sealed/SecurityAlert-1.parquet.partial") << "half";
    std::ofstream(directory_.path() + "/sealed/SecurityAlert-2.parquet") << "whole, not in the manifest";
    reopen();
    EXPECT_TRUE(sealed().empty());
}

TEST_F(SealTest, NeverOpensASealedPeriodAgainWhenTheClockGoesBack) {
    reopen();
    commit_rows(10);
    clock_.advance(hours(1));
    ASSERT_TRUE(workspace_->maintain());
    clock_.set(kStart);
    commit_rows(10);
    reopen();
    commit_rows(10);
    clock_.advance(hours(3));
    ASSERT_TRUE(workspace_->maintain());
    EXPECT_EQ(stored("count(*)"), 30);
}

TEST(FileReadersTest, KeepAFileUntilTheLastQueryThatCouldReadItIsDone) {
    FileReaders readers;
    auto early = readers.enter();
    readers.retire({"a"});
    auto late = readers.enter();
    readers.retire({"b"});
    EXPECT_TRUE(readers.take_unread().empty());
    late.reset();
    EXPECT_TRUE(readers.take_unread().empty()) << "the early query may read b, too";
    early.reset();
    EXPECT_EQ(readers.take_unread(), (std::vector<std::string>{"a", "b"}));
    EXPECT_TRUE(readers.take_unread().empty());
}

}  // namespace
}  // namespace fieldwatch::workspace
