#include <gtest/gtest.h>

#include "base/words.hpp"
#include "workspace/duckdb/test_workspace.hpp"
#include "workspace/tables.hpp"
#include "workspace/upkeep.hpp"

namespace fieldwatch::workspace {
namespace {

using testing::Directory;
using testing::kStart;

class PurgeTest : public ::testing::Test {
  protected:
    void SetUp() override {
        auto opened = open(testing::options_in(directory_.path()), clock_, metrics_);
        ASSERT_TRUE(opened) << opened.error().message;
        workspace_ = std::move(*opened);
        commit(0);
        clock_.advance(std::chrono::hours(24));
        ASSERT_TRUE(workspace_->maintain());  // what came so far is sealed
        commit(70);
    }
    /// Ten rows of each of seven devices; those of pump-3 name a user, and so does an alert.
    void commit(std::uint64_t first) {
        Commit commit{.partition = 0, .next_offset = first + 70};
        for (std::uint64_t i = first; i < first + 70; ++i) {
            auto row = testing::raw_event(0, i, clock_.now());
            if (i % 7 == 3)
                row.details_json =
                    R"({"UserName":"al.ice","CommandLine":"su - al.ice; echo alXice al.ices malxice"})";
            commit.raw_events.push_back(row);
        }
        auto alert = testing::alert_row(0, first, clock_.now());
        alert.alert.extended_json = R"({"DeviceId":"pump-1","User":"al.ice"})";
        commit.alerts.push_back(alert);
        commit.outbox = {
            {.kind = "alert",
             .key = "a",
             .body_json = R"({"finding":{"Hub":"plant-1","CompromisedEntity":"pump-1"}})"},
            {.kind = "alert",
             .key = "b",
             .body_json = R"({"finding":{"Hub":"plant-2","CompromisedEntity":"pump-1"}})"},
            {.kind = "recommendation",
             .key = "c",
             .body_json = R"({"finding":{"Hub":"plant-1","DeviceId":"pump-1"}})"},
            {.kind = "alert", .key = "d", .body_json = R"({"finding":{"User":"al.ice","Other":"al.ices"}})"},
            {.kind = "alert", .key = "e", .body_json = "{"}};
        ASSERT_TRUE(workspace_->commit(std::move(commit)));
    }
    std::string waiting() {
        std::string out;
        for (const auto& row : workspace_->outbox({.count_max = 100}).value())
            out += row.key + (row.body_json.find("al.ice\"") == std::string::npos ? "" : "!") + " ";
        return out;
    }
    std::int64_t stored(const Table& table, const std::string& expression) {
        workspace_.reset();
        const auto value = testing::stored_integer(directory_.path(), table, expression);
        auto opened = open(testing::options_in(directory_.path()), clock_, metrics_);
        workspace_ = std::move(*opened);
        return value;
    }
    static std::uint64_t rows_of(const Purged& purged, std::string_view table) {
        for (const auto& [name, rows] : purged.rows) {
            if (name == table) return rows;
        }
        return 0;
    }

    Directory directory_;
    ManualClock clock_{kStart};
    Metrics metrics_;
    std::unique_ptr<Workspace> workspace_;
};

TEST_F(PurgeTest, TakesTheRowsOfADeviceOutOfHotTablesAndSealedFiles) {
    const auto counted =
        (*upkeep_of(*workspace_))->purge({.hub = "plant-1", .device = "pump-1", .only_count = true});
    ASSERT_TRUE(counted) << counted.error().message;
    EXPECT_EQ(rows_of(*counted, "SecurityIoTRawEvent"), 20u);
    EXPECT_EQ(rows_of(*counted, "SecurityAlert"), 2u);
    EXPECT_EQ(counted->sealed_files, 2u);
    EXPECT_EQ(stored(tables::kSecurityIoTRawEvent, "count(*)"), 140) << "counting changes nothing";

    EXPECT_EQ(rows_of(*(*upkeep_of(*workspace_))->purge({.hub = "another", .device = "pump-1"}),
                      "SecurityIoTRawEvent"),
              0u);
    const auto purged = (*upkeep_of(*workspace_))->purge({.hub = "plant-1", .device = "pump-1"});
    ASSERT_TRUE(purged) << purged.error().message;
    EXPECT_EQ(rows_of(*purged, "SecurityIoTRawEvent"), 20u);
    EXPECT_EQ(stored(tables::kSecurityIoTRawEvent, "count(*)"), 120);
    EXPECT_EQ(stored(tables::kSecurityIoTRawEvent, "count(*) FILTER (\"DeviceId\" = 'pump-1')"), 0);
    EXPECT_EQ(stored(tables::kSecurityAlert, "count(*)"), 0);
    EXPECT_TRUE(workspace_->open_alerts(10)->empty());
    EXPECT_EQ(waiting(), "b d! e b d! e ");
    EXPECT_EQ(*workspace_->committed_offset(0), 140u);
    EXPECT_TRUE((*upkeep_of(*workspace_))->purge({.hub = "plant-1", .device = "pump-2"}))
        << "a file may be written anew twice";
    EXPECT_EQ(stored(tables::kSecurityIoTRawEvent, "count(*)"), 100);
}

TEST_F(PurgeTest, TakesANameOutOfEveryTextAndLeavesTheRows) {
    const auto purged = (*upkeep_of(*workspace_))->purge({.user_name = "al.ice"});
    ASSERT_TRUE(purged) << purged.error().message;
    EXPECT_EQ(rows_of(*purged, "SecurityIoTRawEvent"), 20u);
    EXPECT_EQ(stored(tables::kSecurityIoTRawEvent, "count(*)"), 140);
    EXPECT_EQ(stored(tables::kSecurityIoTRawEvent,
                     "count(*) FILTER (\"EventDetails\" = "
                     "'{\"UserName\":\"(purged)\",\"CommandLine\":\"su - (purged); echo alXice al.ices "
                     "malxice\"}' AND \"_Details_UserName\" = '(purged)')"),
              20);
    EXPECT_EQ(stored(tables::kSecurityAlert, "count(*) FILTER (contains(\"ExtendedProperties\", 'al.ice'))"),
              0);
    EXPECT_EQ(stored(tables::kSecurityAlert, "count(*)"), 2);
    EXPECT_EQ(waiting(), "a b c d e a b c d e ");
}

TEST_F(PurgeTest, TakesANameThatJsonEscapesAndLeavesNumbers) {
    Commit commit{.partition = 0, .next_offset = 141};
    auto row = testing::raw_event(0, 140, clock_.now());
    row.details_json = R"({"UserName":"CORP\\4711","CommandLine":"kill 4711","UserId":4711})";
    commit.raw_events.push_back(row);
    commit.outbox = {{.kind = "alert", .key = "n", .body_json = R"({"User":"CORP\\4711","Pid":4711})"}};
    ASSERT_TRUE(workspace_->commit(std::move(commit)));
    ASSERT_TRUE((*upkeep_of(*workspace_))->purge({.user_name = R"(CORP\4711)"}));
    EXPECT_EQ(stored(tables::kSecurityIoTRawEvent,
                     "count(*) FILTER (\"EventDetails\" = '{\"UserName\":\"(purged)\",\"CommandLine\":"
                     "\"kill 4711\",\"UserId\":4711}' AND \"_Details_UserName\" = '(purged)')"),
              1);
    const auto purged = (*upkeep_of(*workspace_))->purge({.user_name = "4711"});
    EXPECT_EQ(rows_of(*purged, "SecurityIoTRawEvent"), 1u);
    EXPECT_EQ(stored(tables::kSecurityIoTRawEvent,
                     "count(*) FILTER (\"EventDetails\" = '{\"UserName\":\"(purged)\",\"CommandLine\":"
                     "\"kill (purged)\",\"UserId\":4711}' AND \"_Details_UserId\" = '4711' AND "
                     "\"_Details_CommandLine\" = 'kill (purged)')"),
              1);
    EXPECT_EQ(workspace_->outbox({.count_max = 100})->back().body_json,
              R"j({"User":"(purged)","Pid":4711})j");
    for (const auto* name : {"true", "null", "UserId", "UserName", "CommandLine"})
        EXPECT_EQ(rows_of(*(*upkeep_of(*workspace_))->purge({.user_name = name}), "SecurityIoTRawEvent"), 0u);
}

TEST_F(PurgeTest, LeavesTheHubsOwnAlertsWhenADeviceHasItsName) {
    Commit commit{.partition = 0, .next_offset = 142};
    for (const bool of_device : {false, true}) {
        auto alert = testing::alert_row(0, of_device ? 141 : 140, clock_.now());
        alert.alert.compromised_entity = "plant-1";
        alert.alert.extended_json = of_device ? R"({"DeviceId":"plant-1"})" : R"({"User":"x"})";
        commit.alerts.push_back(alert);
        commit.outbox.push_back({.kind = "alert",
                                 .key = of_device ? "own" : "hub",
                                 .body_json = R"({"finding":{"Hub":"plant-1","CompromisedEntity":"plant-1",)"
                                              R"("ExtendedProperties":)" +
                                              alert.alert.extended_json + "}}"});
    }
    ASSERT_TRUE(workspace_->commit(std::move(commit)));
    const auto before = workspace_->open_alerts(10)->size();
    const auto purged = (*upkeep_of(*workspace_))->purge({.hub = "plant-1", .device = "plant-1"});
    ASSERT_TRUE(purged) << purged.error().message;
    EXPECT_EQ(rows_of(*purged, "SecurityAlert"), 1u);
    EXPECT_EQ(workspace_->open_alerts(10)->size(), before - 1);
    EXPECT_EQ(waiting(), "a b c d! e a b c d! e hub ");
    EXPECT_EQ(stored(tables::kSecurityAlert, "count(*) FILTER (\"CompromisedEntity\" = 'plant-1')"), 1);
}

TEST_F(PurgeTest, RefusesAPurgeOfNothingOrOfBoth) {
    EXPECT_FALSE((*upkeep_of(*workspace_))->purge({}));
    EXPECT_FALSE((*upkeep_of(*workspace_))->purge({.hub = "plant-1", .device = "a", .user_name = "b"}));
}

TEST_F(PurgeTest, TakesHostileNamesAsText) {
    for (const auto* name : {"'; DROP TABLE _Meta; --", "{}", "\\", "(", "a|b", "%", "[", "\"", "ü"})
        EXPECT_TRUE((*upkeep_of(*workspace_))->purge({.user_name = name})) << name;
    EXPECT_TRUE((*upkeep_of(*workspace_))->purge({.hub = "x'; --", .device = "'; DROP TABLE _Meta; --"}));
    EXPECT_EQ(stored(tables::kSecurityIoTRawEvent, "count(*)"), 140);
}

TEST(WordsTest, ReplacesWholeWordsOnly) {
    EXPECT_EQ(replace_words("bob bob bobby abob bob_ (bob) BOB", "bob", "x").text,
              "x x bobby abob bob_ (x) BOB");
    EXPECT_EQ(replace_words("svc$ svc$x", "svc$", "-").text, "- -x");
    EXPECT_EQ(replace_words("anything", "", "x").count, 0u);
}

}  // namespace
}  // namespace fieldwatch::workspace
