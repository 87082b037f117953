// What hangs on what left before, and on the time of day.
#include "export/selection.hpp"

#include <gtest/gtest.h>

namespace fieldwatch::exports {
namespace {

Finding alert(std::string id, std::string incident = "", model::Severity severity = model::Severity::Medium) {
    Finding out;
    out.id = std::move(id);
    out.type = "T";
    out.hub = "plant";
    out.incident = std::move(incident);
    out.severity = severity;
    out.state = "New";
    return out;
}
Finding later(std::string id, std::string state) {
    auto out = alert(std::move(id));
    out.later = true;
    out.state = std::move(state);
    return out;
}
Timestamp at(int hour, int minute) {
    return Timestamp::from_unix_seconds(20'000LL * 86'400 + hour * 3'600 + minute * 60);
}

TEST(Selection, OfAnIncidentTheFirstLeavesAndWhatIsWorse) {
    const auto destination = *read_destination("d", R"({"to":"file","group":"incident"})");
    Selection selection(destination);
    EXPECT_TRUE(selection.wants(alert("a"), 1));
    EXPECT_FALSE(selection.wants(alert("b", "a"), 2)) << "in the same batch";
    selection.settle(2);
    EXPECT_FALSE(selection.wants(alert("c", "a"), 3)) << "in a later one";
    EXPECT_TRUE(selection.wants(alert("d", "a", model::Severity::High), 4));
    EXPECT_FALSE(selection.wants(alert("e", "a", model::Severity::High), 5));
    EXPECT_TRUE(selection.wants(alert("f", "another"), 6)) << "of whose first one nothing left";
    selection.settle(6);
    EXPECT_FALSE(selection.wants(alert("g", "a", model::Severity::High), 7));
    Finding recommendation;
    recommendation.kind = Kind::Recommendation;
    EXPECT_TRUE(selection.wants(recommendation, 8));
}

TEST(Selection, AnAlertThatLeftForBeingWorseIsFollowedToItsEnd) {
    const auto destination = *read_destination("d", R"({"to":"file","group":"incident","states":"all"})");
    Selection selection(destination);
    const auto resolved = [](std::string id) {
        auto out = later(std::move(id), "Resolved");
        out.incident = "a";
        return out;
    };
    EXPECT_TRUE(selection.wants(alert("a"), 1));
    EXPECT_TRUE(selection.wants(alert("d", "a", model::Severity::High), 2));
    EXPECT_FALSE(selection.wants(alert("e", "a"), 3));
    EXPECT_TRUE(selection.wants(resolved("d"), 4)) << "in the same batch";
    selection.settle(3);
    EXPECT_TRUE(selection.wants(resolved("d"), 4)) << "in a later one";
    EXPECT_FALSE(selection.wants(resolved("e"), 5)) << "it never left";
    EXPECT_TRUE(selection.wants(resolved("a"), 6));
}

TEST(Selection, WhatDidNotLeaveIsNoReasonToKeepAnythingBack) {
    const auto destination = *read_destination("d", R"({"to":"file","group":"incident","states":"all"})");
    Selection selection(destination);
    EXPECT_TRUE(selection.wants(alert("a"), 1));
    EXPECT_TRUE(selection.wants(later("x", "Resolved"), 2));
    selection.settle(0);  // the receiver took none of them
    EXPECT_TRUE(selection.wants(alert("a"), 1));
    EXPECT_TRUE(selection.wants(later("x", "Resolved"), 2));
    selection.settle(1);
    EXPECT_TRUE(selection.wants(later("x", "Resolved"), 2));
    EXPECT_FALSE(selection.wants(alert("b", "a"), 3));
}

TEST(Selection, AStateLeavesOnceAndOnlyWhereItIsWanted) {
    const auto all = *read_destination("d", R"({"to":"file","states":"all"})"),
               usual = *read_destination("d", R"({"to":"file"})");
    Selection selection(all), without(usual);
    EXPECT_FALSE(without.wants(later("a", "Dismissed"), 1));
    EXPECT_TRUE(selection.wants(later("a", "InProgress"), 1));
    EXPECT_FALSE(selection.wants(later("a", "InProgress"), 2)) << "its count grew";
    EXPECT_TRUE(selection.wants(later("a", "Resolved"), 3));
    selection.settle(3);
    EXPECT_FALSE(selection.wants(later("a", "Resolved"), 4));
    EXPECT_TRUE(selection.wants(later("a", "InProgress"), 5)) << "it came back";
    EXPECT_TRUE(selection.wants(later("b", "Resolved"), 6));
}

TEST(QuietHours, GoOverMidnightAndByTheClockOnTheWall) {
    const auto night = *QuietHours::parse("22:00-06:30");
    EXPECT_FALSE(night.end_of(at(21, 59)));
    EXPECT_EQ(night.end_of(at(22, 0)), at(30, 30));
    EXPECT_EQ(night.end_of(at(2, 15)), at(6, 30));
    EXPECT_FALSE(night.end_of(at(6, 30)));
    const auto noon = *QuietHours::parse("12:00-13:00+02:00");
    EXPECT_EQ(noon.end_of(at(10, 20)), at(11, 0));
    EXPECT_FALSE(noon.end_of(at(12, 20)));
    const auto west = *QuietHours::parse("23:00-01:00-05:30");
    EXPECT_EQ(west.end_of(at(5, 0)), at(6, 30));
    EXPECT_EQ(west.text(), "23:00-01:00-05:30");
    EXPECT_EQ(night.text(), "22:00-06:30");
    EXPECT_EQ(QuietHours::parse("22:00-06:00Z")->text(), "22:00-06:00");
    for (const auto* wrong :
         {"", "22-6", "24:00-06:00", "22:60-06:00", "22:00-22:00", "22:00 06:00", "22:00-06:00+1",
          "22:00-06:00+15:00", "22:00-06:00 Europe/Berlin", "\xff\xff:00-06:00"})
        EXPECT_FALSE(QuietHours::parse(wrong)) << wrong;
}

}  // namespace
}  // namespace fieldwatch::exports
