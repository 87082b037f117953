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
