// Backtests count what live detection would have said, and compare two sets alert by alert.
#include "pipeline/backtest.hpp"

#include <algorithm>

#include "pipeline/history_log_test.hpp"

namespace fieldwatch::pipeline {
namespace {

constexpr std::int64_t kDay = 86'400;

class BacktestTest : public HistoryLog {
  protected:
    Result<BacktestReport> test(detect::ContentPtr candidate, detect::ContentPtr against, std::int64_t from,
                                std::int64_t to, std::string hub = "") {
        return backtest(journal_->reader(), kPartitions,
                        {.candidate = std::move(candidate),
                         .against = std::move(against),
                         .from = at(from),
                         .to = at(to),
                         .hub = std::move(hub)},
                        system_clock(), progress_);
    }
    static const BacktestRule& rule_of(const BacktestReport& report, std::string_view id) {
        return *std::ranges::find(report.rules, id, &BacktestRule::id);
    }
    BacktestProgress progress_;
};

TEST_F(BacktestTest, CountsAlertsDevicesAndHitsOfTheTimeAskedFor) {
    run(0, "early", "miner");
    for (int day = 1; day <= 4; ++day) {
        run(day * kDay, "a", "miner --fast");
        run(day * kDay + 60, "a", "miner --fast");  // the hour's second is no new alert
    }
    run(2 * kDay, "b", "miner");
    run(5 * kDay, "late", "miner");
    const auto report = test(content({{"a.yml", rule("r", "miner")}}),
                             content({{"b.yml", rule("q", "never")}}), kDay, 5 * kDay)
                            .value();
    const auto& found = rule_of(report, "r");
    ASSERT_TRUE(found.now);
    EXPECT_EQ(found.now->alerts, 5u);
    EXPECT_EQ(found.now->hits, 9u);
    EXPECT_EQ(found.now->devices, 2u);
    EXPECT_FALSE(found.before);
    EXPECT_EQ(found.gained.size(), 5u);
    EXPECT_EQ(found.gained[0].what, "miner --fast");
    ASSERT_EQ(found.top_devices.size(), 2u);
    EXPECT_EQ(found.top_devices[0].device, "a");
    EXPECT_EQ(found.top_devices[0].alerts, 4u);
    EXPECT_DOUBLE_EQ(report.days(), 4);
    EXPECT_TRUE(rule_of(report, "q").before);
    EXPECT_FALSE(rule_of(report, "q").now);
    EXPECT_EQ(progress_.records, progress_.of);
}

TEST_F(BacktestTest, ComparesARuleWithItsEarlierForm) {
    run(0, "a", "miner --fast");
    run(10, "b", "miner --slow");
    run(20, "c", "digger");
    const auto report = test(content({{"a.yml", rule("r", "'--fast'")}, {"d.yml", rule("d", "digger")}}),
                             content({{"a.yml", rule("r", "miner")}, {"d.yml", rule("d", "digger")}}), 0, 100)
                            .value();
    const auto& narrowed = rule_of(report, "r");
    EXPECT_EQ(narrowed.now->alerts, 1u);
    EXPECT_EQ(narrowed.before->alerts, 2u);
    EXPECT_TRUE(narrowed.gained.empty());
    ASSERT_EQ(narrowed.lost.size(), 1u);
    EXPECT_EQ(narrowed.lost[0].device, "b");
    EXPECT_TRUE(rule_of(report, "d").lost.empty());
}

TEST_F(BacktestTest, PassesOverWhatTheLogNamedThen) {
    announce(0, {{"b.yml", rule("q", "other")}});
    run(1, "a", "miner");
    announce(2, {{"b.yml", rule("q", "other")}});
    run(3, "b", "miner");
    const auto now = content({{"a.yml", rule("r", "miner")}});
    EXPECT_EQ(rule_of(test(now, now, 0, 100).value(), "r").now->alerts, 2u);
    EXPECT_EQ(rule_of(test(now, now, 0, 100, "another-hub").value(), "r").now->alerts, 0u);
}

TEST_F(BacktestTest, SuppressionReachesBackBeforeTheTimeAskedFor) {
    run(0, "a", "miner");
    run(1'000, "a", "miner");
    const auto now = content({{"a.yml", rule("r", "miner")}});
    EXPECT_EQ(rule_of(test(now, now, 500, 2'000).value(), "r").now->alerts, 0u);
}

TEST_F(BacktestTest, SaysWhatTheJournalHasNot) {
    const auto now = content({{"a.yml", rule("r", "miner")}});
    EXPECT_EQ(test(now, now, 0, 10).error().code, Errc::NotFound);
    run(1'000, "a", "miner");
    EXPECT_EQ(test(now, now, 0, 10).error().code, Errc::NotFound);
    EXPECT_EQ(test(now, now, 10, 10).error().code, Errc::InvalidArgument);
    EXPECT_EQ(test(now, now, 0, 5'000).value().from, at(1'000));
}

TEST_F(BacktestTest, LooksAcrossDevicesOfAllPartitions) {
    const auto correlation = rule("base", "miner", "name: base\n") +
                             "---\ntitle: spread\nid: spread\nlevel: high\ncorrelation: {type: value_count, "
                             "rules: [base], group-by: [CommandLine], timespan: 1h, condition: {field: "
                             "device.id, gte: 3}}\nfieldwatch: {scope: fleet}\n";
    for (int i = 0; i < 6; ++i)
        run(i * 60, "device-" + std::to_string(i), "miner --fast");
    run(400, "device-7", "miner --slow");
    const auto report =
        test(content({{"a.yml", correlation}}), content({{"b.yml", rule("q", "never")}}), 0, kDay).value();
    const auto& found = rule_of(report, "spread");
    ASSERT_TRUE(found.now);
    EXPECT_EQ(found.now->alerts, 1u);
    ASSERT_EQ(found.top_devices.size(), 1u);
    EXPECT_EQ(found.top_devices[0].device, "h");
    EXPECT_EQ(found.gained[0].what, "miner --fast (3 devices: device-0, device-1, device-2)");
}

}  // namespace
}  // namespace fieldwatch::pipeline
