#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "workspace/duckdb/test_workspace.hpp"

namespace fieldwatch::workspace {
namespace {

using std::chrono::hours;
using testing::Directory;
using testing::kStart;

class QueryTest : public ::testing::Test {
  protected:
    void SetUp() override {
        workspace_ = open(testing::options_in(directory_.path()), clock_, metrics_).value();
        Commit commit{.partition = 0, .next_offset = 100};
        for (std::uint64_t offset = 0; offset < 100; ++offset) {
            commit.raw_events.push_back(testing::raw_event(0, offset, clock_.now()));
        }
        commit.alerts.push_back(testing::alert_row(0, 0, clock_.now()));
        ASSERT_TRUE(workspace_->commit(std::move(commit)));
    }
    ResultTable table(const std::string& text) {
        auto answer = workspace_->query({.text = text});
        EXPECT_TRUE(answer) << text << ": " << answer.error().message;
        return answer ? std::move(answer->tables.at(0)) : ResultTable{};
    }
    Value cell(const std::string& text) {
        const auto result = table(text);
        EXPECT_EQ(result.rows.size(), 1u) << text;
        return result.rows.empty() ? Value{} : result.rows[0].at(0);
    }

    Directory directory_;
    ManualClock clock_{kStart};
    Metrics metrics_;
    std::unique_ptr<Workspace> workspace_;
};

TEST_F(QueryTest, SeesHotAndSealedRowsAlikeAndEachOnce) {
    EXPECT_EQ(cell("SecurityIoTRawEvent | count"), Value(std::int64_t{100}));
    clock_.advance(hours(2));
    ASSERT_TRUE(workspace_->maintain());
    EXPECT_EQ(cell("SecurityIoTRawEvent | count"), Value(std::int64_t{100}));
    Commit commit{.partition = 0, .next_offset = 101};
    commit.raw_events.push_back(testing::raw_event(0, 100, clock_.now()));
    ASSERT_TRUE(workspace_->commit(std::move(commit)));
    EXPECT_EQ(cell("SecurityIoTRawEvent | count"), Value(std::int64_t{101}));
    EXPECT_EQ(cell("SecurityIoTRawEvent | summarize dcount(DeviceId)"), Value(std::int64_t{7}));
}

TEST_F(QueryTest, StopsAtAValueThatWouldGrowTooLarge) {
    const auto began = std::chrono::steady_clock::now();
    for (const std::string& text : {
             std::string(R"(print strcat_array(repeat(strrep("x", 1024), 1000000), ""))"),
             "print strcat_array(repeat(0, 1000000), '" + std::string(1024, 'x') + "')",
             std::string(R"(print strrep(strrep(strrep("x", 1024), 1024), 1024))"),
             std::string(R"(print strrep("x", 1024, strrep(strrep("x", 1024), 1024)))"),
             std::string(R"(print a = strrep(strrep("x", 1024), 1024) | extend replace_string(a, "x", a))"),
             std::string(R"(print a = strrep(strrep("x", 1024), 1024) | extend replace_regex(a, "x", a))"),
             std::string(R"(SecurityAlert | where strlen(strrep(strrep(AlertType, 1024), 1024)) > 0)"),
         }) {
        const auto answer = workspace_->query({.text = text});
        ASSERT_FALSE(answer) << text;
        EXPECT_EQ(answer.error().kind, QueryError::Kind::Limit) << text << answer.error().message;
        EXPECT_EQ(answer.error().message,
                  "a text or an array would be longer than 16 MiB: repeat, join or replace less");
    }
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(30))
        << "made before it is refused";
    EXPECT_EQ(cell(R"(print strlen(strrep(strrep("x", 1024), 1024)))"), Value(std::int64_t{1 << 20}));
    EXPECT_EQ(
        cell(R"(print strlen(replace_string(strrep("ab", 1024), "c", strrep(strrep("x", 1024), 1024))))"),
        Value(std::int64_t{2048}));
}

TEST_F(QueryTest, StopsBeforeRowsMakeMoreTogetherThanThereIsRoomFor) {
    const std::string rows = "range x from 1 to 2048 step 1 | extend a = strrep(tostring(x), 1024) | extend ";
    std::string doubled = "print a = strrep('x', 1024)";
    std::string packed = "SecurityAlert | take 1 | project a = AlertType", encoded = packed, listed = packed,
                quoted = packed;
    for (int i = 0; i < 20; ++i) {
        doubled += " | extend a = strcat(a, a)";
        listed += " | extend a = tostring(split(a, ''))  | extend a = tostring(to_utf8(a))";
    }
    for (int i = 0; i < 30; ++i) {
        packed += " | extend a = tostring(pack_array(a, a))";
        quoted += " | extend a = tostring(bag_pack('a', a))";
        encoded += " | extend a = base64_encode_tostring(a) | extend a = base64_encode_tostring(a)";
    }
    for (const std::string& text : {
             rows + "b = strcat(a, a, a, a, a, a, a, a, a, a) | summarize max(strlen(b))",
             rows + "b = strrep(a, 1000) | summarize max(strlen(b))",
             rows + "b = replace_string(a, '1', a) | summarize max(strlen(b))",
             rows + "b = array_iff(repeat(true, 1000), a, '') | summarize max(strlen(tostring(b)))",
             rows + "b = array_shift_left(repeat(true, 1000), 900, a) | summarize max(strlen(tostring(b)))",
             rows + "b = repeat(a, 1000) | summarize max(strlen(tostring(b)))",
             rows + "b = strlen(url_decode(strrep(a, 1000))) | summarize max(b)",
             rows +
                 "b = replace_strings(a, dynamic(['1', '2']), pack_array(a, a)) | summarize max(strlen(b))",
             doubled,
             packed,
             encoded,
             listed,
             quoted,
         }) {
        const auto answer = workspace_->query({.text = text});
        ASSERT_FALSE(answer) << text;
        EXPECT_EQ(answer.error().kind, QueryError::Kind::Limit) << text << answer.error().message;
    }
    EXPECT_EQ(cell(rows + "b = strcat(a, '-', a) | where strlen(b) > 2048 | count"),
              Value(std::int64_t{2048}));
}

TEST_F(QueryTest, RefusesARangeOfTooManyRows) {
    for (const auto* text : {
             "range x from 1 to 100000000000 step 1 | count",
             "range x from 1 to 1000001 step 1 | count",
             "range x from 1.0 to 1e12 step 1.0 | count",
             "range x from datetime(2000-01-01) to datetime(2020-01-01) step 1s | count",
             "let most = toscalar(SecurityIoTRawEvent | summarize 100000 * count()); range x from 0 to most "
             "step 1",
         }) {
        const auto answer = workspace_->query({.text = text});
        ASSERT_FALSE(answer) << text;
        EXPECT_EQ(answer.error().kind, QueryError::Kind::Limit) << text << answer.error().message;
        EXPECT_EQ(answer.error().message,
                  "range gives at most 1,000,000 rows: narrow its bounds or widen its step");
    }
    EXPECT_EQ(cell("range x from 1 to 1000000 step 1 | count"), Value(std::int64_t{1'000'000}));
    EXPECT_EQ(cell("range x from 1.0 to 1000000.0 step 1.0 | count"), Value(std::int64_t{1'000'000}));
}

TEST_F(QueryTest, ShowsRawEventsUnderTheirLaterNameWithDynamicDetails) {
    EXPECT_EQ(cell("DefenderIoTRawEvent | where EventDetails.Executable == '/bin/sh' and Type == "
                   "'DefenderIoTRawEvent' | count"),
              Value(std::int64_t{100}));
    EXPECT_EQ(cell("DefenderIoTRawEvent | take 1 | project tostring(EventDetails.CommandLine)"),
              Value("sh -c \"id\""));
}

TEST_F(QueryTest, KnowsTheFunctionsThatTheCompilerBrings) {
    EXPECT_EQ(cell("print hash('World')"), Value(std::int64_t{1'846'988'464'401'551'951}));
    EXPECT_EQ(
        cell("SecurityIoTRawEvent | extend x = parse_xml(strcat('<e d=\"', DeviceId, '\"/>')) | summarize "
             "dcount(tostring(x.e['@d']))"),
        Value(std::int64_t{7}));
    EXPECT_EQ(cell("SecurityIoTRawEvent | sort by TimeGenerated asc | extend s = "
                   "row_window_session(TimeGenerated, 1h, 1m) | summarize dcount(s)"),
              Value(std::int64_t{1}));
    EXPECT_EQ(cell("let known = toscalar(SecurityIoTRawEvent | summarize make_set(DeviceId)); "
                   "SecurityIoTRawEvent | where set_has_element(known, DeviceId) | count"),
              Value(std::int64_t{100}));
}

/// A file that is not there shows that nothing opened it.
TEST_F(QueryTest, OpensOnlyFilesThatCanHoldTheTimesAQueryAsksFor) {
    clock_.advance(hours(2));
    Commit commit{.partition = 0, .next_offset = 101};
    commit.raw_events.push_back(testing::raw_event(0, 100, clock_.now()));
    ASSERT_TRUE(workspace_->commit(std::move(commit)));
    clock_.advance(hours(2));
    ASSERT_TRUE(workspace_->maintain());
    ASSERT_TRUE(
        std::filesystem::remove(directory_.path() + "/sealed/SecurityIoTRawEvent-1789999200.parquet"));
    const Value one(std::int64_t{1});
    EXPECT_EQ(cell("SecurityIoTRawEvent | where TimeGenerated > ago(3h) | count"), one);
    EXPECT_EQ(cell("SecurityIoTRawEvent | where ago(3h) <= TimeGenerated and DeviceId != '' | count"), one);
    EXPECT_EQ(
        cell("SecurityIoTRawEvent | where DeviceId != '' | where TimeGenerated between (ago(3h) .. now()) "
             "| extend E = parse_json(EventDetails) | where isnotempty(E.Executable) | count"),
        one);
    EXPECT_EQ(
        cell(
            "let t = SecurityIoTRawEvent | where TimeGenerated >= ago(3h); t | join kind=inner t on DeviceId "
            "| count"),
        one);
    const auto all =
        workspace_->query({.text = "SecurityIoTRawEvent | where TimeGenerated > ago(3h) or IsEmpty"});
    EXPECT_FALSE(all) << "a filter that any row can pass opens every file";
}

TEST_F(QueryTest, FillsTheColumnsOfAnAlertAsPublished) {
    const auto result = table(
        "SecurityAlert | project ProductName, ProviderName, ResourceId, Techniques, SubTechniques, "
        "RemediationSteps, TenantId, Type, AlertName, VendorOriginalId == SystemAlertId, TimeGenerated");
    ASSERT_EQ(result.rows.size(), 1u);
    const auto text = [&](std::size_t i) { return std::get<std::string>(result.rows[0].at(i)); };
    EXPECT_EQ(text(0), "Fieldwatch");
    EXPECT_EQ(text(1), "IoTSecurity");
    EXPECT_EQ(text(2),
              "/subscriptions/00000000-0000-0000-0000-00000000ab01/resourceGroups/fieldwatch/providers/"
              "Microsoft.Devices/IotHubs/plant-1");
    EXPECT_EQ(text(3), R"(["T1046","T1059"])");
    EXPECT_EQ(text(4), R"(["T1059.004"])");
    EXPECT_EQ(text(5), R"(["Review the command line","Escalate"])");
    EXPECT_EQ(text(6), "test");
    EXPECT_EQ(text(7), "SecurityAlert");
    EXPECT_EQ(text(8), "Known attack tool");
    EXPECT_EQ(result.rows[0].at(9), Value(true));
    EXPECT_EQ(result.columns.at(10).type, ColumnType::DateTime);
    EXPECT_EQ(result.rows[0].at(10), Value(kStart.ticks + 621'355'968'000'000'000));
    EXPECT_EQ(cell("SecurityAlert | project tostring(parse_json(ExtendedProperties).RuleAuthor)"),
              Value(std::string("Ann")));
}

TEST_F(QueryTest, ReadsTheSamePathFromTheTypedColumnAsFromTheText) {
    EXPECT_EQ(
        cell("SecurityIoTRawEvent | where tostring(parse_json(EventDetails).CommandLine) == 'sh -c \"id\"' | "
             "count"),
        Value(std::int64_t{100}));
    EXPECT_EQ(
        cell("SecurityIoTRawEvent | where isempty(tostring(parse_json(EventDetails).RemoteAddress)) | count"),
        Value(std::int64_t{100}));
    EXPECT_EQ(cell("SecurityIoTRawEvent | where EventDetails contains '\"UserId\":0' | count"),
              Value(std::int64_t{100}));
}

TEST_F(QueryTest, RunsTheReadyMadeQueryOfAnAlert) {
    const auto query =
        ready_made_query(testing::options_in(directory_.path()), "Plant-1", "known attack TOOL");
    const auto result = table(query);
    ASSERT_EQ(result.rows.size(), 1u);
    EXPECT_EQ(result.rows[0][0], Value(std::string("pump-1")));
}

TEST_F(QueryTest, AppliesTheTimespanBesideTheQuerysOwnFilters) {
    auto answer = workspace_->query({.text = "SecurityIoTRawEvent | count", .from = kStart + Ticks(1)});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->tables[0].rows[0][0], Value(std::int64_t{0}));
    answer =
        workspace_->query({.text = "SecurityIoTRawEvent | count", .from = kStart, .to = kStart + Ticks(1)});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->tables[0].rows[0][0], Value(std::int64_t{100}));
}

TEST_F(QueryTest, CutsAtTheBoundsAndSaysSo) {
    auto answer = workspace_->query({.text = "SecurityIoTRawEvent | project DeviceId", .rows_max = 10});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_TRUE(answer->truncated);
    EXPECT_EQ(answer->tables[0].rows.size(), 10u);
    answer = workspace_->query({.text = "SecurityIoTRawEvent | project DeviceId", .bytes_max = 200});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_TRUE(answer->truncated);
    answer = workspace_->query({.text = "SecurityIoTRawEvent | project DeviceId", .rows_max = 100});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_FALSE(answer->truncated);
}

TEST_F(QueryTest, PointsAtWhatIsWrongInTheText) {
    const auto answer = workspace_->query({.text = "SecurityAlert\n| where Severty == 'High'"});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, QueryError::Kind::Semantic);
    EXPECT_EQ(answer.error().line, 2u);
    EXPECT_EQ(answer.error().column, 9u);
    EXPECT_EQ(answer.error().length, 7u);
}

TEST(QueryDeadlineTest, EndsAQueryThatTakesTooLong) {
    const auto answer = query_in_memory({.text = "range x from 1 to 1000000 step 1 | extend k = x % 3 | join "
                                                 "kind=inner (range y from 1 to 1000000 "
                                                 "step 1 | extend k = y % 3) on k | summarize sum(x * y)",
                                         .timeout = std::chrono::milliseconds(200)},
                                        system_clock());
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, QueryError::Kind::Timeout) << answer.error().message;
}

TEST(QueryInMemoryTest, AnswersWithoutTables) {
    const auto answer = query_in_memory({.text = "print 1+1"}, system_clock());
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->tables[0].rows[0][0], Value(std::int64_t{2}));
}

TEST(QueryInMemoryTest, GivesATableForEachBranchOfAFork) {
    const auto answer = query_in_memory(
        {.text = "range x from 1 to 5 step 1 | fork (count) Odd = (where x % 2 == 1)"}, system_clock());
    ASSERT_TRUE(answer) << answer.error().message;
    ASSERT_EQ(answer->tables.size(), 2u);
    EXPECT_EQ(answer->tables[0].name, "fork_1");
    EXPECT_EQ(answer->tables[0].rows[0][0], Value(std::int64_t{5}));
    EXPECT_EQ(answer->tables[1].name, "Odd");
    EXPECT_EQ(answer->tables[1].rows.size(), 3u);
}

TEST_F(QueryTest, NeverBlocksACommitNorSeesHalfOfOne) {
    std::atomic<bool> stop{false};
    std::jthread reader([&] {
        while (!stop) {
            const auto count = cell("SecurityIoTRawEvent | count");
            EXPECT_EQ(std::get<std::int64_t>(count) % 10, 0);
        }
    });
    for (std::uint64_t first = 100; first < 300; first += 10) {
        Commit commit{.partition = 0, .next_offset = first + 10};
        for (auto offset = first; offset < first + 10; ++offset) {
            commit.raw_events.push_back(testing::raw_event(0, offset, kStart));
        }
        ASSERT_TRUE(workspace_->commit(std::move(commit)));
    }
    stop = true;
}

}  // namespace
}  // namespace fieldwatch::workspace
