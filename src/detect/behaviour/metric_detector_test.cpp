#include "detect/behaviour/metric_detector.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "detect/engine.hpp"
#include "detect/hub_switches.hpp"
#include "detect/intel/intel.hpp"
#include "detect/outages.hpp"
#include "detect/vulnerability/advisory_table.hpp"

namespace fieldwatch::detect {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kMetricsBegin = 1'800'000'000 / 86'400 * 86'400;
constexpr std::int64_t kSampleEvery = 300;

struct Said {
    std::string device, metric, value;
    std::int64_t second = 0;  ///< since the first day
    std::string hub = "hub", name = "Metrics";
    std::string agent = {};  ///< AgentVersion
};

/// An engine that is told numbers.
class Told {
  public:
    explicit Told(std::string settings = R"({"behaviour":true})") {
        ContentSources sources;
        sources.settings_json = std::move(settings);
        content_ = compile(sources).value();
        engine_ = make_engine(content_);
    }
    void say(const Said& said) {
        const std::pair<std::string_view, std::string_view> fields[] = {{"Name", said.name}};
        const std::pair<std::string_view, std::string_view> details[] = {{said.metric, said.value}};
        model::Event event;
        event.kind = model::EventKind::Custom;
        event.name = "Custom";
        event.hub = said.hub;
        event.device = said.device;
        event.agent_version = said.agent;
        event.message_bytes = 400;
        event.time = event.device_time = Timestamp::from_unix_seconds(kMetricsBegin + said.second);
        newest_ = std::max(newest_, event.time);
        event.received = newest_;
        model::Item item;
        item.position.offset = offset_++;
        item.payload = model::OtherPayload{.fields = fields, .product = {}, .service = {}, .category = {}};
        item.extra_details = details;
        event.position = item.position;
        event.items.push_back(item);
        std::vector<model::Finding> out;
        engine_->observe(event, out);
        engine_->advance(newest_, out);
        for (auto& finding : out) {
            if (auto* const alert = std::get_if<model::Alert>(&finding); alert != nullptr && !alert->update)
                alerts.push_back(std::move(*alert));
            if (const auto* const advice = std::get_if<model::Recommendation>(&finding))
                recommendations.push_back(advice->type);
        }
    }
    void restart() {
        const auto before = saved();
        engine_ = make_engine(content_);
        ASSERT_TRUE(engine_->restore(before));
        EXPECT_EQ(saved(), before);
    }
    Bytes saved() const {
        Bytes out;
        engine_->save(out);
        return out;
    }
    /// Who was told of, and why; in no order.
    std::vector<std::string> told() const {
        std::vector<std::string> out;
        for (const auto& alert : alerts)
            out.push_back(alert.compromised_entity + " " + alert.discriminator + " " + to_iso8601(alert.end));
        std::ranges::sort(out);
        return out;
    }

    std::vector<model::Alert> alerts;
    std::vector<std::string> recommendations;

  private:
    ContentPtr content_;
    std::unique_ptr<Engine> engine_;
    std::uint64_t offset_ = 0;
    Timestamp newest_;
};

/// What a device says of one metric over some days, every five minutes: warmer by day, and never the same.
std::vector<Said> usual(const std::string& device, const std::string& metric, int days, std::uint64_t seed) {
    SeededRandom random(seed);
    std::vector<Said> out;
    for (std::int64_t second = 0; second < days * 86'400; second += kSampleEvery) {
        const double of_day = 2 * std::numbers::pi * static_cast<double>(second % 86'400) / 86'400;
        const double noise = static_cast<double>(random.below(1'000)) / 1'000;
        out.push_back({device, metric, std::to_string(20 + 3 * std::sin(of_day) + noise), second});
    }
    return out;
}

std::vector<Said> in_order(std::vector<Said> all) {
    std::ranges::stable_sort(all, {}, &Said::second);
    return all;
}

/// Two devices over a week; one of them overheats for a quarter of an hour.
std::vector<Said> a_week() {
    auto out = usual("oven", "celsius", 7, 1);
    for (auto& said : out)
        if (said.second >= 6 * 86'400 && said.second < 6 * 86'400 + 900) said.value = "71.5";
    for (auto& said : usual("room", "celsius", 7, 2))
        out.push_back(std::move(said));
    return in_order(std::move(out));
}

TEST(MetricDetector, TellsOfANumberThatIsNotWhatItUsuallyIs) {
    Told told;
    for (const auto& said : a_week())
        told.say(said);
    ASSERT_EQ(told.alerts.size(), 1u) << "what goes on is one alert";
    const auto& alert = told.alerts.front();
    EXPECT_EQ(alert.type, "IoT_X_UnusualMetric");
    EXPECT_EQ(alert.compromised_entity, "oven");
    EXPECT_EQ(alert.severity, model::Severity::Medium);
    EXPECT_THAT(alert.description, HasSubstr("celsius is 71.5, where "));
    EXPECT_THAT(alert.extended_json, HasSubstr(R"("Observed":71.5)"));
    EXPECT_THAT(alert.extended_json, HasSubstr(R"("feature":"range of celsius","observed":71.5)"));
    EXPECT_THAT(alert.extended_json, HasSubstr(R"("last_seen":"never")"));
    EXPECT_THAT(alert.extended_json,
                HasSubstr(R"(SecurityIoTRawEvent | where DeviceId == \"oven\" and TimeStamp between ()"));
    EXPECT_THAT(alert.extended_json, HasSubstr(R"(ExtraDetails[\"celsius\"])"));
}

std::string with_expectation(const std::string& line) {
    return R"({"behaviour":true,"behaviour.expectations":[)" + line + "]}";
}

TEST(MetricDetector, IsSilentAboutWhatPeopleExpectUntilTheyNoLongerDo) {
    const auto told_with = [](const std::string& line) {
        Told told(with_expectation(line));
        auto all = usual("oven-3", "celsius", 7, 1);
        for (auto& said : all)
            if (said.second >= 6 * 86'400 && said.second < 6 * 86'400 + 900) said.value = "71.5";
        for (const auto& said : all)
            told.say(said);
        return told.alerts.size();
    };
    const std::string ovens =
        R"({"verdict":"expected","device":"oven-*","cause":"celsius","until":"2099-01-01T00:00:00Z"})";
    EXPECT_EQ(told_with(""), 1u);
    EXPECT_EQ(told_with(ovens), 0u) << "they are being cleaned";
    const std::string rooms = R"({"verdict":"expected","device":"room-*","until":"2099-01-01T00:00:00Z"})";
    EXPECT_EQ(told_with(rooms), 1u);
    const std::string until_yesterday =
        R"({"verdict":"expected","device":"oven-*","until":"2027-01-20T00:00:00Z"})";
    EXPECT_EQ(told_with(until_yesterday), 1u) << "what was said has its end";
}

TEST(MetricDetector, TellsEarlierOfWhatNobodyExpects) {
    const auto alerts_of = [](const std::string& line) {
        Told told(with_expectation(line));
        for (const auto& said : usual("oven", "celsius", 28, 4))
            told.say(said);
        auto strange = usual("oven", "celsius", 1, 4).front();
        strange.second = 28 * 86'400;
        strange.value = "21.6";
        told.say(strange);
        return told.alerts;
    };
    EXPECT_THAT(alerts_of(""), IsEmpty());
    const auto told = alerts_of(R"({"verdict":"unexpected","until":"2099-01-01T00:00:00Z"})");
    ASSERT_EQ(told.size(), 1u);
    EXPECT_THAT(told.front().extended_json, HasSubstr(R"("Feedback":"unexpected")"));
}

TEST(MetricDetector, IsSilentOnFourOrdinaryWeeksOfFourMetrics) {
    Told told;
    std::vector<Said> all;
    for (int i = 0; i < 4; ++i)
        for (auto& said : usual("device-" + std::to_string(i), "m", 28, 10 + static_cast<std::uint64_t>(i)))
            all.push_back(std::move(said));
    for (const auto& said : in_order(std::move(all)))
        told.say(said);
    EXPECT_LE(told.alerts.size(), 3u) << "four series-months at one a month";
}

TEST(MetricDetector, SaysTheSameHoweverDevicesAreShuffledAmongEachOther) {
    const auto week = a_week();
    Told straight;
    for (const auto& said : week)
        straight.say(said);
    // Each device's own order is what the log keeps; how they lie among each other is chance.
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        SeededRandom random(seed);
        std::vector<Said> oven, room;
        std::ranges::partition_copy(week, std::back_inserter(oven), std::back_inserter(room),
                                    [](const Said& said) { return said.device == "oven"; });
        Told told;
        for (std::size_t i = 0, k = 0; i < oven.size() || k < room.size();) {
            const bool first = k >= room.size() || (i < oven.size() && random.below(2) == 0);
            told.say(first ? oven[i++] : room[k++]);
        }
        EXPECT_EQ(told.told(), straight.told()) << seed;
    }
}

TEST(MetricDetector, GoesOnAfterARestartAsIfThereWasNone) {
    Told once, again;
    std::size_t count = 0;
    for (const auto& said : a_week()) {
        once.say(said);
        again.say(said);
        if (++count % 701 == 0) again.restart();
    }
    EXPECT_EQ(again.saved(), once.saved());
    EXPECT_EQ(again.told(), once.told());
    EXPECT_FALSE(again.told().empty());
}

TEST(MetricDetector, RefusesStateThatIsBroken) {
    Told told;
    for (const auto& said : usual("oven", "celsius", 1, 1))
        told.say(said);
    const auto whole = told.saved();
    ContentSources sources;
    const auto content = compile(sources).value();
    for (std::size_t size = 0; size < whole.size(); size += 97) {
        const auto engine = make_engine(content);
        static_cast<void>(engine->restore(ByteView(whole).first(size)));  // an Error, or a section less
    }
}

TEST(MetricDetector, TakesNumbersOfTelemetryForNoAgentThatSendsSmallMessages) {
    for (const bool telemetry : {false, true}) {
        Told told;
        for (auto said : usual("oven", "celsius", 3, 1)) {
            said.agent = telemetry ? model::kTelemetryMetricsAgent : "1.0.0";
            told.say(said);
        }
        EXPECT_EQ(std::ranges::count(told.recommendations, "IoT_AgentSendsUnutilizedMessages") == 0,
                  telemetry);
    }
}

TEST(MetricDetector, LooksOnlyAtNumbersOfItsOwnEvents) {
    for (const auto* const settings : {R"({"behaviour":true})", "{}"}) {
        Told told(settings);
        for (auto said : a_week()) {
            if (std::string_view(settings) != "{}") said.name = "door";
            told.say(said);
        }
        EXPECT_THAT(told.told(), IsEmpty()) << settings;
    }
}

/// Asks the detector itself, for what its bounds do.
class Bounds : public ::testing::Test {
  protected:
    void say(const std::string& hub, const std::string& device, const std::string& metric,
             const std::string& value, std::int64_t second = 0) {
        const std::pair<std::string_view, std::string_view> fields[] = {{"Name", "Metrics"}};
        const std::pair<std::string_view, std::string_view> details[] = {{metric, value}};
        model::Event event;
        event.kind = model::EventKind::Custom;
        event.hub = hub;
        event.device = device;
        event.time = event.received = Timestamp::from_unix_seconds(kMetricsBegin + second);
        model::Item item;
        item.payload = model::OtherPayload{.fields = fields, .product = {}, .service = {}, .category = {}};
        item.extra_details = details;
        auto context = at(second);
        detector_.observe(event, item, context);
    }
    Context at(std::int64_t second) {
        return {settings_, intel_, advisories_, hubs_,
                outages_,  book_,  posture_,    Timestamp::from_unix_seconds(kMetricsBegin + second),
                out_};
    }

    Settings settings_ = parse_settings(R"({"behaviour":true})").value();
    IntelSnapshot intel_;
    AdvisoryTable advisories_;
    HubSwitches hubs_;
    Outages outages_;
    AlertBook book_;
    RecommendationBook posture_;
    std::vector<model::Finding> out_;
    MetricDetector detector_;
};

TEST_F(Bounds, HoldForADeviceAHubAndAShard) {
    for (int i = 0; i < 20; ++i)
        say("hub", "device", "m" + std::to_string(i), "1");
    EXPECT_EQ(detector_.series(), MetricDetector::kOfDeviceMax);
    EXPECT_EQ(detector_.refused(), 4u);
    for (std::size_t i = 0; i < 3'000; ++i)
        say("hub", "d" + std::to_string(i), "m", "1");
    EXPECT_EQ(detector_.series(), MetricDetector::kOfHubMax);
    for (const auto* const hub : {"second", "third"})
        for (std::size_t i = 0; i < 1'500; ++i)
            say(hub, "d" + std::to_string(i), "m", "1");
    EXPECT_EQ(detector_.series(), MetricDetector::kSeriesMax);
    const auto refused = detector_.refused();
    say("hub", "device", "m0", "2", 10);
    EXPECT_EQ(detector_.refused(), refused) << "what is known goes on";
    say("hub", "device", "m0", "2", 5);
    EXPECT_EQ(detector_.refused(), refused + 1) << "older than the newest";
}

TEST_F(Bounds, TextsAndLongNamesAreNoSeries) {
    for (const auto* const text : {"", "x", "1x", " 1", "nan", "inf", "1e999", "1,2"})
        say("hub", "device", "m", text);
    say("hub", "device", std::string(200, 'm'), "1");
    say("hub", "device", "", "1");
    EXPECT_EQ(detector_.series(), 0u);
    for (const auto* const text : {"5.0", "1e3", "-7", "0"})
        say("hub", "device", text, text);
    EXPECT_EQ(detector_.series(), 4u);
}

TEST_F(Bounds, WhatNobodySendsAnyMoreIsForgotten) {
    say("hub", "gone", "m", "1");
    say("hub", "stays", "m", "1");
    say("hub", "stays", "m", "2", 20 * 86'400);
    auto later = at(31 * 86'400);
    detector_.advance(later);
    EXPECT_EQ(detector_.series(), 1u);
}

}  // namespace
}  // namespace fieldwatch::detect
