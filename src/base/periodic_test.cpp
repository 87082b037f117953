#include "base/periodic.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

namespace fieldwatch {
namespace {

TEST(Periodic, WorksAtOnceAgainAndNeverAfterStop) {
    std::atomic<int> done = 0;
    Periodic periodic;
    periodic.start(Ticks{0}, std::chrono::milliseconds(1), [&] { ++done; });
    while (done < 3)
        std::this_thread::yield();
    periodic.stop();
    const int at_stop = done;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(done, at_stop);
    periodic.stop();
}

TEST(Periodic, StopsInAPauseHoweverLong) {
    std::atomic<int> done = 0;
    Periodic between, before;
    between.start(Ticks{0}, std::chrono::hours(24), [&] { ++done; });
    before.start(std::chrono::hours(24), Ticks{0}, [&] { ++done; });
    while (done == 0)
        std::this_thread::yield();
    between.stop();  // a test that hangs here says what is wrong
    before.stop();
    EXPECT_EQ(done, 1);
}

TEST(Periodic, NeedNotHaveBegun) {
    Periodic periodic;
    periodic.stop();
}

}  // namespace
}  // namespace fieldwatch
