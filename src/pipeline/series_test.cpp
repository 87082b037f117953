#include <gtest/gtest.h>

#include <algorithm>
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

TEST(Series, ReadsDatesThatBeginWithTheirDayOrMonth) {
    const auto seconds = [](std::string_view text, bool day_first = false) {
        return parse_series_line(text, {.day_first = day_first}).value_or(SeriesLine{}).time.unix_seconds();
    };
    EXPECT_EQ(seconds("28/12/2015 2:29:59 PM,1"), 1451312999);
    EXPECT_EQ(seconds(" 12/28/2015 02:29:59 pm,1"), 1451312999);
    EXPECT_EQ(seconds("28.12.2015 14:29:59;1"), 1451312999);
    EXPECT_EQ(seconds("28-12-2015 14:29:59,1"), 1451312999);
    EXPECT_EQ(seconds("1/2/2026 0:00,1"), 1767312000) << "the month first, when nothing tells";
    EXPECT_EQ(seconds("2/1/2026,1", true), 1767312000);
    EXPECT_EQ(seconds("2.1.2026 12:00 AM,1"), 1767312000);
    for (const auto* const text :
         {"13/13/2026,1", "1/2/26,1", "1/2/2026 13:00 PM,1", "1/2/2026 25:00,1", "1/2-2026,1", "0/2/2026,1"})
        EXPECT_FALSE(parse_series_line(text)) << text;
}

TEST(Series, KeepsTheOrderOfDatesOnceItIsProved) {
    const auto out = run("Timestamp,FIT101\n31/12/2015 11:59:00 PM,2.5\n1/2/2016 12:00:00 AM,2.5\n");
    ASSERT_EQ(out.size(), 2u);
    EXPECT_NE(out[0].find("2015-12-31T23:59:00"), std::string::npos) << out[0];
    EXPECT_NE(out[1].find("2016-02-01T00:00:00"), std::string::npos) << out[1];
}

TEST(Series, TakesStampsThatCountRowsForFiveMinutesEach) {
    std::string counted = "timestamp,value\n", dated = counted;
    for (int i = 0; i < 1500; ++i) {
        const auto value = std::to_string(i == 700 || i == 1400 ? 900 : 100 + (i * 7919) % 13);
        counted += std::to_string(i + 1) + "," + value + "\n";
        dated += std::to_string(1 + i * 300) + "," + value + "\n";
    }
    const auto scores = [](const std::string& text) {
        std::vector<std::string> found;
        for (const auto& line : run(text))
            found.push_back(line.starts_with(R"({"kind":"score")") ? line.substr(line.find(R"("score":)"))
                                                                   : "alert");
        return found;
    };
    EXPECT_EQ(scores(counted), scores(dated));
    EXPECT_EQ(std::ranges::count(scores(counted), "alert"), 2);
    EXPECT_NE(run(counted)[9].find(R"("time":"1970-01-01T00:00:10)"), std::string::npos)
        << "as it is written";
}

TEST(Series, TakesAStampThatIsNoCountAmongCountsAsItIs) {
    const auto out = run("timestamp,value\n1,7\n2,7\n1763661520172256,7\n-99999999999,7\n3,7\n");
    ASSERT_EQ(out.size(), 5u);
    EXPECT_NE(out[2].find(R"("time":"2025-11-20T17:58:40)"), std::string::npos) << out[2];
    EXPECT_NE(out[4].find(R"("time":"1970-01-01T00:00:03)"), std::string::npos) << out[4];
}

TEST(Series, TellsAgainWhatBecomesMuchStranger) {
    const auto alerts = [](int second) {
        std::string text = "timestamp,value\n";
        for (int i = 0; i < 1500; ++i) {
            const int value = i == 1400 ? 150 : i == 1420 ? second : 100 + (i * 7919) % 13;
            text += std::to_string(1'800'000'000 + i * 300) + "," + std::to_string(value) + "\n";
        }
        return std::ranges::count_if(
            run(text), [](const std::string& line) { return line.starts_with(R"({"kind":"alert")"); });
    };
    EXPECT_EQ(alerts(152), 1) << "within six hours, and no stranger";
    EXPECT_EQ(alerts(9'000), 2);
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
    EXPECT_EQ(columns("row,when,flow", "7,28/12/2015 10:00:00 AM,2.4"), std::pair(1uz, 2uz));
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
