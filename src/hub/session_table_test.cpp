// When identities came, went and were heard of, until the registry knows it.
#include "hub/session_table.hpp"

#include <gtest/gtest.h>

#include "hub/rate.hpp"

namespace fieldwatch::hub {
namespace {

model::Identity device_of(std::size_t number) {
    return {{"testhub"}, {"d" + std::to_string(number)}, {}};
}

Timestamp at(std::int64_t seconds) {
    return Timestamp::from_unix_seconds(1'700'000'000 + seconds);
}

TEST(SessionTable, WhoIsHeardOfWhileItIsKeptWaitsForTheNextTime) {
    SessionTable table;
    table.came(device_of(1), at(0));
    table.came(device_of(2), at(0));
    const auto first = table.unkept();
    ASSERT_EQ(first.size(), 2u) << "each identity once";
    table.active(device_of(2), at(5));
    table.kept(first);
    const auto second = table.unkept();
    ASSERT_EQ(second.size(), 1u);
    EXPECT_EQ(second[0].identity, device_of(2));
    EXPECT_EQ(second[0].active, at(5));
    EXPECT_EQ(second[0].changed, at(0));
}

TEST(SessionTable, AFullTableForgetsWhoWasHeardOfLongestAgo) {
    SessionTable table;
    constexpr std::size_t kMax = 200'000;
    for (std::size_t i = 0; i < kMax; ++i)
        table.active(device_of(i), at(0));
    table.active(device_of(0), at(1));  // not the oldest any more, though the first by name
    table.active(device_of(kMax), at(2));
    EXPECT_EQ(table.unkept().size(), kMax);
    EXPECT_EQ(table.presence(device_of(0)).active, at(1));
    EXPECT_EQ(table.presence(device_of(1)).active, Timestamp{});
    EXPECT_EQ(table.presence(device_of(kMax)).active, at(2));
}

TEST(TokenBucket, TimesThatComeOutOfOrderGiveAndTakeNothing) {
    using std::chrono::seconds;
    TokenBucket bucket(1, 2);
    EXPECT_TRUE(bucket.take(seconds(100), 2));
    EXPECT_FALSE(bucket.take(seconds(90)));
    EXPECT_FALSE(bucket.take(seconds(100))) << "the ten seconds are not counted twice";
    EXPECT_TRUE(bucket.take(seconds(101)));
}

}  // namespace
}  // namespace fieldwatch::hub
