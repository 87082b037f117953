// Over HTTPS: what a hub's rates refuse, and what outlives the server.
#include "hub/https_fixture_test.hpp"

namespace fieldwatch::hub {
namespace {

TEST_F(HttpsTest, OverAHubsRateIs429WithARecordEach) {
    auto rates = rates_of_units(1);
    for (const auto what : {Throttle::Registry, Throttle::Queries, Throttle::CommandSends,
                            Throttle::CommandReceives, Throttle::TwinUpdates})
        rates[static_cast<std::size_t>(what)] = {.per_second = 0.001, .burst = 1};
    rates[static_cast<std::size_t>(Throttle::MethodBytes)] = {.per_second = 0.001, .burst = 4'096};
    start({.publishes_per_second = 0.001, .publishes_burst = 1, .rates = rates});
    const Json query{{"query", "SELECT * FROM devices"}};
    const Json method{{"methodName", "m"}};
    const Headers to{{"IoTHub-To", "/devices/d1/messages/devicebound"}};
    const auto asked = [&](const std::string& kind) {
        return kind == "getDevices" ? service("GET", "/devices").status
               : kind == "query"    ? service("POST", "/devices/query", query).status
               : kind == "replace"  ? service("PUT", "/twins/d1/tags", {{"a", 1}}).status
               : kind == "method"   ? service("POST", "/twins/d1/methods", method).status
               : kind == "send"     ? service("POST", "/messages/devicebound", "m", to).status
               : kind == "receive"  ? device("GET", "/devices/d1/messages/devicebound").status
                                    : device("POST", "/devices/d1/messages/events", {}, "m").status;
    };
    for (const auto* const kind :
         {"getDevices", "query", "replace", "method", "send", "receive", "message"}) {
        EXPECT_NE(asked(kind), 429) << kind;
        EXPECT_EQ(asked(kind), 429) << kind;
    }
    for (const auto* const name : {"throttled", "query", "update", "send", "deliver", "ingress"})
        operations(name, "429001");
}

TEST_F(HttpsTest, NobodySendsMegabytesWithoutAKey) {
    start();
    const auto begun = device("POST", "/devices/d1/files", {}, R"({"blobName":"a"})").json();
    const auto path = "/" + begun["containerName"].get<std::string>() + "/testhub/d1/a";
    const auto head_only = [&](const std::string& target) {
        auto client = web();
        const auto text =
            "PUT " + target + " HTTP/1.1\r\nHost: hub.local\r\nContent-Length: 16000000\r\n\r\n";
        EXPECT_TRUE(client.write_all(as_bytes(text), kWait));
        std::array<std::byte, 4096> bytes;
        const auto count = client.read(bytes, kWait);
        return count ? std::string(as_text(ByteView(bytes).first(*count))).substr(9, 3) : std::string("none");
    };
    EXPECT_EQ(head_only(path + "?sr=b&se=99999999999&sig=AAAA"), "403");
    EXPECT_EQ(head_only("/devices/d1?api-version=2021-04-12"), "413");
    const std::string large(1u << 20, 'x');
    EXPECT_EQ(ask("PUT", path + begun["sasToken"].get<std::string>(), {}, large).status, 201);
}

TEST_F(HttpsTest, WhenADeviceWasLastHeardOfOutlivesTheServer) {
    start();
    EXPECT_EQ(service("GET", "/devices/d1").json()["lastActivityTime"], "0001-01-01T00:00:00Z");
    auto client = connected();
    client.publish("devices/d1/messages/events/", "{}", 1);
    EXPECT_EQ(client.puback(), 1);
    const auto live = service("GET", "/devices/d1").json();
    EXPECT_EQ(live["connectionState"], "Connected");
    EXPECT_NE(live["lastActivityTime"], "0001-01-01T00:00:00Z");
    EXPECT_EQ(service("GET", "/devices/d1/modules/azureiotsecurity").json()["lastActivityTime"],
              "0001-01-01T00:00:00Z")
        << "it is the identity's own, not its device's";
    server_->stop();
    server_.reset();
    start();
    const auto after = service("GET", "/devices/d1").json();
    EXPECT_EQ(after["connectionState"], "Disconnected");
    EXPECT_GE(after["lastActivityTime"], live["lastActivityTime"]);
    EXPECT_GE(after["connectionStateUpdatedTime"], live["connectionStateUpdatedTime"]);
    EXPECT_EQ(service("GET", "/twins/d1").json()["lastActivityTime"], after["lastActivityTime"]);
}

}  // namespace
}  // namespace fieldwatch::hub
