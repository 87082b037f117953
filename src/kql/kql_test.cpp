#include "kql/kql.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace fieldwatch::kql {
namespace {

Catalog one_table() {
    Catalog catalog;
    catalog.tables.push_back(
        {.name = "T",
         .source_sql = "t",
         .columns =
             {{.name = "TimeGenerated",
               .type = ColumnType::DateTime,
               .sql = "time",
               .storage = Storage::UnixTicks},
              {.name = "DeviceId", .type = ColumnType::String, .sql = "device", .nullable = false},
              {.name = "EventDetails", .type = ColumnType::String, .sql = "details", .nullable = false}},
         .paths = {{"EventDetails", "Executable", "executable"}}});
    return catalog;
}

/// What a query asks the table's source for, in ticks since 0001-01-01.
TimeBounds bounds_of(const std::string& query) {
    TimeBounds seen;
    auto catalog = one_table();
    catalog.tables[0].source_within = [&seen](const TimeBounds& bounds) {
        seen = bounds;
        return std::string("t");
    };
    EXPECT_TRUE(compile(query, catalog, {.now = Timestamp::from_unix_seconds(1'790'000'000)})) << query;
    return seen;
}

TEST(TimeBounds, AreThoseThatEveryRowOfTheResultMustMeet) {
    const auto now = Timestamp::from_unix_seconds(1'790'000'000).ticks + kUnixEpochTicks;
    const auto hour = std::int64_t{36'000'000'000};
    EXPECT_EQ(bounds_of("T | where TimeGenerated > ago(1h)").from, now - hour + 1);
    EXPECT_EQ(bounds_of("T | where ago(1h) <= TimeGenerated").from, now - hour);
    EXPECT_EQ(bounds_of("T | where TimeGenerated < ago(1h)").to, now - hour - 1);
    const auto between = bounds_of(
        "T | extend x = 1 | where DeviceId == 'a' and TimeGenerated between (ago(2h) .. 1h) | where x == 1");
    EXPECT_EQ(between.from, now - 2 * hour);
    EXPECT_EQ(between.to, now - hour);
    EXPECT_EQ(bounds_of("T | where TimeGenerated >= startofday(now())").from, now - now % (24 * hour));
    EXPECT_EQ(bounds_of("T | where TimeGenerated > ago(1h) | where TimeGenerated > ago(2h)").from,
              now - hour + 1);
}

TEST(TimeBounds, AreOpenWhereARowOutsideMayCount) {
    for (const auto* query :
         {"T", "T | where TimeGenerated > ago(1h) or DeviceId == 'a'",
          "T | where not(TimeGenerated > ago(1h))",
          "T | summarize TimeGenerated = max(TimeGenerated) by DeviceId | where TimeGenerated > ago(1h)",
          "T | take 10 | where TimeGenerated > ago(1h)", "T | where TimeGenerated != ago(1h)",
          "T | extend TimeGenerated = now() | where TimeGenerated > ago(1h)",
          "T | where TimeGenerated !between (ago(2h) .. ago(1h))"}) {
        EXPECT_EQ(bounds_of(query).from, INT64_MIN) << query;
        EXPECT_EQ(bounds_of(query).to, INT64_MAX) << query;
    }
}

KqlError error_of(const std::string& text, Options options = {}) {
    const auto result = compile(text, one_table(), options);
    return result ? KqlError{.message = "no error: " + result->sql} : result.error();
}

TEST(Compile, RefusesDeepNestingLongTextAndTooManyOperatorsAsLimits) {
    EXPECT_EQ(error_of("print " + std::string(100'000, '(')).kind, KqlError::Kind::Limit);
    EXPECT_EQ(error_of("print " + std::string(100'000, '-') + "1").kind, KqlError::Kind::Limit);
    EXPECT_EQ(error_of(std::string((1u << 20) + 1, ' ')).kind, KqlError::Kind::Limit);
    std::string chain = "print 1", sum = "print 1", members = "print dynamic({})";
    for (int i = 0; i < 5000; ++i)
        chain += " | where true", sum += "+1", members += ".a";
    EXPECT_EQ(error_of(chain).kind, KqlError::Kind::Limit);
    EXPECT_EQ(error_of(sum).kind, KqlError::Kind::Limit);
    EXPECT_EQ(error_of(members).kind, KqlError::Kind::Limit);
}

TEST(Compile, RefusesLetTablesThatDoubleAtEachStep) {
    std::string text = "let a0 = T;";
    for (int i = 1; i < 40; ++i)
        text += "let a" + std::to_string(i) + " = a" + std::to_string(i - 1) + " | union a" +
                std::to_string(i - 1) + ";";
    EXPECT_EQ(error_of(text + "a39").kind, KqlError::Kind::Limit);
}

TEST(Compile, RefusesScalarsThatDoubleAtEachStep) {
    std::string text = "let a0 = dynamic({});";
    for (int i = 1; i < 60; ++i)
        text += "let a" + std::to_string(i) + " = strcat(a" + std::to_string(i - 1) + ", a" +
                std::to_string(i - 1) + ");";
    EXPECT_EQ(error_of(text + "print a59").kind, KqlError::Kind::Limit);
}

TEST(Compile, RefusesFunctionsThatCallEachOtherTwiceAtEachStep) {
    // gettype() of a value is a constant: nothing grows but the number of calls.
    std::string text = "let f0 = (x: string) { gettype(x) };";
    for (int i = 1; i < 40; ++i) {
        const auto before = "f" + std::to_string(i - 1) + "(x)";
        text += "let f" + std::to_string(i) + " = (x: string) { strcat(gettype(" + before + "), gettype(" +
                before + ")) };";
    }
    EXPECT_EQ(error_of(text + "print f39('')").kind, KqlError::Kind::Limit);
}

TEST(Compile, KeepsUserTextOutOfTheSql) {
    const auto result =
        compile("T | where DeviceId == \"x'; DROP TABLE t\" | project ['a\"b'] = DeviceId", one_table(), {});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->sql.find("DROP"), std::string::npos);
    EXPECT_EQ(result->sql.find("a\"b"), std::string::npos);
    ASSERT_EQ(result->parameters.size(), 1u);
    EXPECT_EQ(result->columns[0].name, "a\"b");
}

TEST(Compile, ReadsTypedColumnInsteadOfJsonText) {
    const auto result = compile(
        "T | extend e=parse_json(EventDetails) | where tostring(e.Executable) has 'sh' | project "
        "tostring(e.Executable)",
        one_table(), {});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_NE(result->sql.find("executable AS"), std::string::npos);
    EXPECT_EQ(result->sql.find("details"), std::string::npos);
}

TEST(Compile, AddsTheTimespanOfTheRequestToEachTable) {
    const auto result =
        compile("T | union T | count", one_table(), {.from = Timestamp{10}, .to = Timestamp{20}});
    ASSERT_TRUE(result) << result.error().message;
    std::size_t count = 0;
    for (auto at = result->sql.find("621355968000000010"); at != std::string::npos;
         at = result->sql.find("621355968000000010", at + 1))
        ++count;
    EXPECT_EQ(count, 2u);
}

TEST(Compile, SaysWhereAndWhatWasProbablyMeant) {
    const auto error = error_of("T\n| where Devce == 'x'");
    EXPECT_EQ(error.message, "unknown column 'Devce'; did you mean 'DeviceId'?");
    EXPECT_EQ(error.line, 2u);
    EXPECT_EQ(error.column, 9u);
    EXPECT_EQ(error.length, 5u);
}

TEST(Compile, PlacesCountAsEditorsDo) {
    const auto result = compile("print 'é', '\xF0\x9F\x98\x80', nope", Catalog{}, {});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().column, 18u);
    EXPECT_EQ(result.error().length, 4u);
}

TEST(Compile, EndsInAQueryOrAnErrorForAnySequenceOfWords) {
    rc::check([] {
        static const std::vector<std::string> kWords{"T",       "|",          "where",       "project",
                                                     "extend",  "summarize",  "by",          "(",
                                                     ")",       "DeviceId",   "==",          "\"x\"",
                                                     "1",       "1d",         ",",           "=",
                                                     "count",   "let",        ";",           "a",
                                                     "join",    "kind",       "inner",       "on",
                                                     "union",   "take",       "parse_json",  "EventDetails",
                                                     ".",       "[",          "]",           "in",
                                                     "!in",     "between",    "..",          "ago",
                                                     "-",       "*",          "make-series", "step",
                                                     "from",    "to",         "mv-expand",   "dynamic([1])",
                                                     "typeof",  "print",      "range",       "datatable",
                                                     ":",       "string",     "toscalar",    "sort",
                                                     "arg_max", "find",       "facet",       "fork",
                                                     "scan",    "declare",    "step",        "with",
                                                     "=>",      "evaluate",   "basket",      "ipv4_lookup",
                                                     "hll",     "others",     "top-nested",  "has_any",
                                                     "reduce",  "threshold",  "autocluster", "diffpatterns",
                                                     "'~'",     "make-graph", "graph-match", "-->",
                                                     "<--",     "set"};
        std::string text;
        for (const auto& word : *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kWords)))
            text += word + " ";
        const auto result = compile(text, one_table(), {});
        // Not in the macro: it takes || apart and would ask a query for its error.
        const bool ended = result || !result.error().message.empty();
        RC_ASSERT(ended);
    });
}

TEST(Support, DocumentSaysWhatTheTablesSay) {
    const std::string path = std::string(FIELDWATCH_SOURCE_DIR) + "/docs/kql-support.md";
    if (std::getenv("FIELDWATCH_REGENERATE")) std::ofstream(path) << support_markdown();
    std::ifstream file(path);
    const std::string written{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(written, support_markdown()) << "run kql_test with FIELDWATCH_REGENERATE=1";
}

}  // namespace
}  // namespace fieldwatch::kql
