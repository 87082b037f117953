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
    EXPECT_EQ(word_pattern("a.b$"), "\\ba\\.b\\$");
}

}  // namespace
}  // namespace fieldwatch::workspace
