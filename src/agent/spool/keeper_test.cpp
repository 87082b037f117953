#include "agent/spool/keeper.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "base/simulated_file_system.hpp"

namespace fieldwatch::agent {
namespace {

/// One start of the agent, as far as it keeps anything, on a disk that may lose power.
class AgentRun {
  public:
    explicit AgentRun(FileSystem& disk) : keeper_({disk, outbox_, writer_, statistics_, clock_}) {
        keeper_.begin();
    }

    /// Some events do not fit; the others go. All of it is on disk before anybody is told.
    void drop() {
        for (int i = 0; i < 30; ++i)
            outbox_.add(Queue::Low, std::string(1'000, 'l'), 0);
        outbox_.acknowledged(outbox_.take(Queue::Low, 84).id);
        outbox_.add(Queue::High, "{}", 0);  // a pass that writes nothing leaves the note as it was
        ASSERT_TRUE(keeper_.keep_waiting(INT64_MAX));
    }
    void tell() {
        keeper_.keep_told([this] {
            writer_.emit_snapshot(FIELDWATCH_DROPPED_EVENTS_STATISTICS,
                                  statistics_.take_drops(outbox_, {}, {}, 0));
            writer_.emit(statistics_.take_messages());
        });
    }
    /// What every event that waits says was dropped.
    std::uint64_t told() const {
        std::uint64_t sum = 0;
        outbox_.each([&](const WaitingEvent& event) {
            const auto json = nlohmann::json::parse(event.json, nullptr, false);
            if (json.is_discarded() || json.value("Name", "") != "DroppedEventsStatistics") return;
            for (const auto& payload : json["Payload"])
                sum += payload["DroppedEvents"].get<std::uint64_t>();
        });
        return sum;
    }

  private:
    ManualClock clock_{{}};
    SeededRandom random_{1};
    Twin twin_{"object"};
    Outbox outbox_{{.cache_bytes = 20'000, .message_bytes = 100'000}};
    EventWriter writer_{twin_, outbox_, clock_, random_};
    Statistics statistics_;
    Keeper keeper_;
};

TEST(Keeper, KilledAtAnyStepOfTellingItTellsEachLossOnce) {
    SimulatedFileSystem whole(1);
    std::uint64_t drops = 0, before = 0;
    {
        AgentRun run(whole);
        run.drop();
        before = whole.steps();
        run.tell();
        drops = run.told();
    }
    ASSERT_GE(drops, 10U);
    const auto steps = whole.steps();
    ASSERT_GT(steps, before + 5);
    for (auto step = before + 1; step <= steps + 1; ++step) {
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            SimulatedFileSystem disk(seed);
            {
                AgentRun run(disk);
                run.drop();
                disk.cut_power_at(step);
                run.tell();
                disk.cut_power();
            }
            disk.restart();
            {
                AgentRun run(disk);
                disk.cut_power();  // once more before anything of it is told
            }
            disk.restart();
            AgentRun run(disk);
            run.tell();
            EXPECT_EQ(run.told(), drops) << "step " << step << " of " << steps << ", seed " << seed;
        }
    }
}

TEST(Keeper, ReadsTheNoteOfEarlierReleases) {
    SimulatedFileSystem disk(1);
    ASSERT_TRUE(replace_file(disk, "sequences", as_bytes("a:1 b:2 c:3\n0 0 0 9 7 0 0 0 0\n")));
    AgentRun run(disk);
    run.tell();
    EXPECT_EQ(run.told(), 7U);
}

}  // namespace
}  // namespace fieldwatch::agent
