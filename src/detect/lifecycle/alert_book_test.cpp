// What a person says of an alert stays with it, whatever its detector says later.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "detect/lifecycle/alert_book.hpp"

namespace fieldwatch::detect {
namespace {

using Json = nlohmann::json;

class Notes : public ::testing::Test {
  protected:
    static Timestamp at(std::int64_t second) { return Timestamp::from_unix_seconds(1'800'000'000 + second); }
    static model::Alert miner(std::string properties) {
        model::Alert alert;
        alert.type = "IoT_CryptoMiner";
        alert.hub.value = "h";
        alert.compromised_entity = "d";
        alert.start = alert.end = at(0);
        alert.evidence = {{.partition = 0, .offset = 1, .item = 0}};
        alert.extended_json = std::move(properties);
        return alert;
    }
    model::Alert last() const { return std::get<model::Alert>(found_.back()); }
    Json notes() const { return Json::parse(last().extended_json).value("Notes", Json::array()); }
    model::AlertDecision said(std::string comment) const {
        model::AlertDecision decision;
        decision.by = "ann";
        decision.comment = std::move(comment);
        decision.at = at(60);
        return decision;
    }

    AlertBook book_;
    std::vector<model::Finding> found_;
};

TEST_F(Notes, StayWhenTheAlertSaysMore) {
    book_.raise(miner(R"({"Count":1})"), std::chrono::hours(1), at(0), found_);
    auto decision = said("our own \"miner\"");
    decision.status = model::AlertStatus::Dismissed;
    decision.reason = "Expected here";
    ASSERT_TRUE(book_.decide("h", last().id.text(), decision, found_));
    EXPECT_EQ(last().status, model::AlertStatus::Dismissed);
    book_.restate(miner(R"({"Count":2})"), at(300), found_);
    EXPECT_EQ(Json::parse(last().extended_json)["Count"], 2);
    ASSERT_EQ(notes().size(), 1u);
    EXPECT_EQ(notes()[0], (Json{{"Time", to_iso8601(at(60))},
                                {"By", "ann"},
                                {"Status", "Dismissed"},
                                {"Reason", "Expected here"},
                                {"Comment", "our own \"miner\""}}));
}

TEST_F(Notes, ARepeatCountsInThePropertiesToo) {
    book_.raise(miner(R"({"CommandLine":"echo '\"HitCount\":7'","HitCount":1})"), std::chrono::hours(1),
                at(0), found_);
    book_.raise(miner(R"({"HitCount":1})"), std::chrono::hours(1), at(300), found_);
    book_.advance(at(3'000), found_);
    EXPECT_EQ(last().hit_count, 2);
    const auto properties = Json::parse(last().extended_json);
    EXPECT_EQ(properties["HitCount"], 2);
    EXPECT_EQ(properties["CommandLine"], "echo '\"HitCount\":7'");
}

TEST_F(Notes, SayWhoseTheAlertIsUntilItIsSomebodyElses) {
    const auto mine = [&] { return Json::parse(last().extended_json).value("AssignedTo", ""); };
    const auto assign = [&](std::string name) {
        auto decision = said("");
        decision.assignee = std::move(name);
        ASSERT_TRUE(book_.decide("h", last().id.text(), decision, found_));
    };
    book_.raise(miner(R"({"Count":1})"), std::chrono::hours(1), at(0), found_);
    assign("bob");
    EXPECT_EQ(mine(), "bob");
    EXPECT_EQ(last().status, model::AlertStatus::New);
    EXPECT_EQ(notes(), Json::array({{{"Time", to_iso8601(at(60))}, {"By", "ann"}, {"AssignedTo", "bob"}}}));
    book_.restate(miner(R"({"Count":2})"), at(300), found_);
    EXPECT_EQ(mine(), "bob");
    EXPECT_EQ(Json::parse(last().extended_json)["Count"], 2);
    assign("eve \"x\"");
    EXPECT_EQ(mine(), "eve \"x\"");
    assign("");
    EXPECT_FALSE(Json::parse(last().extended_json).contains("AssignedTo"));
    EXPECT_EQ(notes().back()["AssignedTo"], "");
    EXPECT_EQ(notes().size(), 3u);
}

TEST_F(Notes, AloneChangeNoStatus) {
    book_.raise(miner("{}"), std::chrono::hours(1), at(0), found_);
    const auto before = found_.size();
    ASSERT_TRUE(book_.decide("h", last().id.text(), said("looking"), found_));
    EXPECT_EQ(found_.size(), before + 1);
    EXPECT_EQ(last().status, model::AlertStatus::New);
    ASSERT_TRUE(book_.decide("h", last().id.text(), said(""), found_));
    EXPECT_EQ(found_.size(), before + 1);
}

TEST_F(Notes, OfAForgottenAlertAreRefused) {
    book_.raise(miner("{}"), std::chrono::hours(1), at(0), found_);
    const auto first = last().id.text();
    for (std::size_t i = 0; i < AlertBook::kOpenMax; ++i) {
        auto other = miner("{}");
        other.discriminator = std::to_string(i);
        book_.raise(std::move(other), std::chrono::hours(1), at(1), found_);
    }
    const auto before = found_.size();
    EXPECT_EQ(book_.decide("h", first, said("late"), found_).error().code, Errc::NotFound);
    EXPECT_EQ(found_.size(), before);
    EXPECT_TRUE(book_.decide("h", last().id.text(), said("in time"), found_));
}

/// A closed alert takes in no more of what happens on a later date, nor, when nobody closed it, of anything.
class Closed : public Notes {
  protected:
    /// The alert's id after a repeat so many seconds after the start, whose evidence is another row.
    Uuid repeat(std::int64_t second) {
        auto again = miner("{}");
        again.start = again.end = at(second);
        again.evidence.front().offset = static_cast<std::uint64_t>(second);
        book_.raise(std::move(again), std::chrono::hours(1), at(second), found_);
        return last().id;
    }
    Uuid close(model::AlertStatus status, std::int64_t second) {
        const auto id = repeat(second);
        auto decision = said("");
        decision.status = status;
        EXPECT_TRUE(book_.decide("h", id.text(), decision, found_));
        return id;
    }
    static constexpr std::int64_t kMidnight = 57'600;  ///< in seconds after at(0), which is 08:00
};

TEST_F(Closed, OnesAreFollowedByANewAlertOnTheNextDate) {
    for (const auto status : {model::AlertStatus::Resolved, model::AlertStatus::Dismissed}) {
        const auto first = close(status, kMidnight - 600);
        EXPECT_EQ(repeat(kMidnight - 300), first);  // the same date: more of it
        EXPECT_EQ(last().status, status);
        EXPECT_NE(repeat(kMidnight + 300), first);
        EXPECT_EQ(last().status, model::AlertStatus::New);
        EXPECT_EQ(last().hit_count, 1);
        book_.~AlertBook();
        new (&book_) AlertBook();
    }
}

TEST_F(Closed, OnlyThenAndNotWhileTheyAreOpen) {
    const auto first = close(model::AlertStatus::InProgress, kMidnight - 600);
    EXPECT_EQ(repeat(kMidnight + 300), first);
}

TEST_F(Closed, OnesOfThemselvesAreFollowedByANewAlertAtOnce) {
    const auto first = repeat(0);
    book_.resolve("h", "IoT_CryptoMiner", "d", "", at(60), found_);
    const auto second = repeat(120);
    EXPECT_NE(second, first);
    EXPECT_EQ(last().status, model::AlertStatus::New);
    book_.absorb("h", "IoT_CryptoMiner", "d", "", "key", at(180), found_);
    Bytes saved;
    ByteWriter out(saved);
    book_.save(out);
    ByteReader in(saved);
    ASSERT_TRUE(book_.restore(in));
    EXPECT_NE(repeat(240), second);
    EXPECT_EQ(last().status, model::AlertStatus::New);
}

TEST_F(Notes, AreBounded) {
    book_.raise(miner("{}"), std::chrono::hours(1), at(0), found_);
    for (int i = 0; i < 40; ++i)
        ASSERT_TRUE(book_.decide("h", last().id.text(), said(std::to_string(i)), found_));
    ASSERT_EQ(notes().size(), AlertBook::kNotesMax);
    EXPECT_EQ(notes().back()["Comment"], "39");
}

}  // namespace
}  // namespace fieldwatch::detect
