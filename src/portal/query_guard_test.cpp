#include "portal/query_guard.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace fieldwatch::portal {
namespace {

using std::chrono::seconds;

TEST(QueryGuard, TakesSoManyOfOneAskerInAWindowAndSaysWhenItEnds) {
    QueryGuard guard;
    for (int i = 0; i < QueryGuard::kInWindow; ++i)
        ASSERT_TRUE(guard.enter("ann", seconds(100 + i / 100))) << i;
    const auto refused = guard.enter("ann", seconds(112));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().after, seconds(18));
    EXPECT_EQ(refused.error().why, "more than 200 queries in 30 s: ask again in 18 s");
    EXPECT_TRUE(guard.enter("ben", seconds(112))) << "another is not refused for it";
    EXPECT_FALSE(guard.enter("ann", seconds(129)));
    EXPECT_TRUE(guard.enter("ann", seconds(130)));
}

TEST(QueryGuard, LetsSoManyRunAtOnceOfOneAndOfAll) {
    QueryGuard guard;
    std::vector<QueryGuard::Turn> running;
    for (int i = 0; i < QueryGuard::kAtOnceOfOne; ++i) {
        auto turn = guard.enter("ann", seconds(1));
        ASSERT_TRUE(turn);
        running.push_back(std::move(*turn));
    }
    const auto own = guard.enter("ann", seconds(1));
    ASSERT_FALSE(own);
    EXPECT_EQ(own.error().why, "3 queries of yours are running: wait until one of them has ended");
    EXPECT_EQ(own.error().after, seconds(1));
    auto other = guard.enter("ben", seconds(1));
    ASSERT_TRUE(other);
    running.push_back(std::move(*other));
    const auto full = guard.enter("cid", seconds(1));
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().why, "4 queries are running on this server: ask again in a moment");
    running.pop_back();
    EXPECT_TRUE(guard.enter("cid", seconds(1)));
    EXPECT_FALSE(guard.enter("ann", seconds(1)));
    running.clear();
    EXPECT_TRUE(guard.enter("ann", seconds(1)));
}

TEST(QueryGuard, CountsNoRefusedQuery) {
    QueryGuard guard;
    {
        std::vector<QueryGuard::Turn> running;
        for (int i = 0; i < QueryGuard::kAtOnceOfOne; ++i)
            running.push_back(std::move(*guard.enter("ann", seconds(1))));
        for (int i = 0; i < 2 * QueryGuard::kInWindow; ++i)
            ASSERT_FALSE(guard.enter("ann", seconds(1)));
    }
    EXPECT_TRUE(guard.enter("ann", seconds(1)));
}

TEST(QueryGuard, ForgetsTheAskerOfLongestAgoAndNobodysQueriesThatRun) {
    QueryGuard guard;
    {
        auto turn = guard.enter("ann", seconds(1));
        ASSERT_TRUE(turn);
        for (std::size_t i = 0; i < QueryGuard::kKeysMax; ++i)
            ASSERT_TRUE(guard.enter("asker " + std::to_string(i), seconds(1)));
    }
    std::vector<QueryGuard::Turn> running;
    for (int i = 0; i < QueryGuard::kAtOnceOfOne; ++i) {
        auto turn = guard.enter("ann", seconds(1));
        ASSERT_TRUE(turn) << i;
        running.push_back(std::move(*turn));
    }
}

}  // namespace
}  // namespace fieldwatch::portal
