#include "agent/provisioning/provisioning_client.hpp"

#include <gtest/gtest.h>

#include <set>

namespace fieldwatch::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Provisioning, WaitsAtLeastASecondAndAtMostThirtyOfItsOwnAccordOrAnHourIfAsked) {
    SeededRandom random(1);
    for (unsigned tries = 0; tries < 100; ++tries) {
        for (const int asked : {-5, 0, 1, 3, 86'400}) {
            const auto pause = provisioning_pause(seconds(asked), tries, random);
            EXPECT_GE(pause, seconds(1)) << asked;
            EXPECT_LE(pause, asked > 3 ? seconds(5'400) : seconds(45)) << asked;
        }
    }
}

TEST(Provisioning, TakesNoNameWithControlCharacters) {
    EXPECT_FALSE(read_provisioning_answer(
        R"({"status":"assigned","registrationState":{"assignedHub":"a\nb","deviceId":"d"}})"));
    EXPECT_FALSE(read_provisioning_answer(
        R"({"status":"assigned","registrationState":{"assignedHub":"a","deviceId":"d\n"}})"));
}

TEST(Provisioning, AFailureSaysWhatTheServiceSays) {
    const auto read = read_provisioning_answer(
        R"({"operationId":"5.1","status":"failed","registrationState":{"errorMessage":"no such hub"}})");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->reason, "no such hub");
}

TEST(Provisioning, WaitsAsLongAsItIsAskedTo) {
    SeededRandom random(1);
    std::set<milliseconds> different;
    for (int i = 0; i < 100; ++i) {
        const auto pause = provisioning_pause(seconds(10), 0, random);
        EXPECT_GE(pause, seconds(10));
        EXPECT_LE(pause, seconds(15));
        different.insert(pause);
    }
    EXPECT_GT(different.size(), 50U);
}

TEST(Provisioning, WaitsLongerEachTimeWhereNoTimeIsNamed) {
    SeededRandom random(1);
    for (unsigned tries = 0; tries < 5; ++tries) {
        const auto pause = provisioning_pause(seconds(0), tries, random);
        EXPECT_GE(pause, seconds(1 << tries));
        EXPECT_LE(pause, milliseconds(1'500) * (1 << tries));
    }
}

}  // namespace
}  // namespace fieldwatch::agent
