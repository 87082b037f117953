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
    auto drops = statistics.take_drops(outbox, collector, {.file_changes = 7}, 0);
    ASSERT_EQ(drops.size(), 2U);
    EXPECT_EQ(extra_of(drops[1], "DroppedCacheFull"), "10");
    EXPECT_EQ(extra_of(drops[1], "ConnectionUdpSeen"), "500");
    EXPECT_EQ(extra_of(drops[1], "ConnectionUdpLost"), "20");
    EXPECT_EQ(extra_of(drops[1], "ConnectionUntracked"), "3");
    EXPECT_EQ(extra_of(drops[1], "FileChangeSeen"), "7");
    collector.counters[FW_CLASS_UDP] = {600, 20};
    drops = statistics.take_drops(outbox, collector, {.file_changes = 7}, 0);
    EXPECT_EQ(extra_of(drops[1], "DroppedCacheFull"), "0");
    EXPECT_EQ(extra_of(drops[1], "ConnectionUdpSeen"), "100");
    EXPECT_EQ(extra_of(drops[1], "ConnectionUntracked"), "0");
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
