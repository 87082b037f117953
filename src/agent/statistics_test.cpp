#include "agent/statistics.hpp"

#include <gtest/gtest.h>

#include <string>

namespace fieldwatch::agent {
namespace {

std::string extra_of(const Observation& payload, std::string_view name) {
    for (const auto& one : payload.extras) {
        if (std::string_view(one.name) == name) return one.text;
    }
    return "absent";
}

TEST(Statistics, TellsWhatWasSeenAndLostSinceItLastSaidSo) {
    Statistics statistics;
    Outbox outbox({.cache_bytes = 1'000, .message_bytes = 100'000});
    for (int i = 0; i < 20; ++i)
        outbox.add(Queue::Low, std::string(100, 'l'), 0);
    fw_status collector{};
    collector.counters[FW_CLASS_UDP] = {500, 20};
    collector.untracked = 3;
    collector.logins_lost = 2;
    auto drops = statistics.take_drops(outbox, collector, {.file_changes = 7}, 0);
    ASSERT_EQ(drops.size(), 2U);
    EXPECT_EQ(extra_of(drops[1], "DroppedCacheFull"), "10");
    EXPECT_EQ(extra_of(drops[1], "ConnectionUdpSeen"), "500");
    EXPECT_EQ(extra_of(drops[1], "ConnectionUdpLost"), "20");
    EXPECT_EQ(extra_of(drops[1], "ConnectionUntracked"), "3");
    EXPECT_EQ(extra_of(drops[1], "LoginLost"), "2");
    EXPECT_EQ(extra_of(drops[1], "FileChangeSeen"), "7");
    collector.counters[FW_CLASS_UDP] = {600, 20};
    drops = statistics.take_drops(outbox, collector, {.file_changes = 7}, 0);
    EXPECT_EQ(extra_of(drops[1], "DroppedCacheFull"), "0");
    EXPECT_EQ(extra_of(drops[1], "ConnectionUdpSeen"), "100");
    EXPECT_EQ(extra_of(drops[1], "ConnectionUntracked"), "0");
}

TEST(Statistics, TellsAfterARestartWhatWasDroppedBefore) {
    Outbox outbox({.cache_bytes = 1'000, .message_bytes = 100'000});
    for (int i = 0; i < 20; ++i)
        outbox.add(Queue::Low, std::string(100, 'x'), 0);
    Statistics before;
    const auto kept = before.untold(outbox);
    EXPECT_EQ(kept, "0 0 0 20 10 0 0 0 0");
    (void)before.take_drops(outbox, {}, {}, 0);
    EXPECT_EQ(before.untold(outbox), "0 0 0 0 0 0 0 0 0");  // told: the event itself is in the spool

    Statistics after;
    after.restore(kept);
    Outbox empty({});
    empty.add(Queue::Low, "x", 0);
    EXPECT_EQ(after.untold(empty), "0 0 0 21 10 0 0 0 0");
    auto payloads = after.take_drops(empty, {}, {}, 0);
    EXPECT_EQ(extra_of(payloads[1], "DroppedCacheFull"), "10");
    payloads = after.take_drops(empty, {}, {}, 0);
    EXPECT_EQ(extra_of(payloads[1], "DroppedCacheFull"), "0");
    for (const auto* damaged : {"", "1 2", "a b c d e f g h i", "1 2 3 4 5 6 7 8 99999999999999999999",
                                "1 2 3 4 5 6 7 8 9999999999999", "-1 2 3 4 5 6 7 8 9"}) {
        Statistics none;
        none.restore(damaged);
        EXPECT_EQ(none.untold(empty), "0 0 0 1 0 0 0 0 0") << damaged;
    }
}

TEST(Statistics, TakesACounterThatBeganAnewForWhatItCounts) {
    Statistics statistics;
    const Outbox outbox({});
    fw_status collector{};
    collector.counters[FW_CLASS_EXEC] = {500, 20};
    (void)statistics.take_drops(outbox, collector, {.file_changes = 9, .file_changes_lost = 2}, 0);
    collector.counters[FW_CLASS_EXEC] = {4, 0};
    const auto drops = statistics.take_drops(outbox, collector, {.file_changes = 1}, 0);
    EXPECT_EQ(extra_of(drops[1], "ProcessSeen"), "4");
    EXPECT_EQ(extra_of(drops[1], "ProcessLost"), "0");
    EXPECT_EQ(extra_of(drops[1], "FileChangeSeen"), "1");
    EXPECT_EQ(extra_of(drops[1], "FileChangeLost"), "0");
}

}  // namespace
}  // namespace fieldwatch::agent
