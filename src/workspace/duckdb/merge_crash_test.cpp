// A process that is killed while it merges a day's files: the rows are there once, whatever moment it was.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>

#include "workspace/duckdb/test_workspace.hpp"
#include "workspace/tables.hpp"

namespace fieldwatch::workspace {
namespace {

constexpr int kHours = 4;
constexpr std::uint64_t kRowsAnHour = 2'000;
constexpr std::int64_t kRows = kHours * static_cast<std::int64_t>(kRowsAnHour);
constexpr int kMergeKills = 12;  // spread evenly over what an undisturbed merge takes

std::int64_t stored_rows(const std::string& directory) {
    return testing::stored_integer(directory, tables::kSecurityIoTRawEvent, testing::kCountOrTwice);
}

std::size_t sealed_files(const std::string& directory) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory + "/sealed"))
        count += entry.is_regular_file();
    return count;
}

/// Some hours of one day, each in a file of its own; what comes next is the day's end.
void write_hours(const std::string& directory) {
    ManualClock clock(Timestamp::from_unix_seconds(1'790'006'400));  // 16:00
    Metrics metrics;
    auto workspace = open(testing::options_in(directory), clock, metrics).value();
    for (int hour = 0; hour < kHours; ++hour) {
        const auto first = static_cast<std::uint64_t>(hour) * kRowsAnHour;
        Commit commit{.partition = 0, .next_offset = first + kRowsAnHour};
        for (auto offset = first; offset < commit.next_offset; ++offset)
            commit.raw_events.push_back(testing::raw_event(0, offset, clock.now()));
        ASSERT_TRUE(workspace->commit(std::move(commit)));
        clock.advance(Ticks(std::chrono::hours(1)));
        ASSERT_TRUE(workspace->maintain());
    }
}

Result<void> merge_the_day(const std::string& directory) {
    ManualClock clock(Timestamp::from_unix_seconds(1'790'035'200 + 60));  // past midnight
    Metrics metrics;
    auto workspace = FIELDWATCH_TRY(open(testing::options_in(directory), clock, metrics));
    return workspace->maintain();
}

/// Kills a process that merges after `delay`; whether it had not ended by then.
bool kill_during_merge(const std::string& directory, std::chrono::microseconds delay) {
    const auto child = fork();
    if (child == 0) _exit(merge_the_day(directory) ? 0 : 1);
    usleep(static_cast<useconds_t>(delay.count()));
    kill(child, SIGKILL);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << "the merge failed";
    return WIFSIGNALED(status);
}

TEST(MergeCrashTest, ADayThatWasBeingMergedHasEachRowOnce) {
    const testing::Directory directory;
    const auto prepared = directory.path() + "/prepared";
    write_hours(prepared);
    ASSERT_EQ(sealed_files(prepared), static_cast<std::size_t>(kHours));

    const auto copy = [&](const std::string& name) {
        std::filesystem::copy(prepared, directory.path() + "/" + name,
                              std::filesystem::copy_options::recursive);
        return directory.path() + "/" + name;
    };
    const auto undisturbed = copy("undisturbed");
    const auto began = system_clock().monotonic();
    ASSERT_TRUE(merge_the_day(undisturbed));
    const auto took =
        std::chrono::duration_cast<std::chrono::microseconds>(system_clock().monotonic() - began);
    ASSERT_EQ(sealed_files(undisturbed), 1u);
    ASSERT_EQ(stored_rows(undisturbed), kRows);

    int interrupted = 0, half_done = 0;
    for (int round = 0; round < kMergeKills; ++round) {
        const auto killed = copy("killed-" + std::to_string(round));
        interrupted += kill_during_merge(killed, took * (round + 1) / kMergeKills);
        half_done += sealed_files(killed) > static_cast<std::size_t>(kHours);
        ASSERT_EQ(stored_rows(killed), kRows) << "round " << round;
        ASSERT_TRUE(merge_the_day(killed));  // the next start finishes, and leaves nothing behind
        EXPECT_EQ(sealed_files(killed), 1u) << "round " << round;
        ASSERT_EQ(stored_rows(killed), kRows) << "round " << round;
    }
    EXPECT_GT(interrupted, 0) << "every merge had ended before its kill";
    RecordProperty("half_done", half_done);
}

}  // namespace
}  // namespace fieldwatch::workspace
