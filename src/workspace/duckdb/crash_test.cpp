// A process that commits and seals is killed with SIGKILL, again and again, at moments drawn from a seed:
// what it was told is committed must be there, once, and no row may be there that its offset does not cover.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include <fmt/format.h>

#include "base/random.hpp"
#include "workspace/duckdb/test_workspace.hpp"
#include "workspace/tables.hpp"

namespace fieldwatch::workspace {
namespace {

constexpr std::uint32_t kPartitions = 2;
constexpr std::uint64_t kRowsPerCommit = 20;
constexpr std::chrono::hours kForEver{24 * 3650};  // nothing goes for another reason
constexpr int kKills = 5;                          // FIELDWATCH_KILLS asks for more

/// Every look at it is 10 s later: an hour passes every few hundred looks, so that periods end all the time.
class HurryingClock final : public Clock {
  public:
    explicit HurryingClock(Timestamp start) : ticks_(start.ticks) {}
    Timestamp now() const override { return {ticks_.fetch_add(100'000'000)}; }
    std::chrono::nanoseconds monotonic() const override { return system_clock().monotonic(); }

  private:
    mutable std::atomic<std::int64_t> ticks_;
};

void commit_forever(Workspace& workspace, const Clock& clock, std::uint32_t partition, int acknowledge) {
    for (;;) {
        const auto first = workspace.committed_offset(partition).value();
        Commit commit{.partition = partition, .next_offset = first + kRowsPerCommit};
        for (std::uint64_t offset = first; offset < commit.next_offset; ++offset) {
            commit.raw_events.push_back(testing::raw_event(partition, offset, clock.now()));
        }
        commit.alerts.push_back(testing::alert_row(partition, first, clock.now()));
        commit.outbox.push_back({.kind = "alert", .key = std::to_string(first)});
        if (!workspace.commit(std::move(commit))) _exit(3);
        const auto told = static_cast<unsigned char>(partition);
        if (write(acknowledge, &told, 1) != 1) _exit(4);
    }
}

[[noreturn]] void run_child(const std::string& directory, Timestamp start, int acknowledge,
                            std::chrono::hours retention) {
    const HurryingClock clock(start);
    Metrics metrics;
    auto options = testing::options_in(directory);
    options.raw_retention = retention;
    options.alert_retention = options.raw_retention;
    auto opened = open(options, clock, metrics);
    if (!opened) _exit(2);
    auto& workspace = **opened;
    std::array<std::thread, kPartitions> shards;
    for (std::uint32_t partition = 0; partition < kPartitions; ++partition) {
        shards[partition] =
            std::thread([&, partition] { commit_forever(workspace, clock, partition, acknowledge); });
    }
    while (workspace.maintain()) {
    }
    _exit(5);
}

/// A child that commits until it is killed.
struct Killed {
    Timestamp start;  ///< of its clock
    std::chrono::hours retention;
    std::uint64_t heard_max;  ///< commits that it told of before
    useconds_t moment;        ///< after the last of them
};
/// `told` hears the partition of each commit that was acknowledged.
void run_and_kill(const std::string& directory, const Killed& how,
                  const std::function<void(unsigned char)>& told) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const auto child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        close(pipe_ends[0]);
        run_child(directory, how.start, pipe_ends[1], how.retention);
    }
    close(pipe_ends[1]);
    unsigned char partition = 0;
    for (std::uint64_t heard = 0; heard < how.heard_max && read(pipe_ends[0], &partition, 1) == 1; ++heard)
        told(partition);
    usleep(how.moment);
    kill(child, SIGKILL);
    while (read(pipe_ends[0], &partition, 1) == 1)
        told(partition);
    close(pipe_ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
}

TEST(CrashTest, LosesNothingCommittedAndKeepsNothingTwice) {
    const testing::Directory directory;
    const char* more = std::getenv("FIELDWATCH_KILLS");
    const int kills = more == nullptr ? kKills : std::atoi(more);
    SeededRandom random(20260921);
    std::array<std::uint64_t, kPartitions> acknowledged{};
    std::size_t sealed_files = 0;
    // A slow machine may need more rounds until a period was sealed before a kill.
    for (int round = 0; round < kills || (sealed_files == 0 && round < 4 * kills); ++round) {
        const Killed how{.start = testing::kStart + Ticks(std::chrono::hours(100 * round)),
                         .retention = kForEver,
                         .heard_max = 1 + random.below(40),
                         .moment = static_cast<useconds_t>(random.below(8000))};
        ASSERT_NO_FATAL_FAILURE(run_and_kill(directory.path(), how, [&](unsigned char partition) {
            acknowledged.at(partition) += kRowsPerCommit;
        }));

        std::int64_t covered = 0;
        {
            Metrics metrics;
            auto workspace = open(testing::options_in(directory.path()), system_clock(), metrics);
            ASSERT_TRUE(workspace) << workspace.error().message;
            for (std::uint32_t partition = 0; partition < kPartitions; ++partition) {
                const auto offset = (*workspace)->committed_offset(partition).value();
                EXPECT_GE(offset, acknowledged[partition]) << "round " << round;
                acknowledged[partition] = offset;
                covered += static_cast<std::int64_t>(offset);
            }
            EXPECT_EQ((*workspace)->outbox({.count_max = 1'000'000}).value().size(),
                      static_cast<std::uint64_t>(covered) / kRowsPerCommit);
        }
        ASSERT_EQ(
            testing::stored_integer(directory.path(), tables::kSecurityIoTRawEvent, testing::kCountOrTwice),
            covered)
            << "round " << round;
        ASSERT_EQ(testing::stored_integer(directory.path(), tables::kSecurityAlert, "count(*)"),
                  covered / static_cast<std::int64_t>(kRowsPerCommit));
        for (const auto& entry : std::filesystem::directory_iterator(directory.path() + "/sealed")) {
            sealed_files += entry.is_regular_file();
        }
    }
    EXPECT_GT(sealed_files, 0u) << "no kill came after a seal: the test did not see what it is for";
}

/// What is there of a partition: the offsets from `first` on, without a gap, and no row twice.
void expect_a_whole_end(const std::string& directory, std::uint32_t partition, std::uint64_t end) {
    const auto of = [&](const std::string& expression) {
        return testing::stored_integer(
            directory, tables::kSecurityIoTRawEvent,
            fmt::format("{} FILTER (WHERE \"_Partition\" = {})", expression, partition));
    };
    const auto rows = of("count(*)");
    EXPECT_EQ(of("count(DISTINCT \"_Offset\")"), rows);
    if (rows == 0) return;
    EXPECT_EQ(of("max(\"_Offset\")") + 1, static_cast<std::int64_t>(end)) << "the newest row is missing";
    EXPECT_EQ(of("max(\"_Offset\")") + 1 - of("min(\"_Offset\")"), rows) << "there is a gap";
}

TEST(CrashTest, ARetentionThatIsKilledTakesNothingThatIsYoungerAndNothingByHalves) {
    constexpr std::chrono::hours kKept{6};
    constexpr std::int64_t kHour = 36'000'000'000;
    const testing::Directory directory;
    SeededRandom random(20260922);
    std::int64_t dropped = 0;
    auto start = testing::kStart;
    for (int round = 0; round < kKills || (dropped == 0 && round < 8 * kKills); ++round) {
        // The clock of a round goes on where the one before may have been: nothing is old because of a jump.
        const Killed how{.start = start,
                         .retention = kKept,
                         .heard_max = 60 + random.below(120),  // some 3 min of that clock each
                         .moment = static_cast<useconds_t>(random.below(20'000))};
        ASSERT_NO_FATAL_FAILURE(run_and_kill(directory.path(), how, [](unsigned char) {}));

        std::array<std::uint64_t, kPartitions> ends{};
        {
            Metrics metrics;
            auto options = testing::options_in(directory.path());
            options.raw_retention = kForEver;  // it only looks
            const ManualClock clock(testing::kStart);
            auto workspace = open(options, clock, metrics);
            ASSERT_TRUE(workspace) << workspace.error().message;
            for (std::uint32_t partition = 0; partition < kPartitions; ++partition)
                ends[partition] = (*workspace)->committed_offset(partition).value();
        }
        for (std::uint32_t partition = 0; partition < kPartitions; ++partition)
            expect_a_whole_end(directory.path(), partition, ends[partition]);
        const auto of = [&](const char* expression) {
            return testing::stored_integer(directory.path(), tables::kSecurityIoTRawEvent, expression);
        };
        // The clock goes on where it was: nothing is old because of a jump.
        constexpr std::int64_t kStoredEpoch = 621'355'968'000'000'000;  // docs/formats/workspace.md
        start = Timestamp{of("max(\"TimeGenerated\")") - kStoredEpoch} + Ticks(std::chrono::minutes(1));
        dropped = of("min(\"_Offset\")");
        if (dropped > 0) {
            const auto span = of("max(\"TimeGenerated\") - min(\"TimeGenerated\")");
            EXPECT_GT(span, (kKept.count() - 1) * kHour) << "younger rows went, round " << round;
        }
        // Opening took away what no manifest names; what one names is there.
        auto database = Database::open(directory.path() + "/workspace.duckdb",
                                       {.directory = directory.path(), .memory_bytes_max = 256u << 20});
        ASSERT_TRUE(database);
        auto connection = database->connect().value();
        const auto layout = read_layout(connection).value();
        for (const auto& file : layout.sealed)
            EXPECT_TRUE(std::filesystem::exists(directory.path() + "/sealed/" + file.file)) << file.file;
        std::size_t files = 0;
        for (const auto& entry : std::filesystem::directory_iterator(directory.path() + "/sealed"))
            files += entry.is_regular_file();
        EXPECT_EQ(files, layout.sealed.size());
    }
    EXPECT_GT(dropped, 0) << "no kill came after a retention: the test did not see what it is for";
}

}  // namespace
}  // namespace fieldwatch::workspace
