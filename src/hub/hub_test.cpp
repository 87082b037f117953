// The hub over real TLS, with a real registry and a journal in memory: what devices are told, and what is
// written down.
#include "hub/hub_fixture_test.hpp"

namespace fieldwatch::hub {
namespace {

TEST_F(HubTest, ADeviceConnectsAndTheLogTellsWhoAndHow) {
    start();
    auto client = connected();
    EXPECT_TRUE(server_->devices().connected({{"testhub"}, {"d1"}, {}}));
    EXPECT_EQ(server_->devices().connected_count(), 1u);
    const auto log = operations("deviceConnect", "").front();
    EXPECT_EQ(log["category"], "Connections");
    EXPECT_EQ(log["level"], "Information");
    EXPECT_EQ(log["properties"]["deviceId"], "d1");
    EXPECT_EQ(log["properties"]["protocol"], "Mqtt");
    EXPECT_EQ(log["properties"]["sdkVersion"], "test/1");
    EXPECT_EQ(log["properties"]["maskedIpAddress"], "127.0.0.XXX");
    EXPECT_EQ(nlohmann::json::parse(log["properties"]["authType"].get<std::string>())["scope"], "device");
    client.disconnect();
    operations("deviceDisconnect", "");
    EXPECT_EQ(server_->devices().connected_count(), 0u);
}

TEST_F(HubTest, BadCredentialsAreRefusedWithFiveAndTheirReason) {
    start();
    const auto refused = [&](As as) {
        auto client = raw();
        EXPECT_EQ(connect(client, std::move(as)), mqtt::ConnackCode::NotAuthorized);
        EXPECT_FALSE(client.receive());
    };
    refused({.password = token("d1", "QUJD")});
    EXPECT_EQ(operations("deviceConnect", "401003").front()["properties"]["authFailureReason"],
              "SasBadSignature");
    refused({.password = token("d1", kKey, -3'600)});
    EXPECT_EQ(operations("deviceConnect", "401003").back()["properties"]["authFailureReason"], "SasExpired");
    refused({.password = token("d10")});                              // another device's scope
    refused({.password = token("d1/azureiotsecurity")});              // a module's token opens no device
    refused({.id = "d1/azureiotsecurity", .password = token("d1")});  // nor the other way round
    refused({.password = "nonsense"});
    EXPECT_EQ(operations("deviceConnect", "401003").back()["properties"]["authFailureReason"],
              "SasMalformed");
    refused({.id = "off"});
    EXPECT_EQ(operations("deviceConnect", "403012").front()["properties"]["authFailureReason"],
              "DeviceDisabled");
}

TEST_F(HubTest, BothKeysOpenADevice) {
    start();
    connected({.password = token("d1", kOtherKey)}).disconnect();
}

TEST_F(HubTest, StrangersAreCountedNotWrittenDown) {
    start();
    for (int i = 0; i < 20; ++i) {
        auto client = raw();
        EXPECT_EQ(connect(client, {.id = "stranger" + std::to_string(i)}), mqtt::ConnackCode::NotAuthorized);
    }
    server_->stop();
    const auto log = operations("deviceConnect", "404001");
    ASSERT_EQ(log.size(), 1u);
    EXPECT_EQ(log[0]["properties"]["messageCount"], 20);
    EXPECT_EQ(log[0]["properties"]["authFailureReason"], "UnknownDevice");
    EXPECT_FALSE(log[0]["properties"].contains("deviceId"));
}

TEST_F(HubTest, AHubThatMasksAddressesDoesSoInCondensedRecordsToo) {
    auto hub = *registry_->hub({"testhub"});
    hub.mask_addresses = true;
    ASSERT_TRUE(registry_->update_hub(hub, std::nullopt));
    start();
    auto stranger = raw();
    EXPECT_EQ(connect(stranger, {.id = "stranger"}), mqtt::ConnackCode::NotAuthorized);
    auto client = connected();
    client.publish("devices/d1/messages/events/", "12345", 1);
    EXPECT_EQ(client.puback(), 1);
    client.disconnect();
    server_->stop();
    for (const auto& one : {operations("deviceConnect", "404001"), operations("ingress", "")}) {
        EXPECT_FALSE(one.front()["properties"].contains("ipAddress")) << one.front();
        EXPECT_EQ(one.front()["properties"]["maskedIpAddress"], "127.0.0.XXX");
    }
}

TEST_F(HubTest, AnotherClientIdThanTheUserNamesIsRefusedWithTwo) {
    start();
    auto client = raw();
    EXPECT_EQ(connect(client, {.user = "hub.local/other/?api-version=2021-04-12"}),
              mqtt::ConnackCode::IdentifierRejected);
}

TEST_F(HubTest, APublishIsAcknowledgedOnlyWhenDurable) {
    start();
    auto client = connected();
    journal_.manual = true;
    for (std::uint16_t id = 1; id <= 100; ++id)
        client.publish("devices/d1/messages/events/", "m", id);
    while (journal_.waiting() < 100)
        std::this_thread::sleep_for(1ms);
    EXPECT_EQ(metrics_.counter("fieldwatch_hub_acknowledged_total", "").value(), 0u);
    journal_.manual = false;
    journal_.commit();
    for (std::uint16_t id = 1; id <= 100; ++id)
        ASSERT_EQ(client.puback(), id);
}

TEST_F(HubTest, AFullJournalStopsReadingAndLosesNothing) {
    start({.in_flight_max = 64});
    auto client = connected();
    journal_.capacity = 10;
    journal_.manual = true;
    constexpr int kMessages = 500;
    std::thread committing([&] {
        while (
            journal_.wait(0, [](const auto& record) { return record.kind == model::RecordKind::Telemetry; })
                .size() < kMessages) {
            journal_.commit();
            std::this_thread::sleep_for(1ms);
        }
        journal_.commit();
    });
    Bytes out;
    for (std::uint16_t id = 1; id <= kMessages; ++id) {
        mqtt::encode_publish(
            out,
            {.topic = "devices/d1/messages/events", .payload = as_bytes("m"), .packet_id = id, .qos = 1});
    }
    client.send(out);
    for (std::uint16_t id = 1; id <= kMessages; ++id)
        ASSERT_EQ(client.puback(), id);
    committing.join();
    EXPECT_GT(metrics_.counter("fieldwatch_hub_stalls_total", "").value(), 0u);
    journal_.manual = false;
    journal_.commit();
}

TEST_F(HubTest, AMarkedMessageGoesToTheSecurityStreamWithTheHubsStamps) {
    start();
    auto client = connected({.id = "d1/azureiotsecurity"});
    client.publish(
        "devices/d1/modules/azureiotsecurity/messages/events/"
        "%24.ifid=urn%3Aazureiot%3ASecurity%3ASecurityAgent%3a1&$.cdid=other&iothub-connection-device-id="
        "other&k%201=v%261",
        R"({"a":1})", 5);
    EXPECT_EQ(client.puback(), 5);
    const auto entries = journal_.wait(
        1, [](const auto& record) { return record.kind == model::RecordKind::SecurityMessage; });
    ASSERT_EQ(entries.size(), 1u);
    EXPECT_EQ(entries[0].stream, journal::Stream::Security);
    const auto record = *model::decode_record(entries[0].bytes);
    EXPECT_EQ(record.device, "d1");
    EXPECT_EQ(record.module, "azureiotsecurity");
    EXPECT_EQ(record.body, R"({"a":1})");
    std::multimap<std::string_view, std::string_view> properties(record.properties.begin(),
                                                                 record.properties.end());
    EXPECT_EQ(properties.count("iothub-connection-device-id"), 1u);
    EXPECT_EQ(properties.find("iothub-connection-device-id")->second, "d1");
    EXPECT_EQ(properties.find("iothub-connection-auth-generation-id")->second,
              registry_->get(identity("d1", "azureiotsecurity"))->generation_id);
    EXPECT_EQ(properties.find("iothub-message-source")->second, "Telemetry");
    EXPECT_EQ(properties.find("dt-dataschema")->second, "dtmi:com:example:T;1");
    EXPECT_EQ(properties.find("k 1")->second, "v&1");
}

TEST_F(HubTest, TelemetryOfAMinuteIsOneOperation) {
    start();
    auto client = connected();
    for (std::uint16_t id = 1; id <= 3; ++id) {
        client.publish("devices/d1/messages/events/", "12345", id);
        EXPECT_EQ(client.puback(), id);
    }
    client.publish("devices/d1/messages/events/", "qos0");
    client.disconnect();
    std::int64_t messages = 0;
    for (const auto& one : operations("ingress", ""))
        messages += one["properties"]["messageCount"].get<std::int64_t>();
    EXPECT_EQ(messages, 4);
    EXPECT_EQ(
        journal_.wait(4, [](const auto& record) { return record.kind == model::RecordKind::Telemetry; })[0]
            .stream,
        journal::Stream::Telemetry);
}

TEST_F(HubTest, ANewerConnectionReplacesTheOlder) {
    start();
    auto older = connected();
    auto newer = connected();
    EXPECT_FALSE(older.receive());
    operations("deviceDisconnect", "400027");
    newer.publish("devices/d1/messages/events/", "still here", 9);
    EXPECT_EQ(newer.puback(), 9);
    EXPECT_EQ(server_->devices().connected_count(), 1u);
}

TEST_F(HubTest, WhatIsNotAllowedClosesTheConnection) {
    start();
    const auto closes = [&](std::string_view topic, std::string_view body, std::uint8_t qos,
                            std::string_view result) {
        auto client = connected();
        client.publish(topic, body, 1, qos);
        EXPECT_FALSE(client.receive()) << topic;
        operations("ingress", result);
    };
    closes("devices/d2/messages/events/", "m", 1, "401002");
    closes("any/topic", "m", 1, "400003");
    closes("devices/d1/messages/events/", "m", 2, "400006");
    closes("devices/d1/messages/events/", std::string(262'145, 'x'), 1, "413001");
    auto exact = connected();
    exact.publish("devices/d1/messages/events/", std::string(262'144, 'x'), 7);
    EXPECT_EQ(exact.puback(), 7);
}

TEST_F(HubTest, TwinsAreReadPatchedAndPushed) {
    start();
    auto client = connected();
    client.subscribe("$iothub/twin/res/#");
    client.subscribe("$iothub/twin/PATCH/properties/desired/#");
    const auto response = [&](std::string_view topic, std::string_view body, std::uint16_t id = 0) {
        client.publish(topic, body, id);
        if (id != 0) {
            EXPECT_EQ(client.puback(), id);  // first the acknowledgement, then the answer
        }
        const auto packet = client.receive();
        const auto publish = *mqtt::decode_publish(packet->frame());
        return std::pair(std::string(publish.topic), std::string(as_text(publish.payload)));
    };
    const auto get = response("$iothub/twin/GET/?$rid=3", " ");
    EXPECT_EQ(get.first, "$iothub/twin/res/200/?$rid=3");
    EXPECT_EQ(get.second, R"({"desired":{"$version":1},"reported":{"$version":1}})");
    const auto patch = response("$iothub/twin/PATCH/properties/reported/?$rid=4", R"({"a":1})", 11);
    EXPECT_EQ(patch.first, "$iothub/twin/res/204/?$rid=4&$version=2");
    EXPECT_EQ(patch.second, "");
    EXPECT_EQ(response("$iothub/twin/GET/?$rid=5", "").second,
              R"({"desired":{"$version":1},"reported":{"a":1,"$version":2}})");
    const auto stale = response("$iothub/twin/PATCH/properties/reported/?$rid=6&$version=1", "{}");
    EXPECT_EQ(stale.first, "$iothub/twin/res/412/?$rid=6");
    EXPECT_EQ(nlohmann::json::parse(stale.second)["errorCode"], 412001);
    EXPECT_EQ(response("$iothub/twin/PATCH/properties/reported/?$rid=7", "{").first,
              "$iothub/twin/res/400/?$rid=7");
    server_->devices().desired_changed({{"testhub"}, {"d1"}, {}},
                                       {.version = 8, .patch_json = R"({"b":null})"});
    const auto pushed = client.receive();
    const auto publish = *mqtt::decode_publish(pushed->frame());
    EXPECT_EQ(publish.topic, "$iothub/twin/PATCH/properties/desired/?$version=8");
    EXPECT_EQ(as_text(publish.payload), R"({"b":null,"$version":8})");
    operations("subscribe", "");
    operations("read", "");
    operations("update", "412001");
}

TEST_F(HubTest, DisablingADeviceClosesItAndItsModules) {
    start();
    auto device = connected();
    auto module = connected({.id = "d1/azureiotsecurity"});
    auto entry = *registry_->get({{"testhub"}, {"d1"}, {}});
    entry.enabled = false;
    static_cast<void>(registry_->update(entry, std::nullopt));
    server_->devices().disconnect(entry.identity);
    EXPECT_FALSE(device.receive());
    EXPECT_FALSE(module.receive());
    EXPECT_EQ(operations("deviceDisconnect", "403012").size(), 2u);
}

TEST_F(HubTest, ALostConnectionSendsTheWillAndIsLogged) {
    start();
    {
        auto client = connected({.will = true});
    }
    operations("deviceDisconnect", "404104");
    const auto wills =
        journal_.wait(1, [](const auto& record) { return record.kind == model::RecordKind::Telemetry; });
    ASSERT_EQ(wills.size(), 1u);
    const auto record = *model::decode_record(wills[0].bytes);
    EXPECT_EQ(record.body, "gone");
    EXPECT_EQ(record.properties.back().first, "iothub-MessageType");
}

TEST_F(HubTest, AConnectionThatSaysNothingIsClosed) {
    start({.connect_timeout = 1s});
    auto silent = raw();
    EXPECT_FALSE(silent.receive());
    auto idle = connected({.keep_alive = 1});
    EXPECT_FALSE(idle.receive());
    operations("deviceDisconnect", "404104");
}

TEST_F(HubTest, ALiveConnectionEndsSomeTimeAfterItsToken) {
    start({.token_grace = 0s});
    auto client = connected({.password = token("d1", kKey, 1)});
    EXPECT_FALSE(client.receive());
    operations("deviceDisconnect", "401003");
    operations("deviceDisconnect", "404104");
}

TEST_F(HubTest, ADeviceOverItsRateIsReadLaterNotRefused) {
    start({.publishes_per_second = 40, .publishes_burst = 10});
    auto client = connected();
    const auto begin = clock_.monotonic();
    for (std::uint16_t id = 1; id <= 30; ++id)
        client.publish("devices/d1/messages/events/", "m", id);
    for (std::uint16_t id = 1; id <= 30; ++id)
        ASSERT_EQ(client.puback(), id);
    EXPECT_GT(clock_.monotonic() - begin, 300ms);
    EXPECT_EQ(operations("ingress", "429001")[0]["properties"]["deviceId"], "d1");
}

HubRates with(Throttle what, Rate rate) {
    auto rates = rates_of_units(1);
    rates[static_cast<std::size_t>(what)] = rate;
    return rates;
}

TEST_F(HubTest, ConnectsAboveTheHubsRateAreToldToComeBackAndAreInTheLog) {
    start({.rates = with(Throttle::Connects, {.per_second = 0.01, .burst = 1})});
    auto first = connected();
    auto second = raw();
    EXPECT_EQ(connect(second, {.id = "d1/azureiotsecurity"}), mqtt::ConnackCode::ServerUnavailable);
    auto third = raw();
    EXPECT_EQ(connect(third, {.id = "d1/azureiotsecurity"}), mqtt::ConnackCode::ServerUnavailable);
    EXPECT_EQ(operations("deviceConnect", "429001").size(), 1u) << "the second waits for the minute's record";
    server_->stop();
    EXPECT_EQ(operations("deviceConnect", "429001").size(), 2u);
}

TEST_F(HubTest, MessagesAboveTheHubsRateAreReadLater) {
    start({.rates = with(Throttle::Messages, {.per_second = 40, .burst = 2})});
    auto client = connected();
    const auto begin = clock_.monotonic();
    for (std::uint16_t id = 1; id <= 20; ++id)
        client.publish("devices/d1/messages/events/", "m", id);
    for (std::uint16_t id = 1; id <= 20; ++id)
        ASSERT_EQ(client.puback(), id);
    EXPECT_GT(clock_.monotonic() - begin, 300ms);
    operations("ingress", "429001");
}

TEST_F(HubTest, TwinReadsAboveTheHubsRateAreAnswered429) {
    start({.rates = with(Throttle::TwinReads, {.per_second = 0.01, .burst = 1})});
    auto client = connected();
    client.subscribe("$iothub/twin/res/#");
    for (const auto* const status : {"200", "429"}) {
        client.publish("$iothub/twin/GET/?$rid=1", " ");
        const auto answer = client.receive();
        ASSERT_TRUE(answer);
        EXPECT_EQ(mqtt::decode_publish(answer->frame())->topic,
                  std::string("$iothub/twin/res/") + status + "/?$rid=1");
    }
    operations("read", "429001");
}

TEST_F(HubTest, WhoDoesNotReadWhatItIsSentIsCutOff) {
    start();
    const std::string large(3'000, 'x');
    ASSERT_TRUE(registry_->patch_desired(
        identity("d1"), R"({"a":")" + large + R"(","b":")" + large + R"(","c":")" + large + R"("})"));
    auto client = connected();
    client.subscribe("$iothub/twin/res/#");
    Bytes asks;
    mqtt::encode_publish(asks, {.topic = "$iothub/twin/GET/?$rid=1", .payload = as_bytes(" ")});
    const auto deadline = clock_.monotonic() + 60s;
    while (metrics_.prometheus_text().find("fieldwatch_hub_slow_consumers_total 1") == std::string::npos) {
        ASSERT_LT(clock_.monotonic(), deadline) << "what waits for it has no bound";
        client.send_anyhow(asks);
    }
    EXPECT_EQ(operations("deviceDisconnect", "404104")[0]["resultDescription"],
              "the connection was closed: it does not read what it is sent");
}

TEST_F(HubTest, AnAddressThatFailsTooOftenIsNotLetInForTheMinute) {
    start({.failures_per_minute = 2});
    for (int i = 0; i < 3; ++i) {
        auto client = raw();
        EXPECT_EQ(connect(client, {.password = token("d1", kOtherKey, -3'600)}),
                  mqtt::ConnackCode::NotAuthorized);
    }
    auto tls = net::TlsClient::connect(
        {.host = "localhost", .port = server_->mqtt_port(), .ca_file = (directory_ / "ca.pem").string()},
        kWait);
    EXPECT_FALSE(tls) << "it was let in";
    EXPECT_NE(metrics_.prometheus_text().find("fieldwatch_hub_addresses_refused_total 1"), std::string::npos);
}

}  // namespace
}  // namespace fieldwatch::hub
