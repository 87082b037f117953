#include "agent/spool/flash.hpp"

#include <gtest/gtest.h>

#include "base/simulated_file_system.hpp"

namespace fieldwatch::agent {
namespace {

constexpr std::int64_t kOneSecond = 1'000'000'000;
constexpr std::int64_t kOneDay = 86'400 * kOneSecond;

TEST(FlashMeter, CountsTheBlocksThatSyncsWrite) {
    SimulatedFileSystem disk(1);
    FlashMeter meter(disk);
    ASSERT_TRUE(meter.make_directories("d"));
    const auto file = *meter.open("d/f", OpenMode::CreateNew);
    for (std::uint64_t at = 0; at < 3'000; at += 100)
        ASSERT_TRUE(file->write_at(at, as_bytes(std::string(100, 'x'))));
    EXPECT_EQ(meter.written_bytes(), 0U) << "nothing is on the flash before it is synced";
    ASSERT_TRUE(file->sync());
    EXPECT_EQ(meter.written_bytes(), 3 * FlashMeter::kBlockBytes);
    ASSERT_TRUE(file->write_at(4'095, as_bytes("xx")));
    ASSERT_TRUE(file->sync());
    EXPECT_EQ(meter.written_bytes(), 7 * FlashMeter::kBlockBytes) << "two blocks by two bytes";
    ASSERT_TRUE(replace_file(meter, "d/note", as_bytes("short")));
    EXPECT_EQ(meter.written_bytes(), 12 * FlashMeter::kBlockBytes);
    const auto note = *read_file(meter, "d/note", 100);
    EXPECT_EQ(as_text(note), "short");
}

TEST(FlashBudget, HoldsOverADayOfPassesThatWriteAll) {
    constexpr std::uint64_t kPerDay = 64 << 20;
    FlashBudget budget(kPerDay);
    std::uint64_t written = 0;
    std::int64_t now = kOneSecond;
    std::int64_t longest = 0;
    for (std::int64_t last = now; now < kOneDay; now += 5 * kOneSecond) {
        if (!budget.has_room(written, now)) continue;
        written += 32'768;
        longest = std::max(longest, now - last);
        last = now;
    }
    EXPECT_LE(written, kPerDay + kPerDay / 8 + 32'768);
    EXPECT_GE(written, kPerDay);
    EXPECT_LE(longest, 60 * kOneSecond) << "what is left of the day is spread over it";
    EXPECT_GT(budget.passes_put_off(), 10'000U);
}

TEST(FlashBudget, SavesAnEighthOfADayAndNoMore) {
    FlashBudget budget(8'000);
    EXPECT_TRUE(budget.has_room(0, kOneSecond));
    EXPECT_FALSE(budget.has_room(1'001, 2 * kOneSecond));
    EXPECT_TRUE(budget.has_room(1'001, 10 * kOneDay));
    EXPECT_FALSE(budget.has_room(2'002, 10 * kOneDay));
    EXPECT_EQ(budget.passes_put_off(), 2U);
}

}  // namespace
}  // namespace fieldwatch::agent
