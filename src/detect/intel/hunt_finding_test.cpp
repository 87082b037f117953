#include "detect/intel/hunt_finding.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "detect/content.hpp"
#include "detect/engine.hpp"

namespace fieldwatch::detect {
namespace {

constexpr auto kHuntNow = Timestamp::from_unix_seconds(1'800'000'000);

HuntFinding hunted(std::string device) {
    return {.value = "203.0.113.0/24",
            .seen = "203.0.113.9",
            .type = IndicatorType::Cidr,
            .category = "c2",
            .source = "lab",
            .confidence = 80,
            .tlp = Tlp::Green,
            .device = device,
            .devices = {device},
            .device_count = 1,
            .rows = 7,
            .first_seen = kHuntNow - std::chrono::hours(9),
            .last_seen = kHuntNow - std::chrono::hours(2),
            .query = "SecurityIoTRawEvent | where DeviceId == \"pump\""};
}
std::vector<model::Alert> told(Engine& engine, const HuntFinding& finding) {
    const auto bytes = model::encode(hunt_finding_record({"plant"}, finding, kHuntNow));
    const auto view = model::decode_record(bytes).value();
    std::vector<model::Finding> found;
    EXPECT_TRUE(engine.observe_query(view, {}, found));
    std::vector<model::Alert> out;
    for (const auto& one : found)
        out.push_back(std::get<model::Alert>(one));
    return out;
}

TEST(HuntFinding, BecomesOneAlertOfItsDeviceWithTimesIndicatorAndEvidence) {
    const auto engine = make_engine(compile({}).value());
    const auto alerts = told(*engine, hunted("pump"));
    ASSERT_EQ(alerts.size(), 1u);
    const auto& alert = alerts[0];
    EXPECT_EQ(alert.type, "IoT_X_KnownIndicatorInHistory");
    EXPECT_EQ(alert.compromised_entity, "pump");
    EXPECT_EQ(alert.hit_count, 7);
    EXPECT_EQ(alert.start, kHuntNow - std::chrono::hours(9));
    EXPECT_EQ(alert.end, kHuntNow - std::chrono::hours(2));
    const auto more = nlohmann::json::parse(alert.extended_json);
    EXPECT_EQ(more["Indicator"], "203.0.113.0/24");
    EXPECT_EQ(more["Seen"], "203.0.113.9");
    EXPECT_EQ(more["IndicatorSource"], "lab");
    EXPECT_EQ(more["IndicatorTlp"], "TLP:GREEN");
    EXPECT_EQ(more["EvidenceQuery"], "SecurityIoTRawEvent | where DeviceId == \"pump\"");
    EXPECT_TRUE(told(*engine, hunted("pump")).empty()) << "the log may say it again";
    EXPECT_EQ(told(*engine, hunted("valve")).size(), 1u);
}

TEST(HuntFinding, OfManyDevicesIsTheHubs) {
    const auto engine = make_engine(compile({}).value());
    auto finding = hunted("");
    finding.devices = {"a", "b"};
    finding.device_count = 400;
    const auto alerts = told(*engine, finding);
    ASSERT_EQ(alerts.size(), 1u);
    EXPECT_EQ(alerts[0].compromised_entity, "plant");
    EXPECT_NE(alerts[0].description.find("400 devices"), std::string::npos);
}

TEST(HuntFinding, WithoutItsIndicatorIsMalformed) {
    model::RecordView view;
    for (
        const auto* const text :
        {R"({"hunt":{}})",
         R"({"hunt":{"indicator":"x","type":"what","firstSeen":"2026-01-01T00:00:00Z","lastSeen":"2026-01-01T00:00:00Z"}})",
         R"({"hunt":{"indicator":"x","type":"md5","firstSeen":"then","lastSeen":""}})"}) {
        const auto alert = alert_of_hunt_finding(view, nlohmann::json::parse(text));
        ASSERT_FALSE(alert) << text;
        EXPECT_EQ(alert.error().code, Errc::Malformed);
    }
}

}  // namespace
}  // namespace fieldwatch::detect
