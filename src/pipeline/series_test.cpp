#include <gtest/gtest.h>

#include <sstream>

#include "pipeline/series_run.hpp"

namespace fieldwatch::pipeline {
namespace {

std::vector<std::string> run(const std::string& text) {
    std::istringstream input(text);
    std::vector<std::string> out;
    EXPECT_TRUE(run_series(input, "meter", [&](std::string_view line) { out.emplace_back(line); }));
    return out;
}

TEST(Series, ReadsStampsAndValuesInTheirForms) {
    EXPECT_EQ(parse_series_line("2026-01-02 03:04:05,1.5")->time.unix_seconds(), 1767323045);
    EXPECT_EQ(parse_series_line("2026-01-02T03:04:05Z;1.5")->value, 1.5);
    EXPECT_EQ(parse_series_line("1767323045\t7\tmore")->value, 7);
    EXPECT_EQ(parse_series_line("1767323045,-2e3")->value, -2000);
    EXPECT_EQ(parse_series_line("1767323045123,1")->time.unix_millis(), 1767323045123);
    EXPECT_EQ(parse_series_line("1767323045123456,1")->time.unix_millis(), 1767323045123);
    EXPECT_EQ(parse_series_line("2026-01-02,1")->time.unix_seconds(), 1767312000);
    EXPECT_EQ(parse_series_line("1767323045,NaN")->value, std::nullopt);
    EXPECT_EQ(parse_series_line("1767323045,")->value, std::nullopt);
    EXPECT_FALSE(parse_series_line("1767323045"));
    EXPECT_FALSE(parse_series_line("yesterday,1"));
    EXPECT_FALSE(parse_series_line("1767323045,high"));
}

TEST(Series, ReadsWhatPeopleWriteForIso8601) {
    for (const auto* const text :
         {"2026-01-02T03:04:00+00:00,1", "2026-01-02 05:04+02:00,1", "2026-01-02 05:04:00 +02,1",
          "2026/01/02 03:04,1", "2026-01-02T03:04Z,1", "2026-01-02 03:04:00 UTC,1",
          "2026-01-01T22:04:00-0500,1", "\"2026-01-02 03:04:00.000\" , \"1\"", "1767323040.25,1",
          "1767323040000000000,1"})
        EXPECT_EQ(parse_series_line(text).value_or(SeriesLine{}).time.unix_seconds(), 1767323040) << text;
    EXPECT_EQ(parse_series_line("2026-01-02;1,5")->value, 1.5) << "no comma separates: it is the point";
    EXPECT_EQ(parse_series_line("2026-01-02,+1.5")->value, 1.5);
}

TEST(Series, FindsItsColumnsByNameAndByWhatTheyHold) {
    const auto columns = [](std::string_view heading, std::string_view row) {
        const auto out = series_columns(heading, row);
        return std::pair(out.time, out.value);
    };
    EXPECT_EQ(columns("timestamp,value", "2026-01-02,1"), std::pair(0uz, 1uz));
    EXPECT_EQ(columns("value;Timestamp", "1;2026-01-02"), std::pair(1uz, 0uz));
    EXPECT_EQ(columns("id,device,value,label,time", "7,pump,21.5,0,1767323045"), std::pair(4uz, 2uz));
    EXPECT_EQ(columns("when,site,temperature", "2026-01-02 03:04,roof,21.5"), std::pair(0uz, 2uz));
    EXPECT_EQ(columns("date,time,value", "2026-01-02,03:04:05,1"), std::pair(0uz, 2uz));
    EXPECT_EQ(columns("", "3,1767323045,21.5"), std::pair(1uz, 2uz)) << "a row's number is no time";
    EXPECT_EQ(columns("", "0,21.5"), std::pair(0uz, 1uz)) << "seconds since the beginning";
}

TEST(Series, ReadsFilesWithMoreThanTwoColumns) {
    const auto out =
        run("\xEF\xBB\xBFid,value,timestamp\r\n# by hand\r\n7,21.5,2026-01-02\r\n7,,2026-01-03\r\n7,22\r\n");
    ASSERT_EQ(out.size(), 3u);
    EXPECT_NE(out[0].find(R"("record":1,"time":"2026-01-02T00:00:00)"), std::string::npos) << out[0];
    EXPECT_NE(out[0].find(R"("value":21.5)"), std::string::npos) << out[0];
    EXPECT_NE(out[1].find(R"("value":null)"), std::string::npos) << out[1];
    EXPECT_NE(out[2].find("fewer columns"), std::string::npos) << out[2];
}

TEST(Series, ScoresEveryValueAndRaisesOneAlertASpike) {
    std::string text = "timestamp,value\n";
    for (int i = 0; i < 1500; ++i) {
        const int value = i == 1400 || i == 1401 ? 900 : 100 + (i * 7919) % 13;
        text += std::to_string(1'800'000'000 + i * 300) + "," + std::to_string(value) + "\n";
    }
    text += "1800450000,\nnonsense\n";
    const auto out = run(text);
    std::size_t scores = 0;
    std::vector<std::string> alerts;
    for (const auto& line : out) {
        scores += line.starts_with(R"({"kind":"score")");
        if (line.starts_with(R"({"kind":"alert")")) alerts.push_back(line);
    }
    EXPECT_EQ(scores, 1501u);
    ASSERT_EQ(alerts.size(), 1u);
    EXPECT_NE(alerts[0].find(R"("AlertSeverity":"Medium")"), std::string::npos) << alerts[0];
    EXPECT_NE(alerts[0].find(R"("Evidence":[1401])"), std::string::npos) << alerts[0];
    EXPECT_NE(out.back().find(R"("kind":"dead-letter","record":1502)"), std::string::npos) << out.back();
    EXPECT_NE(out[out.size() - 2].find(R"("value":null)"), std::string::npos);
}

}  // namespace
}  // namespace fieldwatch::pipeline
