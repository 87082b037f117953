// What a configuration of routes may say, what its conditions see, and where messages go.
#include "hub/routing/routing.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "hub/routing/bus_sink.hpp"

namespace fieldwatch::hub {
namespace {

using Json = nlohmann::json;

constexpr std::uint32_t kPartitions = 4;

model::Record telemetry(std::string body, std::vector<std::pair<std::string, std::string>> properties = {}) {
    model::Record record;
    record.kind = model::RecordKind::Telemetry;
    record.received = Timestamp::from_unix_seconds(1'700'000'000);
    record.sender = {{"plant"}, {"pump"}, {}};
    record.properties = {{"iothub-connection-device-id", "pump"}, {"content-type", "application/json"}};
    for (auto& one : properties)
        record.properties.push_back(std::move(one));
    record.body = std::move(body);
    return record;
}

/// Keeps what a message views.
struct Seen {
    explicit Seen(const model::Record& record) : bytes(model::encode(record)) {
        const auto partition = model::partition_of(record.sender.hub, record.sender.device, kPartitions);
        message = reader.read(*model::decode_record(bytes), {partition, 7});
    }
    Bytes bytes;
    RoutedMessageReader reader{kPartitions};
    const RoutedMessage* message = nullptr;
};

Result<Routing> routing_of(const std::string& routing) {
    return Routing::parse(R"({"routing":)" + routing + "}");
}

bool condition_holds(const std::string& condition, const model::Record& record) {
    const auto routing =
        routing_of(Json{{"endpoints", {{"f", {{"type", "file"}}}}},
                        {"routes", {{"r", {{"condition", condition}, {"endpoints", Json::array({"f"})}}}}}}
                       .dump());
    EXPECT_TRUE(routing) << routing.error().message;
    const Seen seen(record);
    return routing && !routing->routes_to("f", *seen.message).empty();
}

TEST(Routing, AnEndpointOfAStreamHasAnAddressOfItsKind) {
    const auto why = [](const char* endpoint) {
        const auto read = routing_of(std::string(R"({"endpoints":{"bus":)") + endpoint + "}}");
        return read ? std::string() : read.error().message;
    };
    EXPECT_EQ(why(R"({"type":"kafka","url":"kafka://k:9092/plant"})"), "");
    EXPECT_EQ(why(R"({"type":"nats","url":"natss://n:4222/plant.all","keepHours":2})"), "");
    EXPECT_NE(why(R"({"type":"kafka","url":"nats://n:4222/plant"})").find("another"), std::string::npos);
    EXPECT_NE(why(R"({"type":"kafka","url":"kafka://k/plant"})").find("kafka://HOST:9092/TOPIC"),
              std::string::npos);
    EXPECT_NE(why(R"({"type":"redis"})").find("file, webhook, kafka or nats"), std::string::npos);
}

TEST(Routing, ConditionsSeeBodyAndProperties) {
    const auto hot = telemetry(R"({"temp":31.5,"at":{"line":"a"},"tags":["x"]})", {{"Level", "critical"}});
    EXPECT_TRUE(condition_holds("", hot));
    EXPECT_TRUE(condition_holds("true", hot));
    EXPECT_TRUE(condition_holds("$body.temp > 30 AND level = 'critical'", hot));
    EXPECT_FALSE(condition_holds("$body.temp > 32", hot));
    EXPECT_TRUE(condition_holds("$body.at.line = 'a'", hot));
    EXPECT_FALSE(condition_holds("$body.missing = 1", hot));
    EXPECT_TRUE(condition_holds("NOT IS_DEFINED($body.missing)", hot));
    EXPECT_TRUE(condition_holds("IS_ARRAY($body.tags)", hot));
    EXPECT_TRUE(condition_holds("$connectionDeviceId = 'pump' AND $contentType = 'application/json'", hot));
    EXPECT_FALSE(condition_holds("$twin.tags.a = 1", hot)) << "undefined: nobody has twins here";
    EXPECT_FALSE(condition_holds("$body.temp > 30", telemetry("no json")));
    EXPECT_FALSE(condition_holds("$body.temp > 30", telemetry(std::string(100'000, '['))));
}

TEST(Routing, SaysWhatIsWrong) {
    const auto error = [](const std::string& text) {
        const auto routing = routing_of(text);
        return routing ? std::string() : routing.error().message;
    };
    EXPECT_EQ(error("{}"), "");
    EXPECT_NE(error("[]"), "");
    EXPECT_NE(error(R"({"endpoints":[]})"), "");
    EXPECT_NE(error(R"({"endpoints":{"events":{"type":"file"}}})"), "") << "built in";
    EXPECT_NE(error(R"({"endpoints":{"a/b":{"type":"file"}}})"), "") << "it names a folder";
    EXPECT_NE(error(R"({"endpoints":{"a":{"type":"queue"}}})"), "");
    EXPECT_NE(error(R"({"endpoints":{"a":{"type":"webhook","url":"ftp://h/"}}})"), "");
    EXPECT_NE(error("{\"endpoints\":{\"a\":{\"type\":\"webhook\",\"url\":\"http://h/\\r\\nx: y\"}}}"), "");
    EXPECT_NE(error(R"({"endpoints":{"a":{"type":"file","keepHours":0}}})"), "");
    EXPECT_NE(error(R"({"endpoints":{"a":{"type":"file","files":"3"}}})"), "");
    EXPECT_NE(error(R"({"routes":{"r":{"endpoints":["nowhere"]}}})"), "");
    EXPECT_NE(error(R"({"routes":{"r":{"endpoints":[]}}})"), "");
    EXPECT_NE(error(R"({"routes":{"r":{"endpoints":["events"],"source":"Telemetry"}}})"), "");
    EXPECT_NE(error(R"({"routes":{"r":{"endpoints":["events"],"source":"TwinChangeEvents"}}})"), "");
    EXPECT_NE(error(R"({"routes":{"r":{"endpoints":["events"],"condition":"a = "}}})"), "");
    EXPECT_EQ(
        error(R"({"routes":{"r":{"endpoints":["events"],"source":"devicemessages","condition":"a = 1"}}})"),
        "");
    EXPECT_TRUE(Routing::parse("{}"));
    EXPECT_FALSE(Routing::parse("{}")->selects_events());
}

TEST(Routing, TheBuiltInEndpointGetsWhatIsRoutedThereAndWhatNobodyTakes) {
    const std::string endpoints = R"("endpoints":{"f":{"type":"file"}})";
    const auto hot = telemetry(R"({"temp":40})"), cold = telemetry(R"({"temp":4})");
    const auto to_events = [&](const std::string& rest, const model::Record& record) {
        const auto routing = routing_of("{" + endpoints + rest + "}");
        EXPECT_TRUE(routing) << routing.error().message;
        const Seen seen(record);
        return routing->to_events(*seen.message);
    };
    const std::string takes_hot = R"(,"routes":{"r":{"condition":"$body.temp > 30","endpoints":["f"]}})";
    EXPECT_TRUE(to_events("", hot));
    EXPECT_FALSE(to_events(takes_hot, hot));
    EXPECT_TRUE(to_events(takes_hot, cold));
    EXPECT_FALSE(to_events(takes_hot + R"(,"fallbackToEvents":false)", cold));
    EXPECT_TRUE(to_events(R"(,"routes":{"a":{"endpoints":["f"]},"b":{"endpoints":["events"]}})", hot));
    EXPECT_TRUE(to_events(R"(,"routes":{"a":{"endpoints":["f"],"enabled":false}})", hot)) << "an idle route";
}

TEST(RoutedMessage, IsOneLineWithEveryDigitOfItsBody) {
    const Seen seen(telemetry("{\r\n \"n\": 12345678901234567890.10 ,\n\"s\":\"a\\nb\"}", {{"k", "v"}}));
    const auto text = to_json(*seen.message, {"r1", "r2"});
    EXPECT_EQ(text.find('\n'), std::string::npos);
    EXPECT_NE(text.find("12345678901234567890.10"), std::string::npos);
    const auto json = Json::parse(text);
    EXPECT_EQ(json["hub"], "plant");
    EXPECT_EQ(json["routes"], (Json{"r1", "r2"}));
    EXPECT_EQ(json["offset"], 7);
    EXPECT_EQ(json["deviceId"], "pump");
    EXPECT_EQ(json["properties"], (Json{{"k", "v"}}));
    EXPECT_EQ(json["systemProperties"]["content-type"], "application/json");
    EXPECT_EQ(json["body"]["s"], "a\nb");
    const Seen bytes(telemetry("\xff\x01", {{"odd", "\xff"}, {"odd", "second"}}));
    const auto other = Json::parse(to_json(*bytes.message, {}));
    EXPECT_EQ(other["bodyBase64"], "/wE=");
    EXPECT_EQ(other["properties"]["odd"], "?");
    EXPECT_FALSE(other.contains("body"));
}

TEST(RoutedMessage, WhatTheHubDoesComesInTheSameEnvelope) {
    model::Record record;
    record.received = Timestamp::from_unix_seconds(1'700'000'000);
    record.sender = {{"plant"}, {"pump"}, {}};
    record.kind = model::RecordKind::Twin;
    record.body = R"({"section":"desired","document":{"a":1},"version":4})";
    const Seen twin(record);
    ASSERT_NE(twin.message, nullptr);
    EXPECT_EQ(twin.message->source, RouteSource::TwinChangeEvents);
    EXPECT_EQ(twin.message->body, R"({"version":4,"properties":{"desired":{"a":1}}})");

    record.kind = model::RecordKind::IdentityChange;
    record.body = R"({"change":"create","identity":{"deviceId":"pump","authentication":{"type":"sas"}}})";
    const Seen created(record);
    ASSERT_NE(created.message, nullptr);
    EXPECT_EQ(created.message->body, R"({"deviceId":"pump"})") << "no fingerprints of keys";
    const auto json = Json::parse(to_json(*created.message, {}));
    EXPECT_EQ(json["properties"]["opType"], "createDeviceIdentity");
    EXPECT_EQ(json["systemProperties"]["iothub-message-source"], "deviceLifecycleEvents");
    record.body = R"({"change":"update","identity":{}})";
    EXPECT_EQ(Seen(record).message, nullptr);

    record.kind = model::RecordKind::Operation;
    record.body = R"({"category":"Connections","operationName":"deviceConnect","resultType":""})";
    const Seen connected(record);
    ASSERT_NE(connected.message, nullptr);
    EXPECT_EQ(connected.message->source, RouteSource::DeviceConnectionStateEvents);
    record.body = R"({"category":"Connections","operationName":"deviceConnect","resultType":"401003"})";
    EXPECT_EQ(Seen(record).message, nullptr) << "nobody came";

    // The copy that the hub's home partition has of it.
    const auto own = model::partition_of(record.sender.hub, record.sender.device, kPartitions);
    RoutedMessageReader reader(kPartitions);
    const auto bytes = model::encode(telemetry("{}"));
    EXPECT_NE(reader.read(*model::decode_record(bytes), {own, 0}), nullptr);
    EXPECT_EQ(reader.read(*model::decode_record(bytes), {(own + 1) % kPartitions, 0}), nullptr);
}

TEST(BusSink, AMessageSaysWhoseItIsAndWhere) {
    const std::string one =
        R"({"hub":"plant","source":"DeviceMessages","routes":["all"],"partition":2,"offset":7,)"
        R"("enqueuedTime":"2026-11-29T03:00:00Z","deviceId":"pump-1","body":{}})";
    EXPECT_EQ(device_in(one), "pump-1");
    EXPECT_EQ(id_in(one, "plant"), "plant/2/7");
    EXPECT_EQ(device_in("{}"), "");
}

}  // namespace
}  // namespace fieldwatch::hub
