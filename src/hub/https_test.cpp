// The hub over HTTPS and WebSocket, by hand over real TLS: devices, services, and what is refused.
#include "hub/https_fixture_test.hpp"
#include "net/websocket_frame.hpp"

namespace fieldwatch::hub {
namespace {

TEST_F(HttpsTest, TelemetryIsAnsweredWhenItIsDurable) {
    start();
    journal_.manual = true;
    std::thread commits([&] {
        while (journal_.waiting() == 0)
            std::this_thread::sleep_for(1ms);
        EXPECT_EQ(metrics_.counter("fieldwatch_hub_messages_total", "").value(), 1u);
        journal_.manual = false;
        journal_.commit();
    });
    const auto sent =
        device("POST", "/devices/d1/messages/events",
               {{"IoTHub-MessageId", "m1"}, {"iothub-app-K", "v"}, {"iothub-to", "x"}}, "hello");
    commits.join();
    EXPECT_EQ(sent.status, 204);
    const auto record = telemetry(1).at(0);
    EXPECT_EQ(record.body, "hello");
    std::map<std::string, std::string> properties(record.properties.begin(), record.properties.end());
    EXPECT_EQ(properties["message-id"], "m1");
    EXPECT_EQ(properties["k"], "v");
    EXPECT_EQ(properties["iothub-connection-device-id"], "d1");
    EXPECT_EQ(device("POST", "/devices/d1/messages/events",
                     {{"iothub-interface-id", "urn:azureiot:Security:SecurityAgent:1"}}, "{}")
                  .status,
              204);
    EXPECT_EQ(
        journal_.wait(1, [](const auto& r) { return r.kind == model::RecordKind::SecurityMessage; }).size(),
        1u);
    EXPECT_EQ(device("POST", "/devices/d1/messages/events", {}, std::string(262'145, 'x')).status, 413);
}

TEST_F(HttpsTest, ABatchIsManyMessages) {
    start();
    const Headers batch{{"Content-Type", "application/vnd.microsoft.iothub.json"}};
    EXPECT_EQ(
        device("POST", "/devices/d1/messages/events", batch,
               R"([{"body":"b25l","properties":{"iothub-app-n":"1"}},{"body":"two","base64Encoded":false}])")
            .status,
        204);
    const auto records = telemetry(2);
    ASSERT_EQ(records.size(), 2u);
    EXPECT_EQ(records[0].body, "one");
    EXPECT_EQ(records[0].properties.back(), std::pair(std::string("n"), std::string("1")));
    EXPECT_EQ(records[1].body, "two");
    EXPECT_EQ(device("POST", "/devices/d1/messages/events", batch, "[{\"body\":\"*\"}]").status, 400);
}

TEST_F(HttpsTest, WhoMayNotIsToldNothingAndLogged) {
    start();
    EXPECT_EQ(ask("POST", "/devices/d1/messages/events", {}).status, 401);
    EXPECT_EQ(ask("POST", "/devices/d1/messages/events", {{"Authorization", token("d1", "QUJD")}}).status,
              401);
    EXPECT_EQ(operations("deviceConnect", "401003").back()["properties"]["protocol"], "Https");
    EXPECT_EQ(device("POST", "/devices/d1/modules/azureiotsecurity/messages/events").status, 401);
    EXPECT_EQ(ask("POST", "/devices/off/messages/events", {{"Authorization", token("off")}}).status, 401);
    operations("deviceConnect", "403012");
    EXPECT_EQ(device("GET", "/devices/d1?api-version=x").status, 400);
    EXPECT_EQ(device("GET", "/devices/d1").status, 401);  // a device's token is no service's
    EXPECT_EQ(service("GET", "/devices/d1", nullptr, {}, "service").status, 401);
    EXPECT_EQ(service("PUT", "/devices/x", {{"deviceId", "x"}}, {}, "registryRead").status, 401);
    EXPECT_EQ(service("GET", "/twins/d1", nullptr, {}, "registryReadWrite").status, 401);
    EXPECT_EQ(service("GET", "/devices/d1", nullptr, {}, "registryRead").status, 200);
    EXPECT_EQ(service("GET", "/twins/d1", nullptr, {}, "service").status, 200);
    EXPECT_EQ(ask("GET", "/devices/d1", {{"Authorization", policy_token("iothubowner", -3'600)}}).status,
              401);
}

TEST_F(HttpsTest, MessagesToDevicesAreReceivedAndSettled) {
    start();
    EXPECT_EQ(device("GET", "/devices/d1/messages/devicebound").status, 204);
    const Headers to{{"iothub-to", "/devices/d1/messages/devicebound"},
                     {"iothub-ack", "full"},
                     {"iothub-messageid", "m1"},
                     {"iothub-app-k", "v"}};
    auto with_token = to;
    with_token.emplace_back("Authorization", policy_token("service"));
    EXPECT_EQ(ask("POST", "/messages/deviceBound", with_token, "go").status, 204);
    const auto got = device("GET", "/devices/d1/messages/devicebound");
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.body, "go");
    EXPECT_EQ(got.headers.at("iothub-messageid"), "m1");
    EXPECT_EQ(got.headers.at("iothub-app-k"), "v");
    EXPECT_EQ(got.headers.at("iothub-deliverycount"), "0");
    auto lock = got.headers.at("etag");
    lock = lock.substr(1, lock.size() - 2);
    EXPECT_EQ(device("GET", "/devices/d1/messages/devicebound").status, 204);
    EXPECT_EQ(device("POST", "/devices/d1/messages/devicebound/" + lock + "/abandon").status, 204);
    EXPECT_EQ(device("DELETE", "/devices/d1/messages/devicebound/" + lock).status, 412);
    const auto again = device("GET", "/devices/d1/messages/devicebound");
    EXPECT_EQ(again.headers.at("iothub-deliverycount"), "1");
    lock = again.headers.at("etag");
    lock = lock.substr(1, lock.size() - 2);
    EXPECT_EQ(device("DELETE", "/devices/d1/messages/devicebound/" + lock + "?reject").status, 204);
    const auto feedback = service("GET", "/messages/serviceBound/feedback");
    EXPECT_EQ(feedback.json()[0]["statusCode"], "Rejected");
    auto held = feedback.headers.at("etag");
    EXPECT_EQ(service("GET", "/messages/serviceBound/feedback").status, 204);
    EXPECT_EQ(service("DELETE",
                      "/messages/serviceBound/feedback/" + percent_encode(held.substr(1, held.size() - 2)))
                  .status,
              204);
    EXPECT_EQ(ask("POST", "/messages/deviceBound", with_token, "x").status, 204);
    EXPECT_EQ(service("DELETE", "/devices/d1/commands").json(),
              Json::parse(R"({"totalMessagesPurged":1,"deviceId":"d1","moduleId":null})"));
}

TEST_F(HttpsTest, IdentitiesAreMadeChangedAndRemoved) {
    start();
    const Json wanted{
        {"deviceId", "n1"},
        {"status", "enabled"},
        {"authentication", {{"type", "sas"}, {"symmetricKey", {{"primaryKey", ""}, {"secondaryKey", ""}}}}}};
    const auto made = service("PUT", "/devices/n1", wanted);
    EXPECT_EQ(made.status, 200);
    EXPECT_EQ(
        from_base64(made.json()["authentication"]["symmetricKey"]["primaryKey"].get<std::string>())->size(),
        32u);
    EXPECT_EQ(service("PUT", "/devices/n1", wanted).status, 409);
    EXPECT_EQ(service("PUT", "/devices/zz", {{"deviceId", "other"}}).status, 400);
    const auto unknown = service("GET", "/devices/nobody");
    EXPECT_EQ(unknown.status, 404);
    EXPECT_TRUE(unknown.json()["Message"].get<std::string>().starts_with("ErrorCode:DeviceNotFound;"));
    EXPECT_EQ(unknown.headers.at("iothub-errorcode"), "DeviceNotFound");
    auto changed = wanted;
    changed["status"] = "disabled";
    EXPECT_EQ(service("PUT", "/devices/n1", changed, {{"If-Match", "\"bm9wZQ==\""}}).status, 412);
    const auto updated = service("PUT", "/devices/n1", changed, {{"If-Match", made.headers.at("etag")}});
    EXPECT_EQ(updated.status, 200);
    EXPECT_EQ(updated.json()["authentication"],
              made.json()["authentication"]);  // empty keys keep the old ones
    EXPECT_EQ(updated.json()["status"], "disabled");
    EXPECT_EQ(updated.json()["generationId"], made.json()["generationId"]);
    EXPECT_EQ(service("GET", "/devices/?top=2").json().size(), 2u);
    EXPECT_EQ(service("PUT", "/devices/n1/modules/m", {{"deviceId", "n1"}, {"moduleId", "m"}}).status, 200);
    EXPECT_EQ(service("GET", "/devices/n1/modules").json()[0]["moduleId"], "m");
    EXPECT_EQ(service("GET", "/statistics/devices").json(),
              Json::parse(R"({"totalDeviceCount":3,"enabledDeviceCount":1,"disabledDeviceCount":2})"));
    EXPECT_EQ(service("DELETE", "/devices/n1").status, 400);
    EXPECT_EQ(service("DELETE", "/devices/n1", nullptr, {{"If-Match", "*"}}).status, 204);
    EXPECT_EQ(service("GET", "/twins/n1").status, 404);
    operations("create", "409001");
    operations("delete", "");
}

TEST_F(HttpsTest, BulkAppliesWhatIsGoodAndNamesWhatIsNot) {
    start();
    const Json entries = Json::array({{{"id", "b1"}, {"importMode", "create"}, {"tags", {{"a", 1}}}},
                                      {{"id", "d1"}, {"importMode", "create"}},
                                      {{"id", "b1"}, {"importMode", "Update"}, {"status", "disabled"}},
                                      {{"id", "nobody"}, {"importMode", "delete"}}});
    const auto done = service("POST", "/devices", entries);
    EXPECT_EQ(done.status, 400);
    EXPECT_FALSE(done.json()["isSuccessful"].get<bool>());
    EXPECT_EQ(done.json()["errors"].size(), 2u);
    EXPECT_EQ(done.json()["errors"][0]["errorCode"], "DeviceAlreadyExists");
    const auto twin = service("GET", "/twins/b1").json();
    EXPECT_EQ(twin["tags"]["a"], 1);
    EXPECT_EQ(twin["status"], "disabled");
}

TEST_F(HttpsTest, TwinsHaveTagsVersionsAndMetadata) {
    start();
    auto client = connected();
    client.subscribe("$iothub/twin/PATCH/properties/desired/#");
    const auto patched =
        service("PATCH", "/twins/d1", {{"tags", {{"site", "a"}}}, {"properties", {{"desired", {{"k", 1}}}}}},
                {{"If-Match", "\"*\""}});
    EXPECT_EQ(patched.status, 200);
    const auto twin = patched.json();
    EXPECT_EQ(twin["properties"]["desired"]["$version"], 2);
    EXPECT_TRUE(twin["properties"]["desired"]["$metadata"]["k"].contains("$lastUpdated"));
    EXPECT_EQ(twin["connectionState"], "Connected");
    EXPECT_EQ(twin["etag"], "AAAAAAAAAAI=");
    EXPECT_EQ(twin["modelId"], "dtmi:com:example:T;1");
    const auto told = client.receive();
    EXPECT_EQ(as_text(mqtt::decode_publish(told->frame())->payload), R"({"k":1,"$version":2})");
    EXPECT_EQ(
        service("PATCH", "/twins/d1", {{"tags", {{"x", 1}}}}, {{"If-Match", "\"AAAAAAAAAAE=\""}}).status,
        412);
    EXPECT_EQ(service("PUT", "/twins/d1/tags", {{"only", true}}).json()["tags"],
              Json::parse(R"({"only":true})"));
    EXPECT_EQ(service("PUT", "/twins/d1", {{"properties", {{"desired", {{"z", 1}}}}}})
                  .json()["properties"]["desired"]["z"],
              1);
    EXPECT_EQ(service("PATCH", "/twins/d1", {{"properties", {{"desired", {{"bad.name", 1}}}}}}).status, 400);
    operations("replace", "");
    operations("update", "412001");
}

TEST_F(HttpsTest, QueriesArePaged) {
    start();
    for (int i = 0; i < 5; ++i) {
        add("q" + std::to_string(i));
        EXPECT_TRUE(
            registry_->patch_tags(identity("q" + std::to_string(i)), R"({"n":)" + std::to_string(i) + "}"));
    }
    const auto ask_page = [&](const std::string& text, const std::string& continuation) {
        Headers headers{{"x-ms-max-item-count", "2"}};
        if (!continuation.empty()) headers.emplace_back("x-ms-continuation", continuation);
        return service("POST", "/devices/query", {{"query", text}}, headers);
    };
    std::vector<std::string> found;
    std::string continuation;
    int pages = 0;
    do {
        const auto page = ask_page("SELECT * FROM devices WHERE tags.n >= 1", continuation);
        EXPECT_EQ(page.headers.at("x-ms-item-type"), "twin");
        for (const auto& row : page.json())
            found.push_back(row["deviceId"]);
        continuation = page.headers.contains("x-ms-continuation") ? page.headers.at("x-ms-continuation") : "";
        ++pages;
    } while (!continuation.empty());
    EXPECT_EQ(found, (std::vector<std::string>{"q1", "q2", "q3", "q4"}));
    EXPECT_EQ(pages, 2);
    EXPECT_EQ(ask_page("SELECT COUNT() AS n FROM devices WHERE IS_DEFINED(tags.n)", "").body, R"([{"n":5}])");
    EXPECT_EQ(ask_page("SELECT moduleId FROM devices.modules", "").body,
              R"([{"moduleId":"azureiotsecurity"}])");
    EXPECT_EQ(ask_page("SELEKT", "").status, 400);
    operations("query", "400004");
}

TEST_F(HttpsTest, MethodsReachTheDeviceAndFailByName) {
    start();
    const auto offline = service("POST", "/twins/d1/methods", {{"methodName", "m"}});
    EXPECT_EQ(offline.status, 404);
    EXPECT_NE(offline.body.find("404103"), std::string::npos);
    EXPECT_EQ(service("POST", "/twins/nobody/methods", {{"methodName", "m"}}).headers.at("iothub-errorcode"),
              "DeviceNotFound");
    EXPECT_EQ(service("POST", "/twins/d1/methods", Json::object()).status, 400);
    auto client = connected();
    client.subscribe("$iothub/methods/POST/#");
    std::thread answers([&] {
        const auto packet = client.receive();
        const std::string topic(mqtt::decode_publish(packet->frame())->topic);
        client.publish("$iothub/methods/res/201/" + topic.substr(topic.find('?')), R"({"done":[1]})");
    });
    const auto answer =
        service("POST", "/twins/d1/methods", {{"methodName", "reboot"}, {"payload", {{"in", 5}}}});
    answers.join();
    EXPECT_EQ(answer.body, R"({"status":201,"payload":{"done":[1]}})");
    EXPECT_EQ(
        service("POST", "/twins/d1/methods", {{"methodName", "m"}, {"responseTimeoutInSeconds", 1}}).status,
        504);
}

TEST_F(HttpsTest, FilesArePutWholeOrInBlocksAndAnnounced) {
    start();
    const auto begun = device("POST", "/devices/d1/files", {}, R"({"blobName":"logs/a b.txt"})").json();
    EXPECT_EQ(begun["hostName"], "hub.local");
    const auto url = "/" + begun["containerName"].get<std::string>() + "/testhub/d1/logs/a%20b.txt" +
                     begun["sasToken"].get<std::string>();
    EXPECT_EQ(ask("PUT", url + "&comp=block&blockid=MQ%3D%3D", {}, "hello ").status, 201);
    EXPECT_EQ(ask("PUT", url + "&comp=block&blockid=Mg%3D%3D", {}, "world").status, 201);
    EXPECT_EQ(ask("PUT", url + "&comp=blocklist", {},
                  "<?xml version=\"1.0\"?><BlockList><Latest>MQ==</Latest><Latest>Mg==</Latest></BlockList>")
                  .status,
              201);
    EXPECT_EQ(ask("GET", url, {}).body, "hello world");
    EXPECT_EQ(
        ask("PUT", "/fieldwatch-uploads/testhub/d1/other" + begun["sasToken"].get<std::string>(), {}, "x")
            .status,
        403);
    EXPECT_EQ(
        ask("PUT", url + "&comp=blocklist", {}, "<BlockList><Latest>bm9uZQ==</Latest></BlockList>").status,
        400);
    const Json done{{"correlationId", begun["correlationId"]}, {"isSuccess", true}, {"statusCode", 200}};
    EXPECT_EQ(device("POST", "/devices/d1/files/notifications", {}, done.dump()).status, 204);
    EXPECT_EQ(device("POST", "/devices/d1/files/notifications", {}, done.dump()).status, 400);
    const auto notice = service("GET", "/messages/serviceBound/filenotifications").json();
    EXPECT_EQ(notice["blobName"], "d1/logs/a b.txt");
    EXPECT_EQ(notice["blobSizeInBytes"], 11);
    operations("initiate", "");
    EXPECT_EQ(operations("complete", "").front()["category"], "FileUploadOperations");
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(device("POST", "/devices/d1/files", {}, R"({"blobName":"x"})").status, 200);
    EXPECT_EQ(device("POST", "/devices/d1/files", {}, R"({"blobName":"x"})").status, 403);
}

TEST_F(HttpsTest, JobsAndConfigurationsChangeManyTwins) {
    start();
    EXPECT_TRUE(registry_->patch_tags(identity("d1"), R"({"n":1})"));
    const auto job = service("PUT", "/jobs/v2/j1",
                             {{"jobId", "j1"},
                              {"type", "scheduleUpdateTwin"},
                              {"queryCondition", "tags.n = 1"},
                              {"updateTwin", {{"etag", "*"}, {"properties", {{"desired", {{"j", 1}}}}}}}});
    EXPECT_EQ(job.json()["status"], "queued");
    EXPECT_EQ(service("PUT", "/jobs/v2/j1", {{"type", "scheduleUpdateTwin"}, {"updateTwin", Json::object()}})
                  .status,
              409);
    EXPECT_EQ(service("PUT", "/configurations/c1",
                      {{"id", "c1"},
                       {"targetCondition", "tags.n = 1"},
                       {"priority", 2},
                       {"content", {{"deviceContent", {{"properties.desired.a.b", 7}}}}}})
                  .status,
              200);
    EXPECT_EQ(service("PUT", "/configurations/c1", {{"id", "c1"}}).status, 409);
    Json state = Json::object(), twin = Json::object();
    for (int i = 0; i < 100 && (state.value("status", "") != "completed" || !twin.contains("a")); ++i) {
        std::this_thread::sleep_for(100ms);
        state = service("GET", "/jobs/v2/j1").json();
        twin = service("GET", "/twins/d1").json()["properties"]["desired"];
    }
    EXPECT_EQ(state["deviceJobStatistics"]["succeededCount"], 1);
    EXPECT_EQ(twin["j"], 1);
    EXPECT_EQ(twin["a"]["b"], 7);
    for (const auto* text :
         {"SELECT * FROM devices.jobs", "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'j1'"}) {
        const auto rows = service("POST", "/devices/query", {{"query", text}});
        EXPECT_EQ(rows.json().size(), 1u) << text;
        EXPECT_EQ(rows.headers.at("x-ms-item-type"), "deviceJob");
    }
    EXPECT_EQ(service("GET", "/jobs/v2/query?jobStatus=completed").json().size(), 1u);
    EXPECT_EQ(service("GET", "/configurations/nothing").headers.at("iothub-errorcode"),
              "ConfigurationNotFound");
    EXPECT_EQ(service("DELETE", "/configurations/c1").status, 204);
    operations("jobCompleted", "");
    const auto made = operations("CreateJob", "")[0]["properties"];
    EXPECT_EQ(made["jobId"], "j1");
    EXPECT_EQ(made["jobType"], "scheduleUpdateTwin");
    EXPECT_EQ(made["filter"], "tags.n = 1");
    EXPECT_EQ(made["sharedAccessPolicy"], "iothubowner") << "who made the job";
    EXPECT_EQ(operations("CreateJob", "409001").size(), 1u);
    EXPECT_EQ(service("POST", "/jobs/v2/nothing/cancel", Json::object()).status, 404);
    operations("CancelJob", "404305");
    operations("ReadManyJobs", "");
}

TEST_F(HttpsTest, MqttComesOverWebSocketToo) {
    start();
    auto client = web();
    const std::string upgrade =
        "GET /$iothub/websocket?iothub-no-client-cert=true HTTP/1.1\r\nHost: hub.local\r\nUpgrade: "
        "websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: "
        "mqtt\r\n\r\n";
    EXPECT_TRUE(client.write_all(as_bytes(upgrade), kWait));
    std::string input;
    const auto read_until = [&](auto enough) {
        std::array<std::byte, 4096> bytes;
        while (!enough()) {
            const auto count = client.read(bytes, kWait);
            if (!count) return false;
            input.append(as_text(ByteView(bytes).first(*count)));
        }
        return true;
    };
    ASSERT_TRUE(read_until([&] { return input.find("\r\n\r\n") != std::string::npos; }));
    EXPECT_NE(input.find("101 "), std::string::npos);
    input.clear();
    Bytes packet, framed;
    const auto password = token("d1");
    mqtt::encode_connect(packet, {.client_id = "d1",
                                  .user_name = "hub.local/d1/?api-version=2021-04-12",
                                  .password = as_bytes(password),
                                  .clean_session = true,
                                  .keep_alive_seconds = 60});
    mqtt::encode_publish(
        packet,
        {.topic = "devices/d1/messages/events/", .payload = as_bytes("ws"), .packet_id = 9, .qos = 1});
    net::encode_websocket_frame(framed, net::WebSocketOpcode::Binary, packet);
    framed[1] |= std::byte{0x80};  // a client masks: with zeros, here
    const auto head = static_cast<std::ptrdiff_t>(packet.size() < 126 ? 2 : 4);
    framed.insert(framed.begin() + head, 4, std::byte{0});
    EXPECT_TRUE(client.write_all(framed, kWait));
    const std::string connack("\x20\x02\x00\x00", 4), puback("\x40\x02\x00\x09", 4);
    EXPECT_TRUE(read_until(
        [&] { return input.find(connack) != std::string::npos && input.find(puback) != std::string::npos; }));
    EXPECT_EQ(operations("deviceConnect", "").back()["properties"]["protocol"], "MqttWs");
}

TEST_F(HttpsTest, OneBadConfigurationKeepsNoOtherFromItsDevices) {
    // One that was stored before they were checked, of higher priority than a good one.
    const Json bad{{"id", "bad"},
                   {"targetCondition", "*"},
                   {"priority", 9},
                   {"content", {{"deviceContent", {{"properties.desired.x", {{"b.c", 1}}}}}}}};
    ASSERT_TRUE(registry_->put_document({{"testhub"}, "configuration", "bad"}, bad.dump(), {}));
    start();
    auto again = bad;
    again["id"] = "again";
    const auto refused = service("PUT", "/configurations/again", again);
    EXPECT_EQ(refused.status, 400) << refused.body;
    const Json good{{"id", "good"},
                    {"targetCondition", "*"},
                    {"priority", 1},
                    {"content", {{"deviceContent", {{"properties.desired.good", 1}}}}}};
    EXPECT_EQ(service("PUT", "/configurations/good", good).json()["systemMetrics"]["results"]["appliedCount"],
              0);
    Json desired;
    for (int i = 0; i < 100 && !desired.contains("good"); ++i) {
        std::this_thread::sleep_for(100ms);
        desired = service("GET", "/twins/d1").json()["properties"]["desired"];
    }
    EXPECT_EQ(desired["good"], 1);
    EXPECT_FALSE(desired.contains("x"));
    const auto counted = service("GET", "/configurations/good").json()["systemMetrics"]["results"];
    EXPECT_EQ(counted["appliedCount"], counted["targetedCount"]);
    EXPECT_EQ(service("GET", "/configurations/bad").json()["systemMetrics"]["results"]["appliedCount"], 0);
}

TEST_F(HttpsTest, AReportedPatchIsCountedWithoutItsBlanks) {
    start();
    auto client = connected();
    client.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", R"({"a":1})" + std::string(40'000, ' '));
    client.publish("$iothub/twin/PATCH/properties/reported/?$rid=2",
                   R"({"b":")" + std::string(4'000, 'x') + "\"}");
    Json reported;
    for (int i = 0; i < 50 && !reported.contains("b"); ++i) {
        std::this_thread::sleep_for(50ms);
        reported = service("GET", "/twins/d1").json()["properties"]["reported"];
    }
    EXPECT_EQ(reported["a"], 1);
    client.disconnect();
}

TEST_F(HttpsTest, NetworkRulesKeepConnectionsOut) {
    auto hub = *registry_->hub({"testhub"});
    hub.configuration_json =
        R"({"ipFilterRules":[{"filterName":"lab","action":"Reject","ipMask":"127.0.0.0/8"}]})";
    ASSERT_TRUE(registry_->update_hub(hub, std::nullopt));
    start();
    EXPECT_EQ(device("POST", "/devices/d1/messages/events", {}, "x").status, 401);
    EXPECT_EQ(service("GET", "/devices/d1").status, 401);
    auto client = raw();
    EXPECT_EQ(connect(client, {}), mqtt::ConnackCode::NotAuthorized);
    EXPECT_EQ(operations("deviceConnect", "401003").back()["properties"]["authFailureReason"], "IpFiltered");
    hub.configuration_json = R"({"ipFilterRules":[{"filterName":"lab","action":"Accept","ipMask":"127.0.0.1"},
                                 {"filterName":"all","action":"Reject","ipMask":"0.0.0.0/0"}],"minTlsVersion":"1.2"})";
    ASSERT_TRUE(registry_->update_hub(hub, std::nullopt));
    EXPECT_EQ(device("POST", "/devices/d1/messages/events", {}, "x").status, 204);
    connected().disconnect();
    const auto accepted = operations("deviceConnect", "").back()["properties"]["authType"].get<std::string>();
    EXPECT_EQ(Json::parse(accepted)["acceptingIpFilterRule"], "lab");
}

}  // namespace
}  // namespace fieldwatch::hub
