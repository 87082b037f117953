#include "detect/risk/risk.hpp"

#include <gtest/gtest.h>

namespace fieldwatch::detect {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;
const Timestamp kAt = Timestamp::from_unix_seconds(kNow);

RiskRow alert(std::string id, std::string type, model::Severity severity, double days_ago = 0) {
    return {.kind = RiskKind::Alert,
            .id = std::move(id),
            .type = std::move(type),
            .title = "title",
            .device = "pump",
            .severity = severity,
            .at = Timestamp::from_unix_seconds(kNow - static_cast<std::int64_t>(days_ago * 86'400))};
}
double risk_of(const std::vector<RiskRow>& rows) {
    const auto list = assess_risk(rows, kAt);
    return list.empty() ? 0 : list[0].risk;
}

TEST(Risk, IsTheSumOfPointsThatEachNameTheirRow) {
    auto port = alert("r1", "IoT_OpenPorts", model::Severity::Medium, 40);
    port.kind = RiskKind::Exposure;
    const auto list = assess_risk({alert("a1", "IoT_X", model::Severity::High), port}, kAt);
    ASSERT_EQ(list.size(), 1u);
    ASSERT_EQ(list[0].points.size(), 2u);
    EXPECT_DOUBLE_EQ(list[0].points[0].points + list[0].points[1].points, list[0].risk);
    EXPECT_EQ(list[0].points[0].row.id, "a1");
    EXPECT_DOUBLE_EQ(list[0].risk, 50);
}

TEST(Risk, HoldsVulnerableComponentsUntilTheyAreMended) {
    EXPECT_EQ(risk_kind_of_recommendation("IoT_X_VulnerablePackage"), RiskKind::Vulnerability);
    EXPECT_EQ(risk_kind_of_recommendation("IoT_VulnerableTLSCipherSuite"), RiskKind::Exposure);
    auto openssl = alert("v1", "IoT_X_VulnerablePackage", model::Severity::High, 40);
    openssl.kind = RiskKind::Vulnerability;
    auto zlib = openssl;
    zlib.id = "v2";
    EXPECT_DOUBLE_EQ(risk_of({openssl}), 15);
    EXPECT_DOUBLE_EQ(risk_of({openssl, zlib}), 22.5);
    zlib.resolved = true;
    EXPECT_DOUBLE_EQ(risk_of({openssl, zlib}), 15);
}

TEST(Risk, FadesByHalfAWeekAndFasterOnceResolved) {
    EXPECT_DOUBLE_EQ(risk_of({alert("a", "T", model::Severity::Medium, 7)}), 10);
    auto resolved = alert("a", "T", model::Severity::Medium, 1);
    resolved.resolved = true;
    EXPECT_DOUBLE_EQ(risk_of({resolved}), 10);
}

TEST(Risk, CountsTheSecondOfATypeForHalf) {
    EXPECT_DOUBLE_EQ(risk_of({alert("a", "T", model::Severity::Low), alert("b", "T", model::Severity::Low)}),
                     9);
    EXPECT_DOUBLE_EQ(risk_of({alert("a", "T", model::Severity::Low), alert("b", "U", model::Severity::Low)}),
                     12);
}

TEST(Risk, NeverExceedsAHundredAndStillAddsUp) {
    std::vector<RiskRow> rows;
    for (int i = 0; i < 10; ++i)
        rows.push_back(alert("a" + std::to_string(i), "T" + std::to_string(i), model::Severity::High));
    const auto list = assess_risk(rows, kAt);
    EXPECT_NEAR(list[0].risk, 100, 1e-9);
    EXPECT_EQ(list[0].points.size(), 10u);
}

TEST(Risk, SaysWhatItWouldBeWithoutARow) {
    const std::vector<RiskRow> rows{alert("a", "T", model::Severity::High),
                                    alert("b", "U", model::Severity::Low)};
    const auto list = assess_risk(rows, kAt);
    EXPECT_DOUBLE_EQ(list[0].points[0].without, 6);
    EXPECT_DOUBLE_EQ(assess_risk(rows, kAt, {"a"})[0].risk, 6);
    EXPECT_TRUE(assess_risk(rows, kAt, {"a", "b"}).empty());
}

TEST(Risk, KnowsYesterday) {
    const auto list = assess_risk({alert("a", "T", model::Severity::High, 0.5)}, kAt);
    EXPECT_EQ(list[0].day_before, 0);
    EXPECT_GT(list[0].risk, 40);
}

TEST(Risk, TellsEveryDayFromTheRowsAsTheyStoodThen) {
    const auto days_ago = [](double days) {
        return Timestamp::from_unix_seconds(kNow - static_cast<std::int64_t>(days * 86'400));
    };
    const auto raised = alert("a", "T", model::Severity::High, 4.5);
    auto port = alert("r", "P", model::Severity::Medium, 6);
    port.kind = RiskKind::Exposure;
    const auto history = risk_history({{.row = raised, .written = days_ago(0.5), .gone = true},
                                       {.row = raised, .written = days_ago(4.5)},
                                       {.row = port, .written = days_ago(6)},
                                       {.row = port, .written = days_ago(2.5), .gone = true}},
                                      kAt, 6);
    ASSERT_EQ(history.size(), 7u) << "six whole days, and today so far";
    for (std::size_t i = 1; i < history.size(); ++i)
        EXPECT_LT(history[i - 1].at, history[i].at);
    EXPECT_EQ(history.back().at, kAt);
    EXPECT_EQ(history.back().risk, 0) << "the alert was dismissed, the port closed";
    const auto at = [&](double days) {
        for (const auto& one : history)
            if (one.at >= days_ago(days)) return one.risk;
        return -1.0;
    };
    EXPECT_EQ(at(6), 5) << "an open port";
    EXPECT_GT(at(4.5), 40) << "and the alert";
    EXPECT_GT(at(2.4), 30) << "which fades";
    EXPECT_LT(at(2.4), at(4.5) - 5);
    EXPECT_EQ(risk_history({}, kAt, 3).size(), 4u);
}

TEST(Risk, ShowsOneBurningDeviceInAQuietFleet) {
    std::vector<RiskRow> rows{alert("a", "T", model::Severity::High)};
    for (int i = 0; i < 20; ++i) {
        rows.push_back(alert("q" + std::to_string(i), "T", model::Severity::Informational));
        rows.back().device = "quiet-" + std::to_string(i);
    }
    const auto list = assess_risk(rows, kAt);
    EXPECT_EQ(list[0].device, "pump");
    EXPECT_GT(fleet_risk(list), 30);
    EXPECT_EQ(fleet_risk({}), 0);
}

}  // namespace
}  // namespace fieldwatch::detect
