// What the device SDKs that no test here can run put on the wire, step by step, and what they must hear:
// spec/iot-hub-protocols.md section 12 (C, Python, Java; older ones by their user names). Those of Node run
// themselves in tests/clients.
#include <algorithm>
#include <future>

#include "base/hash.hpp"
#include "hub/https_fixture_test.hpp"
#include "hub/methods.hpp"

namespace fieldwatch::hub {
namespace {

class SdkSession : public HttpsTest {
  protected:
    struct Heard {
        std::string topic, body;
        std::uint8_t qos = 0;
        std::uint16_t packet_id = 0;
    };
    Heard hear(Client& client) {
        const auto packet = client.receive();
        EXPECT_TRUE(packet && packet->type() == mqtt::PacketType::Publish);
        if (!packet || packet->type() != mqtt::PacketType::Publish) return {};
        const auto publish = *mqtt::decode_publish(packet->frame());
        return {std::string(publish.topic), std::string(as_text(publish.payload)), publish.qos,
                publish.packet_id};
    }
    /// The codes of the SUBACK.
    std::vector<int> subscribe(Client& client, std::uint16_t id, std::vector<mqtt::Filter> filters) {
        Bytes out;
        mqtt::encode_subscribe(out, id, filters);
        client.send(out);
        const auto answer = client.receive();
        EXPECT_TRUE(answer && answer->type() == mqtt::PacketType::Suback);
        std::vector<int> codes;
        if (!answer) return codes;
        const auto suback = *mqtt::decode_suback(answer->frame());
        EXPECT_EQ(suback.packet_id, id);
        for (const auto code : suback.codes)
            codes.push_back(std::to_integer<int>(code));
        return codes;
    }
    void puback(Client& client, std::uint16_t id) {
        Bytes out;
        mqtt::encode_puback(out, id);
        client.send(out);
    }
    Client connect_as(std::string user, std::uint16_t keep_alive, std::string id = "d1") {
        return connected({.id = std::move(id), .user = std::move(user), .keep_alive = keep_alive});
    }
    void send_to_device(const std::string& body) {
        const Headers to{{"iothub-to", "/devices/d1/messages/devicebound"},
                         {"Authorization", policy_token("service")}};
        EXPECT_EQ(ask("POST", "/messages/deviceBound", to, body).status, 204);
    }
    std::future<MethodResult> call_method(std::string name) {
        auto answer = std::make_shared<std::promise<MethodResult>>();
        server_->methods().call({.identity = identity("d1"), .name = std::move(name), .payload_json = "null"},
                                {}, [answer](MethodResult result) { answer->set_value(std::move(result)); });
        return answer->get_future();
    }
    static std::string rid_of(const Heard& request) {
        return request.topic.substr(request.topic.find('=') + 1);
    }
};

TEST_F(SdkSession, OfCOverMqtt) {
    start();
    auto client = connect_as(
        "hub.local/d1/"
        "?api-version=2020-09-30&DeviceClientType=iothubclient%2f1.11.0%20(native%3b%20Linux%3b%20x86_64)"
        "&model-id=dtmi:com:example:Thermo;1",
        240);
    EXPECT_EQ(operations("deviceConnect", "").back()["properties"]["sdkVersion"],
              "iothubclient/1.11.0 (native; Linux; x86_64)");
    // Three filters in one packet, a code each in their order.
    EXPECT_EQ(subscribe(client, 2,
                        {{"devices/d1/messages/devicebound/#", 1},
                         {"$iothub/twin/res/#", 0},
                         {"$iothub/methods/POST/#", 0}}),
              (std::vector{1, 0, 0}));
    client.publish("$iothub/twin/GET/?$rid=3", "");
    const auto twin = hear(client);
    EXPECT_EQ(twin.topic, "$iothub/twin/res/200/?$rid=3");
    EXPECT_EQ(twin.qos, 0);
    client.publish("$iothub/twin/PATCH/properties/reported/?$rid=4", R"({"a":1})");
    EXPECT_EQ(hear(client).topic, "$iothub/twin/res/204/?$rid=4&$version=2");
    // Its own properties first; not encoded unless it was asked to.
    client.publish("devices/d1/messages/events/k%201=v%261&%24.mid=m%201&%24.ct=application%2fjson", "1", 5);
    EXPECT_EQ(client.puback(), 5);
    client.publish("devices/d1/messages/events/k 1=v&1&%24.ct=application/json", "2", 6);
    EXPECT_EQ(client.puback(), 6);
    const auto sent = telemetry(2);
    ASSERT_EQ(sent.size(), 2u);
    const auto has = [](const model::Record& record, const char* name, const char* value) {
        return std::ranges::find(record.properties, std::pair<std::string, std::string>(name, value)) !=
               record.properties.end();
    };
    EXPECT_TRUE(has(sent[0], "k 1", "v&1") && has(sent[0], "message-id", "m 1"));
    EXPECT_TRUE(has(sent[1], "k 1", "v") && has(sent[1], "content-type", "application/json"));
    // A security message says its form as an encoding, and no content type.
    client.publish(
        "devices/d1/messages/events/"
        "%24.ce=application%2fjson&%24.ifid=urn%3aazureiot%3aSecurity%3aSecurityAgent%3a1",
        "{}", 7);
    EXPECT_EQ(client.puback(), 7);
    EXPECT_EQ(
        journal_.wait(1, [](const auto& record) { return record.kind == model::RecordKind::SecurityMessage; })
            .size(),
        1u);
    EXPECT_EQ(subscribe(client, 8, {{"$iothub/twin/PATCH/properties/desired/#", 0}}), (std::vector{0}));
    EXPECT_EQ(service("PATCH", "/twins/d1", {{"properties", {{"desired", {{"rate", 5}}}}}}).status, 200);
    const auto desired = hear(client);
    EXPECT_EQ(desired.topic, "$iothub/twin/PATCH/properties/desired/?$version=2");
    EXPECT_EQ(desired.body, R"({"rate":5,"$version":2})");
    send_to_device("go");
    const auto command = hear(client);
    EXPECT_TRUE(command.topic.starts_with(
        "devices/d1/messages/devicebound/%24.to=%2Fdevices%2Fd1%2Fmessages%2Fdevicebound"))
        << command.topic;
    EXPECT_EQ(command.qos, 1);
    puback(client, command.packet_id);
    operations("complete", "");
    auto result = call_method("do it/now");
    const auto request = hear(client);
    EXPECT_TRUE(request.topic.starts_with("$iothub/methods/POST/do%20it%2Fnow/?$rid=")) << request.topic;
    client.publish("$iothub/methods/res/200/?$rid=" + rid_of(request), "");
    const auto answered = result.get();
    EXPECT_EQ(answered.error, 0) << "an answer without payload is one";
    EXPECT_EQ(answered.status, 200);
    client.disconnect();
}

TEST_F(SdkSession, OfPythonOverMqttEverythingWithQosOne) {
    start();
    const std::string user =
        "hub.local/d1/"
        "?api-version=2019-10-01&DeviceClientType=azure-iot-device-iothub-py%2F2.14.0%28%3BLinux%29";
    {
        auto client = connect_as(user, 60);
        std::uint16_t id = 1;
        for (const auto* const filter : {"devices/d1/messages/devicebound/#", "$iothub/methods/POST/#",
                                         "$iothub/twin/PATCH/properties/desired/#", "$iothub/twin/res/#"})
            EXPECT_EQ(subscribe(client, id++, {{filter, 1}}), (std::vector{1})) << filter;
        // First the PUBACK, then the answer.
        client.publish("$iothub/twin/GET/?$rid=9c1c8d2e-77aa-4f6e-8d25-61f6f5ff0001", " ", 10);
        EXPECT_EQ(client.puback(), 10);
        const auto twin = hear(client);
        EXPECT_EQ(twin.topic, "$iothub/twin/res/200/?$rid=9c1c8d2e-77aa-4f6e-8d25-61f6f5ff0001");
        EXPECT_EQ(Json::parse(twin.body)["desired"]["$version"], 1);
        client.publish("$iothub/twin/PATCH/properties/reported/?$rid=b", R"({"a":1})", 11);
        EXPECT_EQ(client.puback(), 11);
        EXPECT_EQ(hear(client).topic, "$iothub/twin/res/204/?$rid=b&$version=2");
        auto result = call_method("m");
        const auto request = hear(client);
        EXPECT_EQ(request.body, "null");
        client.publish("$iothub/methods/res/500/?$rid=" + rid_of(request), "null", 12);
        EXPECT_EQ(client.puback(), 12);
        EXPECT_EQ(result.get().status, 500);
        client.disconnect();
    }
    // What was decided while it was away is in the twin that it asks for when it is back.
    EXPECT_EQ(service("PATCH", "/twins/d1", {{"properties", {{"desired", {{"rate", 5}}}}}}).status, 200);
    send_to_device("queued");
    auto client = connect_as(user, 60);
    EXPECT_TRUE(session_present_);
    const auto queued = hear(client);
    EXPECT_EQ(queued.body, "queued") << "the subscription outlived the connection";
    puback(client, queued.packet_id);
    EXPECT_EQ(subscribe(client, 1, {{"$iothub/twin/res/#", 1}}), (std::vector{1}));
    client.publish("$iothub/twin/GET/?$rid=c", " ", 2);
    EXPECT_EQ(client.puback(), 2);
    EXPECT_EQ(hear(client).body, R"({"desired":{"rate":5,"$version":2},"reported":{"a":1,"$version":2}})");
}

TEST_F(SdkSession, OfJavaAsDeviceAndAsModule) {
    start();
    auto device = connect_as(
        "hub.local/d1/?api-version=2020-09-30&DeviceClientType=com.microsoft.azure.sdk.iot%2f2", 230);
    EXPECT_EQ(subscribe(device, 1, {{"$iothub/twin/res/#", 1}}), (std::vector{1}));
    device.publish("$iothub/twin/PATCH/properties/reported/?$rid=x&$version=1", R"({"a":1})", 2);
    EXPECT_EQ(device.puback(), 2);
    EXPECT_EQ(hear(device).topic, "$iothub/twin/res/204/?$rid=x&$version=2");
    device.publish("$iothub/twin/PATCH/properties/reported/?$rid=y&$version=1", R"({"a":2})", 3);
    EXPECT_EQ(device.puback(), 3);
    const auto stale = hear(device);
    EXPECT_EQ(stale.topic, "$iothub/twin/res/412/?$rid=y");
    EXPECT_EQ(Json::parse(stale.body)["errorCode"], 412001);
    auto module =
        connect_as("hub.local/d1/azureiotsecurity/?api-version=2020-09-30", 230, "d1/azureiotsecurity");
    for (const auto* const filter :
         {"devices/d1/modules/azureiotsecurity/messages/devicebound/#",
          "devices/d1/modules/azureiotsecurity/inputs/#", "devices/d1/modules/azureiotsecurity/#"})
        EXPECT_EQ(subscribe(module, 4, {{filter, 1}}), (std::vector{1})) << filter;
}

TEST_F(SdkSession, EveryUserNameThatAnSdkEverWroteOpensItsDevice) {
    start();
    for (const std::string tail :
         {"", "/", "/?api-version=2016-11-14", "/api-version=2016-11-14",
          "/api-version=2016-11-14&DeviceClientType=azure-iot-device%2F1.1.7",
          "/DeviceClientType=azure-iot-device%2F1.0.9&api-version=2016-02-03",
          "/?api-version=2017-06-30&DeviceClientType=x", "/?api-version=2018-06-30",
          "/?api-version=2019-03-30",
          "/?api-version=2020-05-31-preview&digital-twin-model-id=dtmi:com:example:T;1",
          "/?api-version=2021-04-12&DeviceClientType=",
          "/?DeviceClientType=Microsoft.Azure.Devices.Client%2f1.42.0%20(.NET%206.0.36%3b%20X64)&api-version="
          "2020-09-30&auth-chain=d1"}) {
        auto client = raw();
        EXPECT_EQ(connect(client, {.user = "hub.local/d1" + tail}), mqtt::ConnackCode::Accepted) << tail;
    }
    for (const std::string version : {"banana", "2016-02-02", "2021-13-01", "2021-04-12-beta", "2021-4-12"}) {
        auto client = raw();
        EXPECT_EQ(connect(client, {.user = "hub.local/d1/?api-version=" + version}),
                  mqtt::ConnackCode::UnacceptableProtocol)
            << version;
    }
    auto port = raw();
    EXPECT_EQ(connect(port, {.user = "hub.local:8883/d1/?api-version=2021-04-12"}),
              mqtt::ConnackCode::Accepted);
}

TEST_F(SdkSession, OfCOverHttpsWithTheApiVersionThatItPins) {
    start();
    const std::string version = "?api-version=2016-11-14";
    const auto resource = std::string("hub.local/devices/d1");
    const auto expiry = std::to_string(clock_.now().unix_seconds() + 3'600);
    const auto signature =
        percent_encode(base64(hmac_sha256(*from_base64(kKey), as_bytes(resource + "\n" + expiry))));
    const Headers as{{"Authorization", "SharedAccessSignature sr=" + resource + "&sig=" + signature +
                                           "&se=" + expiry + "&skn="}};
    auto event = as;
    event.insert(event.end(), {{"content-type", "application/octet-stream"},
                               {"iothub-to", "/devices/d1/messages/events"},
                               {"iothub-interface-id", "urn:azureiot:Security:SecurityAgent:1"}});
    EXPECT_EQ(ask("POST", "/devices/d1/messages/events" + version, event, "{}").status, 204);
    EXPECT_EQ(
        journal_.wait(1, [](const auto& record) { return record.kind == model::RecordKind::SecurityMessage; })
            .size(),
        1u);
    send_to_device("go");
    const auto got = ask("GET", "/devices/d1/messages/devicebound" + version, as);
    EXPECT_EQ(got.status, 200);
    // It sends the lock back as it came, in quotes; Node takes them off.
    const auto lock = got.headers.at("etag");
    ASSERT_TRUE(lock.starts_with('"') && lock.ends_with('"'));
    auto settle = as;
    settle.emplace_back("If-Match", lock);
    EXPECT_EQ(
        ask("DELETE", "/devices/d1/messages/devicebound/" + lock.substr(1, lock.size() - 2) + version, settle)
            .status,
        204);
    operations("complete", "");
}

TEST_F(SdkSession, TheRestApiTakesEveryVersionOfItsTimeAndNoneThatIsNoDate) {
    start();
    for (const auto* const version :
         {"2016-02-03", "2016-11-14", "2017-06-30", "2018-04-01", "2018-06-30", "2018-08-30-preview",
          "2019-07-01-preview", "2019-10-01", "2020-03-13", "2020-05-31-preview", "2020-09-30", "2021-04-12"})
        EXPECT_EQ(service("GET", std::string("/devices/?top=1&api-version=") + version).status, 200)
            << version;
    for (const auto* const wrong : {"", "today", "2021-4-12", "2015-01-01"})
        EXPECT_EQ(service("GET", std::string("/devices?api-version=") + wrong).status, 400) << wrong;
}

}  // namespace
}  // namespace fieldwatch::hub
