// What a device no longer sends snapshots about is Unknown after posture.freshness.
#include "detect/lifecycle/recommendation_book.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace fieldwatch::detect {
namespace {

class Freshness : public ::testing::Test {
  protected:
    static Timestamp at(std::int64_t hour) {
        return Timestamp::from_unix_seconds(1'800'000'000 + hour * 3'600);
    }
    void unhealthy(std::int64_t hour, std::string_view type = "IoT_OpenPorts") {
        book_.assess({.type = type,
                      .hub = "h",
                      .device = "d",
                      .health = Health::Unhealthy,
                      .time = at(hour),
                      .additional_json = R"({"Endpoints":"[]"})",
                      .evidence = {{0, 1, 0}}},
                     settings_, at(hour), found_);
    }
    /// States that were said since the last call.
    std::string expire(std::int64_t hour) {
        book_.expire(settings_, outages_, at(hour), found_);
        std::string out;
        for (const auto& finding : found_) {
            const auto& row = std::get<model::Recommendation>(finding);
            const auto more = nlohmann::json::parse(row.additional_json);
            out += std::string(to_string(row.state)) + more.value("ResolvedReason", "") + " ";
        }
        found_.clear();
        return out;
    }
    void restart() {
        Bytes saved, again;
        ByteWriter out(saved);
        book_.save(out);
        ByteReader in(saved);
        ASSERT_TRUE(book_.restore(in));
        EXPECT_TRUE(in.empty());
        ByteWriter out_again(again);
        book_.save(out_again);
        EXPECT_EQ(saved, again);
    }

    RecommendationBook book_;
    Settings settings_;
    Outages outages_;
    std::vector<model::Finding> found_;
};

TEST_F(Freshness, EndsTwoDaysAfterTheLastSnapshot) {
    unhealthy(0);
    unhealthy(20);  // says nothing new, but says it
    restart();
    EXPECT_EQ(expire(67), "Active ");
    EXPECT_EQ(expire(68), "ResolvedUnknown ");
    EXPECT_FALSE(book_.is_active("IoT_OpenPorts", "h", "d"));
    EXPECT_EQ(expire(200), "");
    unhealthy(201);
    EXPECT_EQ(expire(201), "Active ");
}

TEST_F(Freshness, IsAsSet) {
    settings_.snapshot_freshness = std::chrono::hours(100);
    unhealthy(0);
    EXPECT_EQ(expire(99), "Active ");
    EXPECT_EQ(expire(100), "ResolvedUnknown ");
}

TEST_F(Freshness, CountsNoTimeInWhichTheServerStoodStill) {
    unhealthy(0);
    outages_.tick(at(10));
    outages_.tick(at(60));
    EXPECT_EQ(expire(97), "Active ");
    EXPECT_EQ(expire(98), "ResolvedUnknown ");
}

TEST_F(Freshness, IsOfSnapshotsOnly) {
    unhealthy(0, "IoT_SharedCredentials");
    EXPECT_EQ(expire(1'000), "Active ");
}

}  // namespace
}  // namespace fieldwatch::detect
