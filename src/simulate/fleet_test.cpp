#include "simulate/fleet.hpp"

#include <gtest/gtest.h>

#include <set>

#include "simulate/archetype.hpp"
#include "simulate/attack.hpp"

namespace fieldwatch::simulate {
namespace {

FleetOptions small() {
    FleetOptions options;
    options.devices = 10;
    options.days = 1;
    options.start = Timestamp::from_unix_seconds(1'772'409'600);  // 2026-03-02, a Monday
    return options;
}

struct Played {
    std::string records, truth;
    FleetReport report;
};

Played play(const FleetOptions& options) {
    Played out;
    const auto into = [](std::string& text) {
        return [&text](std::string_view lines) -> Result<void> {
            text += lines;
            return {};
        };
    };
    const auto report = simulate_fleet(options, into(out.records), into(out.truth));
    EXPECT_TRUE(report) << (report ? "" : report.error().message);
    if (report) out.report = *report;
    return out;
}

std::string refusal(const FleetOptions& options) {
    const auto nothing = [](std::string_view) -> Result<void> { return {}; };
    const auto report = simulate_fleet(options, nothing, nothing);
    return report ? "" : report.error().message;
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const auto end = text.find('\n');
        out.push_back(text.substr(0, end));
        text.remove_prefix(end + 1);
    }
    return out;
}

TEST(Fleet, IsTheSameForTheSameSeedOnly) {
    auto options = small();
    options.attacks = {"bot"};
    const auto first = play(options);
    EXPECT_EQ(first.records, play(options).records);
    EXPECT_EQ(first.truth, play(options).truth);
    options.seed = 2;
    EXPECT_NE(first.records, play(options).records);
}

TEST(Fleet, WritesRecordsInTheOrderOfTheirReceipt) {
    auto options = small();
    options.attacks = {"bot", "stolen-identity", "flood"};
    options.update_day = 1;
    const auto played = play(options);
    const auto lines = lines_of(played.records);
    EXPECT_EQ(lines.size(), played.report.records);
    std::string_view last;
    for (const auto line : lines) {
        ASSERT_TRUE(line.starts_with("{\"time\":\"2026-03-0"));
        const auto time = line.substr(9, 24);
        EXPECT_LE(last, time);
        last = time;
    }
}

TEST(Fleet, EveryDeviceOfEachArchetypeLives) {
    const auto played = play(small());
    for (const auto& archetype : archetypes())
        for (const auto* const number : {"-00001", "-00002"})
            EXPECT_NE(played.records.find(std::string(archetype.name) + number), std::string::npos);
}

TEST(Fleet, TellsTheTruthOfEachStepThatMustRaiseAnAlert) {
    auto options = small();
    for (const auto& script : attack_scripts())
        options.attacks.emplace_back(script.name);
    options.devices = static_cast<std::uint32_t>(options.attacks.size());
    std::size_t steps = 0;
    for (const auto& script : attack_scripts())
        for (const auto& step : script.steps)
            steps += !step.alert.empty();
    EXPECT_EQ(lines_of(play(options).truth).size(), steps);
}

TEST(Fleet, AttacksOnlyWhomItSays) {
    auto options = small();
    const auto quiet = play(options);
    options.attacks = {"bot"};
    const auto attacked = play(options);
    std::set<std::string_view> known;
    for (const auto line : lines_of(quiet.records))
        known.insert(line);
    const auto truth = lines_of(attacked.truth);
    const auto device = truth.front().substr(0, truth.front().find(','));
    for (const auto line : lines_of(attacked.records)) {
        if (line.find("10.20.") != line.npos) continue;
        if (known.contains(line)) continue;
        EXPECT_NE(line.find(device.substr(1)), line.npos) << line;
    }
}

TEST(Fleet, RefusesWhatItCannotPlay) {
    auto options = small();
    options.attacks = {"earthquake"};
    EXPECT_NE(refusal(options).find("there is no attack \"earthquake\"; there are bot"), std::string::npos);
    options = small();
    options.devices = 0;
    EXPECT_EQ(refusal(options), "a fleet has 1 to 100000 devices");
    options = small();
    options.days = 400;
    EXPECT_EQ(refusal(options), "a run has 1 to 366 days");
    options = small();
    options.update_day = 2;
    EXPECT_EQ(refusal(options), "the update's day is behind the run's end");
    options = small();
    options.start = Timestamp::from_unix_seconds(7);
    EXPECT_EQ(refusal(options), "a run starts at a full five minutes, after 1970");
}

TEST(Rhythm, BusinessSleepsOnSundays) {
    const auto sunday_noon = Timestamp::from_unix_seconds(1'772'409'600 - 43'200);
    EXPECT_LT(level_of(Rhythm::Business, sunday_noon), 0.1);
    EXPECT_GT(level_of(Rhythm::Business, sunday_noon + std::chrono::hours(24)), 1);
    EXPECT_EQ(level_of(Rhythm::Night, sunday_noon), 0);
}

}  // namespace
}  // namespace fieldwatch::simulate
