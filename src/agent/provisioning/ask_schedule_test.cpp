#include "agent/provisioning/ask_schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace fieldwatch::agent {
namespace {

using std::chrono::seconds;

constexpr std::int64_t kScheduleSecond = 1'000'000'000;

class AskScheduleTest : public ::testing::Test {
  protected:
    SeededRandom random_{1};
    AskSchedule schedule_{random_};
    std::int64_t now_ = 1'000 * kScheduleSecond;
};

TEST_F(AskScheduleTest, AsksNothingWhileTheHubServes) {
    EXPECT_EQ(schedule_.due_ns(), INT64_MAX);
    schedule_.hub_lost(false, now_);
    schedule_.hub_serves();
    EXPECT_EQ(schedule_.due_ns(), INT64_MAX);
}

TEST_F(AskScheduleTest, AsksSoonWhenTheHubRefuses) {
    std::set<std::int64_t> different;
    for (int i = 0; i < 50; ++i) {
        AskSchedule one(random_);
        one.hub_lost(true, now_);
        EXPECT_GE(one.due_ns(), now_);
        EXPECT_LT(one.due_ns(), now_ + 5 * kScheduleSecond);
        different.insert(one.due_ns());
    }
    EXPECT_GT(different.size(), 40U) << "a fleet would ask together";
}

TEST_F(AskScheduleTest, AsksAfterSomeTriesWhenTheHubCannotBeReached) {
    for (unsigned i = 1; i < AskSchedule::kLostMost; ++i) {
        schedule_.hub_lost(false, now_);
        EXPECT_EQ(schedule_.due_ns(), INT64_MAX);
    }
    schedule_.hub_lost(false, now_);
    EXPECT_LT(schedule_.due_ns(), now_ + 5 * kScheduleSecond);
}

TEST_F(AskScheduleTest, LeavesTheServiceAloneLongerEachTimeAndAtMostTenMinutes) {
    schedule_.no_hub(now_);
    std::int64_t longest = 0;
    for (int i = 0; i < 40; ++i) {
        now_ = schedule_.due_ns();
        const auto wait = schedule_.failed(seconds(0), now_).count();
        EXPECT_EQ(schedule_.due_ns(), now_ + wait);
        EXPECT_GE(wait, kScheduleSecond);
        EXPECT_LE(wait,
                  kScheduleSecond + std::min<std::int64_t>(600, 8LL << std::min(i, 7)) * kScheduleSecond);
        longest = std::max(longest, wait);
    }
    EXPECT_GT(longest, 120 * kScheduleSecond);
}

TEST_F(AskScheduleTest, LeavesTheServiceAloneAsLongAsItAsksAndAtMostAnHourAndAHalf) {
    for (const int asked : {60, 900, 86'400}) {
        AskSchedule one(random_);
        one.no_hub(now_);
        const auto wait = one.failed(seconds(asked), now_).count();
        EXPECT_GE(wait, std::min(asked, 3'600) * kScheduleSecond);
        EXPECT_LE(wait, std::min(asked, 3'600) * kScheduleSecond * 3 / 2);
        one.hub_lost(true, now_ + kScheduleSecond);  // which changes nothing
        EXPECT_EQ(one.due_ns(), now_ + wait);
        one.hub_serves();
        one.hub_lost(true, now_ + kScheduleSecond);
        EXPECT_EQ(one.due_ns(), now_ + wait) << "though the hub served meanwhile";
    }
}

TEST_F(AskScheduleTest, AnAnswerGivesItsHubTriesOfItsOwn) {
    schedule_.hub_lost(true, now_);
    schedule_.answered(now_);
    EXPECT_EQ(schedule_.due_ns(), INT64_MAX);
    for (unsigned i = 1; i < AskSchedule::kLostMost; ++i)
        schedule_.hub_lost(false, now_);
    EXPECT_EQ(schedule_.due_ns(), INT64_MAX);
}

TEST_F(AskScheduleTest, AHubThatGoesOnRefusingIsNoReasonToAskWithoutPause) {
    std::int64_t longest = 0;
    for (int i = 0; i < 40; ++i) {
        schedule_.hub_lost(true, now_);
        longest = std::max(longest, schedule_.due_ns() - now_);
        now_ = schedule_.due_ns();
        schedule_.answered(now_);
    }
    EXPECT_GT(longest, 120 * kScheduleSecond);
}

}  // namespace
}  // namespace fieldwatch::agent
