// Which alerts are one incident: shared process, user or address, within an hour, on one device.
#include "detect/lifecycle/incidents.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "detect/lifecycle/alert_book.hpp"

namespace fieldwatch::detect {
namespace {

using nlohmann::json;
constexpr std::int64_t kIncidentStart = 1'800'000'000;

class IncidentsTest : public ::testing::Test {
  protected:
    /// Raises an alert of its own type about these entities, so many minutes after the start.
    std::string raise(int minute, std::vector<json> entities, const char* device = "d", int lasts = 0) {
        model::Alert alert;
        alert.type = "T" + std::to_string(++number_);
        alert.hub.value = "h";
        alert.compromised_entity = device;
        alert.start = Timestamp::from_unix_seconds(kIncidentStart + minute * 60);
        alert.end = alert.start + std::chrono::minutes(lasts);
        entities.insert(entities.begin(), json{{"Type", "iotdevice"}, {"DeviceId", device}});
        alert.entities_json = json(entities).dump();
        alert.extended_json = json{{"DeviceId", device}}.dump();
        alert.evidence = {{0, static_cast<std::uint64_t>(number_), 0}};
        book_.raise(alert, std::chrono::hours(1), alert.end, found_);
        return alert.type;
    }
    /// The alerts that say the same incident as this one, by the newest row of each.
    std::string with(const std::string& type) const {
        std::map<std::string, std::string> incident;
        for (const auto& finding : found_) {
            const auto& alert = std::get<model::Alert>(finding);
            incident[alert.type] = json::parse(alert.extended_json).value("IncidentId", "");
        }
        std::string out;
        for (const auto& [other, id] : incident)
            if (!id.empty() && id == incident[type]) out += other + " ";
        return out;
    }
    void restart() {
        Bytes saved, again;
        ByteWriter out(saved);
        book_.save(out);
        book_.~AlertBook();
        new (&book_) AlertBook();
        ByteReader in(saved);
        ASSERT_TRUE(book_.restore(in));
        EXPECT_TRUE(in.empty());
        ByteWriter out_again(again);
        book_.save(out_again);
        EXPECT_EQ(saved, again);
    }
    static json process(int id) { return {{"Type", "process"}, {"ProcessId", std::to_string(id)}}; }
    static json user(const char* name) { return {{"Type", "account"}, {"Name", name}}; }
    static json user_id(const char* sid) { return {{"Type", "account"}, {"Sid", sid}}; }
    static json address(const char* text) { return {{"Type", "ip"}, {"Address", text}}; }

    AlertBook book_;
    std::vector<model::Finding> found_;
    int number_ = 0;
};

TEST_F(IncidentsTest, KnowUsersByTheirIdToo) {
    const auto first = raise(0, {user_id("1000")});
    const auto second = raise(10, {json{{"Type", "account"}, {"Name", "bob"}, {"Sid", "1000"}}});
    EXPECT_EQ(with(first), first + " " + second + " ");
    const auto third = raise(20, {user("bob")});
    EXPECT_EQ(with(first), first + " " + second + " " + third + " ");
    raise(20, {user_id("1000")}, "another");
    EXPECT_EQ(with(first), first + " " + second + " " + third + " ");
    const auto stranger = raise(20, {user("1000")});  // a name that looks like an id is none
    EXPECT_EQ(with(stranger), "");
}

TEST_F(IncidentsTest, AreAlertsThatShareSomethingWithinAnHour) {
    const auto login = raise(0, {user("admin"), address("203.0.113.9")});
    EXPECT_EQ(with(login), "");  // one alert is no incident
    const auto shell = raise(30, {user("admin"), process(70)});
    EXPECT_EQ(with(login), "T1 T2 ");
    restart();
    const auto miner = raise(89, {process(70)});  // shares nothing with the first, but with the second
    EXPECT_EQ(with(login), "T1 T2 T3 ");
    const auto later = raise(150, {process(70)});  // an hour and a minute after the last
    EXPECT_EQ(with(later), "");
    EXPECT_EQ(with(miner), "T1 T2 T3 ");
}

TEST_F(IncidentsTest, EndAtTheHourAndTheDevice) {
    const auto first = raise(0, {user("admin")});
    EXPECT_EQ(with(raise(60, {user("admin")})), "T1 T2 ");
    EXPECT_EQ(with(raise(60, {user("admin")}, "e")), "");
    EXPECT_EQ(with(raise(60, {user("other")})), "");
    EXPECT_EQ(with(first), "T1 T2 ");
}

TEST_F(IncidentsTest, TakeInWhatComesLate) {
    const auto second = raise(50, {process(9)});
    EXPECT_EQ(with(raise(0, {process(9)})), "T1 T2 ");
    EXPECT_EQ(with(raise(-61, {process(9)})), "");
    EXPECT_EQ(with(second), "T1 T2 ");
}

TEST_F(IncidentsTest, AreNotLinkedByWhatSaysNothing) {
    raise(0, {process(0), process(1), address("127.0.0.1"), address("::"), address("?"), user("")});
    EXPECT_EQ(
        with(raise(1, {process(0), process(1), address("127.0.0.1"), address("::"), address("?"), user("")})),
        "");
}

TEST_F(IncidentsTest, LastADayAtMost) {
    std::string last;
    for (int minute = 0; minute <= 24 * 60; minute += 60)
        last = raise(minute, {user("root")});
    EXPECT_EQ(with(last).find("T1 "), 0u);
    EXPECT_EQ(with(raise(25 * 60, {user("root")})), "");
}

TEST_F(IncidentsTest, OfADeviceAreBounded) {
    for (int i = 0; i < 20; ++i)
        raise(i, {process(100 + i)});
    EXPECT_EQ(with(raise(20, {process(119)})), "T20 T21 ");
    EXPECT_EQ(with(raise(20, {process(100)})), "");  // forgotten
}

TEST_F(IncidentsTest, ThatWereMergedIntoOneAlertSayItOnce) {
    const auto first = raise(0, {process(5)});
    raise(1, {process(5)});
    raise(2, {process(5)});
    int told = 0;
    for (const auto& finding : found_)
        told += std::get<model::Alert>(finding).type == first;
    EXPECT_EQ(told, 2);  // as it was raised, and when it was no longer alone
}

}  // namespace
}  // namespace fieldwatch::detect
