// Files of earlier releases open. A version's statements are frozen here as that release wrote them: never
// edit one, add the next beside it.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "workspace/duckdb/test_workspace.hpp"
#include "workspace/tables.hpp"

namespace fieldwatch::workspace {
namespace {

constexpr const char* kVersion1[] = {
    "CREATE TABLE _Meta (name VARCHAR NOT NULL, value BIGINT NOT NULL)",
    "CREATE TABLE _Offset (partition BIGINT NOT NULL, next_offset BIGINT NOT NULL)",
    "CREATE TABLE _HotTable (name VARCHAR NOT NULL, table_name VARCHAR NOT NULL, period_start BIGINT NOT "
    "NULL)",
    "CREATE TABLE _Manifest (file VARCHAR NOT NULL, table_name VARCHAR NOT NULL, table_version BIGINT NOT "
    "NULL,"
    " period_start BIGINT NOT NULL, rows BIGINT NOT NULL, bytes BIGINT NOT NULL, time_min BIGINT NOT NULL,"
    " time_max BIGINT NOT NULL)",
    "CREATE TABLE _AlertState (id UUID PRIMARY KEY, type VARCHAR NOT NULL, entity VARCHAR NOT NULL,"
    " hub VARCHAR NOT NULL, severity VARCHAR NOT NULL, status VARCHAR NOT NULL, changed BIGINT NOT NULL)",
    "CREATE TABLE _RecommendationState (id UUID PRIMARY KEY, type VARCHAR NOT NULL, device VARCHAR NOT NULL,"
    " hub VARCHAR NOT NULL, severity VARCHAR NOT NULL, state VARCHAR NOT NULL, changed BIGINT NOT NULL)",
    "CREATE TABLE _Outbox (sequence BIGINT NOT NULL, kind VARCHAR NOT NULL, key VARCHAR NOT NULL,"
    " body VARCHAR NOT NULL)",
    "INSERT INTO _Meta VALUES ('format_version', 1), ('outbox_done', 41)",
    "INSERT INTO _Offset VALUES (0, 7), (3, 12)",
    "INSERT INTO _Outbox VALUES (42, 'alert', 'k', '{}')",
    "INSERT INTO _AlertState VALUES ('00000000-0000-4000-8000-000000000001', 'IoT_X', 'pump-1', 'plant-1',"
    " 'High', 'InProgress', 639000000000000000)",
    "CREATE TABLE \"_Hot_AzureActivity_1789948800\" (\"TimeGenerated\" BIGINT NOT NULL,"
    " \"OperationNameValue\" VARCHAR NOT NULL, \"ActivityStatusValue\" VARCHAR NOT NULL,"
    " \"Caller\" VARCHAR NOT NULL, \"CallerIpAddress\" VARCHAR NOT NULL, \"CategoryValue\" VARCHAR NOT NULL,"
    " \"CorrelationId\" VARCHAR NOT NULL, \"Properties\" VARCHAR NOT NULL, \"_ResourceId\" VARCHAR NOT NULL,"
    " \"_Partition\" BIGINT NOT NULL, \"_Offset\" BIGINT NOT NULL, \"_Item\" BIGINT NOT NULL,"
    " \"_RowId\" UUID NOT NULL)",
    "INSERT INTO \"_Hot_AzureActivity_1789948800\" VALUES (639255980000000000, 'op', 'Success', 'ann', '::1',"
    " 'Administrative', 'c', '{}', '/subscriptions/s', 3, 11, 0, '00000000-0000-4000-8000-000000000002')",
    "INSERT INTO _HotTable VALUES ('_Hot_AzureActivity_1789948800', 'AzureActivity', 1789948800)",
};

class MigrationTest : public ::testing::Test {
  protected:
    void write(std::initializer_list<const char*> more = {}) {
        std::filesystem::create_directories(directory_.path());
        auto database = Database::open(directory_.path() + "/workspace.duckdb",
                                       {.directory = directory_.path(), .memory_bytes_max = 256u << 20});
        ASSERT_TRUE(database) << database.error().message;
        auto connection = database->connect().value();
        for (const auto* sql : kVersion1) {
            const auto done = connection.run(sql);
            ASSERT_TRUE(done) << done.error().message;
        }
        for (const auto* sql : more)
            ASSERT_TRUE(connection.run(sql));
    }
    testing::Directory directory_;
    ManualClock clock_{testing::kStart};
    Metrics metrics_;
};

TEST_F(MigrationTest, OpensAFileOfVersion1WithEverythingInIt) {
    write();
    {
        auto opened = open(testing::options_in(directory_.path()), clock_, metrics_);
        ASSERT_TRUE(opened) << opened.error().message;
        auto& workspace = **opened;
        EXPECT_EQ(workspace.committed_offset(3).value(), 12u);
        EXPECT_EQ(workspace.open_alerts(10).value().at(0).status, model::AlertStatus::InProgress);
        Commit commit{.partition = 3, .next_offset = 13};
        commit.outbox = {{.kind = "alert", .key = "l"}};
        ActivityRow row{.position = {3, 12, 0}, .time_generated = clock_.now(), .hub = "plant-1"};
        commit.activities = {row};
        ASSERT_TRUE(workspace.commit(std::move(commit)));
        const auto outbox = workspace.outbox({.count_max = 10}).value();
        ASSERT_EQ(outbox.size(), 2u);
        EXPECT_EQ(outbox[1].sequence, 43u);
    }
    EXPECT_EQ(testing::stored_integer(directory_.path(), tables::kAzureActivity, "count(*)"), 2);
}

/// SecurityAlert as version 1 made it, without the places of the evidence.
constexpr const char* kAlerts1[] = {
    "CREATE TABLE \"_Hot_SecurityAlert_1789948800\" (\"TimeGenerated\" BIGINT NOT NULL, \"StartTime\" BIGINT"
    " NOT NULL, \"EndTime\" BIGINT NOT NULL, \"ProcessingEndTime\" BIGINT NOT NULL, \"AlertLink\" VARCHAR NOT"
    " NULL, \"AlertSeverity\" VARCHAR NOT NULL, \"AlertType\" VARCHAR NOT NULL, \"CompromisedEntity\" VARCHAR"
    " NOT NULL, \"Description\" VARCHAR NOT NULL, \"DisplayName\" VARCHAR NOT NULL, \"Entities\" VARCHAR NOT"
    " NULL, \"ExtendedLinks\" VARCHAR NOT NULL, \"ExtendedProperties\" VARCHAR NOT NULL,"
    " \"ProductComponentName\" VARCHAR NOT NULL, \"ProductName\" VARCHAR NOT NULL, \"RemediationSteps\" "
    "VARCHAR"
    " NOT NULL, \"ResourceId\" VARCHAR NOT NULL, \"Status\" VARCHAR NOT NULL, \"SubTechniques\" VARCHAR NOT"
    " NULL, \"SystemAlertId\" VARCHAR NOT NULL, \"Tactics\" VARCHAR NOT NULL, \"Techniques\" VARCHAR NOT "
    "NULL,"
    " \"VendorName\" VARCHAR NOT NULL, \"_Partition\" BIGINT NOT NULL, \"_Offset\" BIGINT NOT NULL, \"_Item\""
    " BIGINT NOT NULL, \"_RowId\" UUID NOT NULL)",
    "INSERT INTO \"_Hot_SecurityAlert_1789948800\" VALUES (639255980000000000, 1, 1, 1, '', 'High', 'IoT_X',"
    " 'pump-1', '', '', '[]', '[]', '{}', 'Agent', '', '[]', '', 'New', '', 'old', '', '', '', 3, 10, 0,"
    " '00000000-0000-4000-8000-000000000003')",
    "INSERT INTO _HotTable VALUES ('_Hot_SecurityAlert_1789948800', 'SecurityAlert', 1789948800)",
};

TEST_F(MigrationTest, AlertsGainTheirEvidenceBesideOldOnes) {
    write({kAlerts1[0], kAlerts1[1], kAlerts1[2]});
    {
        auto opened = open(testing::options_in(directory_.path()), clock_, metrics_);
        ASSERT_TRUE(opened) << opened.error().message;
        Commit commit{.partition = 3, .next_offset = 13};
        commit.alerts = {testing::alert_row(3, 12, clock_.now())};
        commit.alerts[0].alert.evidence = {{.partition = 3, .offset = 9, .item = 2}};
        ASSERT_TRUE((*opened)->commit(std::move(commit)));
    }
    const auto count = [&](const std::string& where) {
        return testing::stored_integer(directory_.path(), tables::kSecurityAlert,
                                       "count(*) FILTER (WHERE " + where + ")");
    };
    EXPECT_EQ(count("\"_Evidence\" = '[]' AND \"SystemAlertId\" = 'old' AND \"_Offset\" = 10"), 1);
    EXPECT_EQ(count("\"_Evidence\" = '[[3,9,2]]' AND \"CompromisedEntity\" = 'pump-1' AND \"_Offset\" = 12"),
              1);
}

TEST_F(MigrationTest, IsMadeAgainByTheNextOpeningWhereverItWasKilled) {
    SeededRandom random(20261129);
    int killed = 0;
    std::uint64_t whole_us = 0;  // what an opening takes that nobody kills: the first one
    for (int round = 0; round <= 12; ++round) {
        std::filesystem::remove_all(directory_.path());
        write({kAlerts1[0], kAlerts1[1], kAlerts1[2]});
        const auto began = system_clock().monotonic();
        const auto child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            const auto opened = open(testing::options_in(directory_.path()), clock_, metrics_);
            ::_exit(opened ? 0 : 1);
        }
        if (round > 0) {
            ::usleep(static_cast<useconds_t>(random.below(whole_us)));
            ::kill(child, SIGKILL);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        if (round == 0)
            whole_us = static_cast<std::uint64_t>((system_clock().monotonic() - began).count()) / 1'000;
        killed += WIFSIGNALED(status) ? 1 : 0;
        {
            auto opened = open(testing::options_in(directory_.path()), clock_, metrics_);
            ASSERT_TRUE(opened) << opened.error().message;
            EXPECT_EQ((*opened)->committed_offset(3).value(), 12u);
            EXPECT_EQ((*opened)->open_alerts(10).value().at(0).status, model::AlertStatus::InProgress);
            const auto outbox = (*opened)->outbox({.count_max = 10}).value();
            ASSERT_EQ(outbox.size(), 1u);
            EXPECT_EQ(outbox[0].sequence, 42u);
        }
        EXPECT_EQ(testing::stored_integer(directory_.path(), tables::kAzureActivity, "count(*)"), 1);
        EXPECT_EQ(testing::stored_integer(directory_.path(), tables::kSecurityAlert, "count(*)"), 1);
    }
    EXPECT_GT(killed, 2) << "no kill came before the end";
}

TEST_F(MigrationTest, RefusesAFileOfTheFuture) {
    write({"UPDATE _Meta SET value = 1000 WHERE name = 'format_version'"});
    const auto opened = open(testing::options_in(directory_.path()), clock_, metrics_);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::Unsupported);
}

}  // namespace
}  // namespace fieldwatch::workspace
