#include "hub/telemetry_metrics.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "hub/hub_fixture_test.hpp"
#include "hub/metric_path.hpp"
#include "hub/routing/route_twins.hpp"

namespace fieldwatch::hub {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kBody =
    R"({"room":{"celsius":21.5,"a b":[1,-2,{"x":3}],"it's":7},"on":true,"text":"5","big":1e400,"n":null})";

std::optional<double> at(std::string_view path, std::string_view body) {
    json::Reader reader;
    const auto value = reader.parse(body);
    if (!value) return std::nullopt;
    return MetricPath::parse(path).value().number_in(**value);
}

TEST(MetricPath, FindsOneNumberOrNone) {
    const auto body = std::string(kBody.substr(0, kBody.find(",\"big\""))) + "}";
    EXPECT_EQ(at("$.room.celsius", body), 21.5);
    EXPECT_EQ(at("$['room'][\"celsius\"]", body), 21.5);
    EXPECT_EQ(at("$.room['a b'][1]", body), -2);
    EXPECT_EQ(at("$.room['a b'][2].x", body), 3);
    EXPECT_EQ(at(R"($.room['it\'s'])", body), 7);
    EXPECT_EQ(at("$", "4"), 4);
    EXPECT_EQ(at("$[0]", "[9]"), 9);
    for (const auto* const path : {"$", "$.room", "$.on", "$.text", "$.gone", "$.room['a b'][3]", "$.room[0]",
                                   "$.room['a b'].x", "$.room.celsius.x"})
        EXPECT_EQ(at(path, body), std::nullopt) << path;
}

TEST(MetricPath, SaysItselfBack) {
    for (const auto* const path : {"$", "$.a", "$.a.b[0]['c d']", R"($["x'y\\z"])", "$.\u00e9t\u00e9"}) {
        const auto once = MetricPath::parse(path).value().text();
        EXPECT_EQ(MetricPath::parse(once).value().text(), once) << path;
    }
    EXPECT_EQ(MetricPath::parse("$.a[3]").value().text(), "$['a'][3]");
}

TEST(MetricPath, RefusesWhatMayFindMoreThanOneAndWhatIsNone) {
    for (const auto* const path : {"",
                                   "a",
                                   ".a",
                                   "$a",
                                   "$.",
                                   "$..a",
                                   "$.*",
                                   "$[*]",
                                   "$[0:2]",
                                   "$[-1]",
                                   "$[?@.a]",
                                   "$['a','b']",
                                   "$['a",
                                   "$['a'",
                                   "$[",
                                   "$[]",
                                   "$[01]",
                                   "$[10000]",
                                   "$[99999999999]",
                                   "$.a ",
                                   "$. a",
                                   R"($['a\n'])",
                                   "$.1a"})
        EXPECT_FALSE(MetricPath::parse(path)) << path;
    EXPECT_THAT(MetricPath::parse("$.a[*]").error().message, HasSubstr("at byte 4: expected"));
    std::string deep = "$";
    for (std::size_t i = 0; i < MetricPath::kSegmentsMax; ++i)
        deep += ".a";
    EXPECT_TRUE(MetricPath::parse(deep));
    EXPECT_FALSE(MetricPath::parse(deep + ".a"));
    EXPECT_FALSE(MetricPath::parse("$['" + std::string(MetricPath::kBytesMax, 'a') + "']"));
}

class Metrics : public ::testing::Test {
  protected:
    static std::string configuration(std::size_t count) {
        auto list = nlohmann::json::array();
        for (std::size_t i = 0; i < count; ++i)
            list.push_back({{"name", "m" + std::to_string(i)}, {"path", "$.m" + std::to_string(i)}});
        return nlohmann::json{{"telemetryMetrics", list}}.dump();
    }
    static TelemetryMetrics chosen(const std::string& list) {
        return TelemetryMetrics::parse(R"({"telemetryMetrics":)" + list + "}").value();
    }
    model::Record telemetry(std::string_view body) const {
        return {.kind = model::RecordKind::Telemetry,
                .received = at_,
                .sender = device_,
                .properties = {{"iothub-connection-device-id", "oven"}, {"batch", "7"}},
                .body = std::string(body)};
    }
    TelemetryMetrics::Taken taken(std::string_view body, std::uint64_t number = 1) const {
        return metrics_.take(telemetry(body), number, nullptr);
    }
    std::string told(std::string_view body, std::uint64_t number = 1) const {
        return taken(body, number).message;
    }
    static nlohmann::json numbers_in(const std::string& message) {
        return nlohmann::json::parse(message)["Events"][0]["Payload"][0]["ExtraDetails"];
    }

    model::Identity device_{{"plant"}, {"oven"}, {}};
    Timestamp at_ = Timestamp::from_unix_seconds(1'800'000'000);
    TelemetryMetrics metrics_ =
        chosen(R"([{"name":"celsius","path":"$.room.celsius"},{"name":"rpm","path":"$.fans[0]"}])");
};

TEST_F(Metrics, BecomeASecurityMessageOfTheDevice) {
    const auto json = nlohmann::json::parse(told(R"({"room":{"celsius":21.5},"fans":[1200,1300]})"));
    EXPECT_EQ(json["AgentVersion"], "hub telemetry");
    const auto& event = json["Events"][0];
    EXPECT_EQ(event["Name"], "Custom");
    EXPECT_EQ(event["TimestampUTC"], "2027-01-15T08:00:00.000Z");
    EXPECT_EQ(event["Payload"][0]["Name"], "TelemetryMetrics");
    EXPECT_EQ(event["Payload"][0]["ExtraDetails"], (nlohmann::json{{"celsius", "21.5"}, {"rpm", "1200"}}));
    const auto again = nlohmann::json::parse(told(R"({"fans":[1200]})", 2));
    EXPECT_EQ(again["Events"][0]["Payload"][0]["ExtraDetails"], (nlohmann::json{{"rpm", "1200"}}));
    EXPECT_NE(again["Events"][0]["Id"], event["Id"]) << "two messages of one moment are two";
    EXPECT_EQ(again["AgentId"], json["AgentId"]);
}

TEST_F(Metrics, OfWhatHasNoneNothingIsTold) {
    for (const auto* const body : {"", "21.5", "{}", "not json", R"({"room":{"celsius":"21.5"}})", "[1,2]"})
        EXPECT_EQ(told(body), "") << body;
    EXPECT_FALSE(taken("not json").was_read);
    EXPECT_TRUE(taken("{}").was_read);
    EXPECT_EQ(told(R"({"fans":[1],"x":")" + std::string(TelemetryMetrics::kBodyBytesMax, 'x') + "\"}"), "");
    EXPECT_TRUE(TelemetryMetrics::parse("{}").value().empty());
}

TEST_F(Metrics, SayWhyAValueIsNoneAndTakeTheOthers) {
    const auto odd = taken(R"({"room":{"celsius":"21.5"},"fans":[1200]})");
    EXPECT_EQ(odd.refused_why, "the metric celsius found a string where a number belongs");
    EXPECT_EQ(numbers_in(odd.message), (nlohmann::json{{"rpm", "1200"}}));
    EXPECT_EQ(taken(R"({"room":{"celsius":null},"fans":[]})").refused_why, "") << "no reading is no fault";
}

TEST_F(Metrics, OfOneMessageAreAsManyAsADeviceMayHave) {
    auto body = nlohmann::json::object();
    for (std::size_t i = 0; i <= TelemetryMetrics::kOfMessageMax; ++i)
        body["m" + std::to_string(i)] = i;
    const auto taken = TelemetryMetrics::parse(configuration(TelemetryMetrics::kMetricsMax))
                           ->take(telemetry(body.dump()), 1, nullptr);
    EXPECT_EQ(numbers_in(taken.message).size(), TelemetryMetrics::kOfMessageMax);
    EXPECT_EQ(taken.refused_why, "the metric m16 is one more than the 16 that a message may have");
}

TEST_F(Metrics, OfAGroupAreWhereItsConditionHolds) {
    const auto directory =
        std::filesystem::temp_directory_path() / ("metrics." + std::to_string(system_random().next()));
    std::filesystem::create_directory(directory);
    const auto registry =
        std::move(*registry::open(directory / "registry.db", system_clock(), system_random()));
    ASSERT_TRUE(registry->create_hub({.name = device_.hub}));
    ASSERT_TRUE(registry->create({.identity = device_}));
    ASSERT_TRUE(registry->patch_tags(device_, R"({"kind":"oven"})"));
    RouteTwins twins(*registry, system_clock());
    const auto metrics = chosen(R"([
        {"name":"celsius","path":"$.f","where":"$twin.tags.kind = 'fridge'"},
        {"name":"celsius","path":"$.c","where":"$twin.tags.kind = 'oven' AND batch = '7'"},
        {"name":"own","path":"$.c","where":"$connectionDeviceId = 'oven' AND $body.on"},
        {"name":"all","path":"$.c"}])");
    const auto took = [&](std::string_view body) {
        return numbers_in(metrics.take(telemetry(body), 1, &twins).message);
    };
    EXPECT_EQ(took(R"({"f":70,"c":21,"on":true})"),
              (nlohmann::json{{"celsius", "21"}, {"own", "21"}, {"all", "21"}}));
    EXPECT_EQ(took(R"({"f":70,"c":21})"), (nlohmann::json{{"celsius", "21"}, {"all", "21"}}));
    EXPECT_EQ(metrics.take(telemetry(R"({"f":"x"})"), 1, &twins).refused_why, "") << "another group's";
    std::filesystem::remove_all(directory);
}

TEST_F(HubTest, ValuesThatAreNoNumbersAreInTheLogOnceAMinuteAndTheNumbersAreTold) {
    start();
    auto hub = *registry_->hub({"testhub"});
    hub.configuration_json = R"({"telemetryMetrics":[{"name":"celsius","path":"$.c"}]})";
    ASSERT_TRUE(registry_->update_hub(hub, std::nullopt));
    auto client = connected();
    for (std::uint16_t id = 1; id <= 3; ++id) {
        client.publish("devices/d1/messages/events/", id == 2 ? R"({"c":21})" : R"({"c":"warm"})", id);
        ASSERT_EQ(client.puback(), id);
    }
    const auto told = journal_.wait(
        1, [](const model::RecordView& record) { return record.kind == model::RecordKind::SecurityMessage; });
    ASSERT_EQ(told.size(), 1u);
    const auto refused = operations("metrics", "400004");
    ASSERT_EQ(refused.size(), 1u) << "the second waits for the minute's record";
    EXPECT_EQ(refused[0]["properties"]["deviceId"], "d1");
    EXPECT_EQ(refused[0]["resultDescription"], "the metric celsius found a string where a number belongs");
    server_->stop();
    EXPECT_EQ(operations("metrics", "400004").size(), 2u);
}

TEST_F(Metrics, AreRefusedWithWhatIsWrong) {
    EXPECT_TRUE(TelemetryMetrics::parse(configuration(TelemetryMetrics::kMetricsMax)));
    EXPECT_FALSE(TelemetryMetrics::parse(configuration(TelemetryMetrics::kMetricsMax + 1)));
    for (const auto* const list :
         {"7", "[7]", "[{}]", R"([{"name":"a"}])", R"([{"name":"","path":"$.a"}])",
          R"([{"name":"a b","path":"$.a"}])", R"([{"name":"a","path":"$.*"}])",
          R"([{"name":"a","path":"$.a"},{"name":"a","path":"$.b"}])",
          R"([{"name":"a","path":"$.a","where":"true"},{"name":"a","path":"$.b"}])",
          R"([{"name":"a","path":"$.a","where":""}])", R"([{"name":"a","path":"$.a","where":"x = "}])",
          R"([{"name":"a","path":"$.a","where":7}])"})
        EXPECT_FALSE(TelemetryMetrics::parse(std::string(R"({"telemetryMetrics":)") + list + "}")) << list;
    const auto refused = TelemetryMetrics::parse(R"({"telemetryMetrics":[{"name":"rpm","path":"$..a"}]})");
    EXPECT_THAT(refused.error().message, HasSubstr("the metric rpm"));
}

}  // namespace
}  // namespace fieldwatch::hub
