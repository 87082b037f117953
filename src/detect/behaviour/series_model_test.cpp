#include "detect/behaviour/series_model.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/random.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::int64_t kStart = 1'800'000'000;

/// Values every five minutes: a daily wave of height 20 around 100, and noise of about 2.
std::vector<double> daily(std::size_t count, unsigned seed = 1) {
    SeededRandom random(seed);
    std::vector<double> out;
    for (std::size_t i = 0; i < count; ++i) {
        const double noise = static_cast<double>(random.below(1000)) / 250.0 - 2;
        out.push_back(100 + 20 * std::sin(static_cast<double>(i) * 2 * 3.14159265 / 288) + noise);
    }
    return out;
}

std::vector<SeriesScore> scores(const std::vector<double>& values) {
    SeriesModel model;
    std::vector<SeriesScore> out;
    for (std::size_t i = 0; i < values.size(); ++i)
        out.push_back(model.observe(Timestamp::from_unix_seconds(kStart + static_cast<std::int64_t>(i) * 300),
                                    values[i]));
    return out;
}

double highest(const std::vector<SeriesScore>& list, std::size_t from, std::size_t to) {
    double out = 0;
    for (auto i = from; i < to; ++i)
        out = std::max(out, list[i].score);
    return out;
}

TEST(SeriesModel, StaysCalmOnOrdinaryDays) {
    const auto list = scores(daily(288 * 30));
    std::size_t alarms = 0;
    for (std::size_t i = 288; i < list.size(); ++i)
        alarms += list[i].score >= SeriesModel::kMonthly;
    EXPECT_LE(alarms, 3u) << "in 29 days";
    EXPECT_FALSE(list.back().learning);
    EXPECT_TRUE(list[100].learning);
}

TEST(SeriesModel, SeesASpikeAndSaysWhatItExpected) {
    auto values = daily(288 * 10);
    values[288 * 9] += 60;
    const auto list = scores(values);
    const auto& spike = list[288 * 9];
    EXPECT_GE(spike.score, SeriesModel::kMonthly);
    EXPECT_LT(spike.probability, 0.01);
    EXPECT_GT(values[288 * 9], spike.high);
    EXPECT_LT(highest(list, 288 * 8, 288 * 9), spike.score);
}

TEST(SeriesModel, SeesALevelThatShiftedForGood) {
    auto values = daily(288 * 10);
    for (std::size_t i = 288 * 8; i < values.size(); ++i)
        values[i] += 25;
    const auto list = scores(values);
    EXPECT_GE(highest(list, 288 * 8, 288 * 8 + 36), SeriesModel::kMonthly);
    EXPECT_LT(highest(list, 288 * 7, 288 * 8), SeriesModel::kMonthly);
}

TEST(SeriesModel, KnowsTheHourOfTheDay) {
    auto values = daily(288 * 14);
    // The top of the day's wave, at its bottom: no value that was not there before.
    const std::size_t at = 288 * 13 + 216;
    for (std::size_t i = at; i < at + 12; ++i)
        values[i] = 118;
    const auto list = scores(values);
    EXPECT_GE(highest(list, at, at + 12), SeriesModel::kWeekly);
}

TEST(SeriesModel, KnowsTheDayOfTheWeek) {
    const auto weekly = [](bool works_on_sunday) {
        SeededRandom random(3);
        std::vector<double> values;
        for (std::size_t i = 0; i < 48 * 7 * 8; ++i) {  // every half hour
            const auto day = (i / 48) % 7;
            const bool works = day < 5 || (works_on_sunday && i / 48 == 7 * 7 + 6);
            const double hour = static_cast<double>(i % 48) / 2;
            values.push_back((works && hour >= 8 && hour < 17 ? 100 : 10) +
                             static_cast<double>(random.below(1000)) / 250);
        }
        SeriesModel model;
        double out = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
            const auto score = model.observe(
                Timestamp::from_unix_seconds(kStart + static_cast<std::int64_t>(i) * 1800), values[i]);
            if (i >= 48uz * 7 * 8 - 48) out = std::max(out, score.score);
        }
        return out;
    };
    EXPECT_LT(weekly(false), SeriesModel::kWeekly / 2) << "the eighth Sunday is like the seven before";
    EXPECT_GT(weekly(true), weekly(false) + 1) << "work on it is not";
}

/// Four weeks of a machine that works from nine to six, every quarter of an hour.
std::vector<double> clock_work() {
    SeededRandom random(5);
    std::vector<double> out;
    for (int i = 0; i < 96 * 28; ++i)
        out.push_back((i % 96 >= 36 && i % 96 < 72 ? 80 : 20) + static_cast<double>(random.below(100)) / 100);
    return out;
}

double highest_of_last_day(const std::vector<double>& values, std::int64_t step) {
    SeriesModel model;
    double out = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto score = model.observe(
            Timestamp::from_unix_seconds(1'767'225'600 + static_cast<std::int64_t>(i) * step), values[i]);
        if (i >= values.size() - static_cast<std::size_t>(86'400 / step)) out = std::max(out, score.score);
    }
    return out;
}

TEST(SeriesModel, SeesAnOrdinaryValueAtAnHourThatWasNeverLikeThis) {
    auto values = clock_work();
    EXPECT_LT(highest_of_last_day(values, 900), SeriesModel::kWeekly);
    auto idle = values, at_night = values;
    for (std::size_t i = 0; i < 20; ++i) {
        idle[idle.size() - 96 + 40 + i] = 20.5;
        at_night[at_night.size() - 96 + 4 + i] = 80.5;
    }
    EXPECT_GE(highest_of_last_day(idle, 900), SeriesModel::kMonthly);
    EXPECT_GE(highest_of_last_day(at_night, 900), SeriesModel::kMonthly);
}

TEST(SeriesModel, TakesWhatGrowsForATrend) {
    std::size_t alarms = 0;
    for (unsigned seed = 1; seed <= 5; ++seed) {
        auto values = daily(48 * 40, seed);
        SeriesModel model;
        for (std::size_t i = 0; i < values.size(); ++i) {
            const double noise =
                values[i] - 100 - 20 * std::sin(static_cast<double>(i) * 2 * 3.14159265 / 288);
            const double grown = 100 + 0.02 * static_cast<double>(i) + noise;
            const auto at = Timestamp::from_unix_seconds(kStart + static_cast<std::int64_t>(i) * 1800);
            alarms += model.observe(at, grown).score >= SeriesModel::kMonthly && i > 48 * 14;
        }
    }
    EXPECT_LE(alarms, 2u) << "in four device-months";
}

TEST(SeriesModel, SeesTheSameWhateverTheZeroOfTheScaleIs) {
    // Mains: 50 Hz and some hundredths. In pascals, or in seconds since 1970, the level says even less.
    for (const double level : {0.0, 50.0, 101'325.0, 1.8e9}) {
        auto values = daily(288 * 10);
        for (auto& value : values)
            value = level + (value - 100) / 100;
        const auto calm = scores(values);
        for (std::size_t i = 288 * 9; i < 288 * 9 + 3; ++i)
            values[i] += 0.6;
        const auto list = scores(values);
        EXPECT_LT(highest(calm, 288 * 7, 288 * 9), SeriesModel::kMonthly) << level;
        EXPECT_GE(highest(list, 288 * 9, 288 * 9 + 3), SeriesModel::kMonthly) << level;
    }
}

TEST(SeriesModel, KnowsLessBehindAGap) {
    const auto values = daily(288 * 20);
    const auto behind = [&](std::size_t gap) {
        SeriesModel model;
        double out = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (i >= 288 * 19 - gap && i < 288 * 19) continue;
            const auto at = Timestamp::from_unix_seconds(kStart + static_cast<std::int64_t>(i) * 300);
            const auto score = model.observe(at, values[i]);
            if (i == 288 * 19) out = score.high - score.low;
        }
        return out;
    };
    EXPECT_GT(behind(40), 3 * behind(0)) << "what lies between is not known";
}

TEST(SeriesModel, JudgesASeriesOfSecondsBeforeADayIsOver) {
    SeriesModel model;
    double spike = 0;
    for (int i = 0; i < 4000; ++i) {
        const auto score =
            model.observe(Timestamp::from_unix_seconds(kStart + i), i == 3600 ? 900 : 100 + (i * 7919) % 13);
        if (i == 3600) spike = score.score;
        EXPECT_EQ(score.learning, i < 2000) << i;
    }
    EXPECT_GE(spike, SeriesModel::kMonthly);
}

TEST(SeriesModel, SeesASensorThatIsStuck) {
    auto values = daily(288 * 10);
    for (std::size_t i = 288 * 8; i < 288 * 8 + 60; ++i)
        values[i] = values[288 * 8];
    const auto list = scores(values);
    EXPECT_GE(highest(list, 288 * 8, 288 * 8 + 60), SeriesModel::kMonthly);
    EXPECT_EQ(list[288 * 8 + 59].cause(), Deviation::Stuck);
}

TEST(SeriesModel, TakesARecordByAHairForNoise) {
    std::size_t alarms = 0;
    for (unsigned seed = 1; seed <= 10; ++seed) {
        SeededRandom random(seed);
        SeriesModel model;
        for (int i = 0; i < 288 * 30; ++i) {
            double noise = 0;  // about normal, so that records come now and then
            for (int k = 0; k < 8; ++k)
                noise += static_cast<double>(random.below(1000)) / 1000 - 0.5;
            alarms += model.observe(Timestamp::from_unix_seconds(kStart + i * 300), 20 + noise).score >=
                      SeriesModel::kMonthly;
        }
    }
    EXPECT_LE(alarms, 10u) << "in ten device-months: the budget";
}

TEST(SeriesModel, CannotBeHurriedByAFlood) {
    auto values = daily(288 * 11);
    for (std::size_t i = 288 * 9; i < 288 * 9 + 6; ++i)
        values[i] = 1e9;
    const auto list = scores(values);
    EXPECT_LT(list[288 * 9 + 300 - 12].expected, 1e6) << "a day later it is mostly forgotten";
}

TEST(SeriesModel, TakesExtremesAndConstants) {
    SeriesModel model;
    for (int i = 0; i < 2000; ++i) {
        const double value = i % 7 == 0 ? std::numeric_limits<double>::max() : i % 11 == 0 ? -1e308 : 0;
        const auto score = model.observe(Timestamp::from_unix_seconds(kStart + i), value);
        EXPECT_TRUE(std::isfinite(score.score) && std::isfinite(score.expected) && std::isfinite(score.high))
            << i;
    }
    const auto flat = scores(std::vector<double>(3000, 5.0));
    EXPECT_LT(highest(flat, 300, 3000), 1) << "a constant stays ordinary";
}

TEST(SeriesModel, GivesTheSameScoresForTheSameValues) {
    const auto first = scores(daily(3000, 7));
    const auto second = scores(daily(3000, 7));
    for (std::size_t i = 0; i < first.size(); ++i)
        ASSERT_EQ(first[i].score, second[i].score);
}

}  // namespace
}  // namespace fieldwatch::detect
