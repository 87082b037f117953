// Cloud-to-device messages and direct methods: the queue by itself on a clock of its own, and both over MQTT.
#include <future>

#include "hub/core.hpp"
#include "hub/hub_fixture_test.hpp"

namespace fieldwatch::hub {
namespace {

registry::Command command(const model::Identity& to, std::string body, std::string ack = "",
                          std::string id = "") {
    registry::Command out{.identity = to, .body = std::move(body)};
    if (!id.empty()) out.properties.emplace_back("message-id", id);
    if (!ack.empty()) out.properties.emplace_back("iothub-ack", ack);
    return out;
}

class CommandsTest : public HubTest {
  protected:
    CommandsTest()
        : log_(journal_, 4, time_, metrics_),
          commands_(*registry_, log_, time_, system_random(), metrics_, {}) {}

    std::vector<Delivery> take(std::size_t count = 1, std::uint64_t holder = 0,
                               std::optional<Ticks> lock = std::chrono::seconds(60)) {
        auto taken = commands_.take(
            d1_, {.count_max = count, .holder = holder, .lock_for = lock, .sends_once = true}, by_);
        EXPECT_TRUE(taken) << taken.error().message;
        return taken.value_or(std::vector<Delivery>{});
    }
    std::string send(std::string body, std::string ack = "", std::string id = "") {
        const auto sent = commands_.send(command(d1_, std::move(body), std::move(ack), std::move(id)), by_);
        return sent ? "" : std::string(to_string(sent.error().code));
    }
    nlohmann::json feedback() {
        const auto batch = commands_.take_notices({"testhub"}, registry::NoticeKind::Feedback);
        return *batch ? nlohmann::json::parse((*batch)->body) : nlohmann::json::array();
    }

    ManualClock time_{Timestamp::from_unix_seconds(1'800'000'000)};
    OperationLog log_;
    Commands commands_;
    const model::Identity d1_ = identity("d1");
    const Speaker by_;
};

TEST_F(CommandsTest, ANoticeWhoseReaderIsGoneCanBeReadAgain) {
    ASSERT_TRUE(commands_.add_notice({"testhub"}, registry::NoticeKind::File, R"({"blobName":"a"})"));
    const auto take_file = [&](bool locks) {
        return commands_.take_notices({"testhub"}, registry::NoticeKind::File, locks)->has_value();
    };
    EXPECT_TRUE(take_file(true));
    EXPECT_FALSE(take_file(true));
    time_.advance(std::chrono::seconds(59));
    commands_.sweep();
    EXPECT_FALSE(take_file(true));
    time_.advance(std::chrono::seconds(2));
    commands_.sweep();
    EXPECT_TRUE(take_file(false));
    // Whoever is told of a reader's end holds it until then.
    time_.advance(std::chrono::minutes(30));
    commands_.sweep();
    EXPECT_FALSE(take_file(true));
}

TEST_F(CommandsTest, NoticesThatNobodyReadsGoByNumberAndByAge) {
    Commands commands(*registry_, log_, time_, system_random(), metrics_, {.notices_max = 3});
    const auto told = [&] {
        const auto batch = commands.take_notices({"testhub"}, registry::NoticeKind::Feedback);
        if (!batch || !*batch) return std::string();
        commands.release_notices(**batch);
        return (*batch)->body;
    };
    for (const auto* const body : {"1", "2", "3", "4"}) {
        ASSERT_TRUE(commands.add_notice({"testhub"}, registry::NoticeKind::Feedback, body));
        time_.advance(std::chrono::minutes(1));
    }
    ASSERT_TRUE(commands.add_notice({"testhub"}, registry::NoticeKind::File, "5"));
    EXPECT_EQ(told(), "[2,3,4]") << "the oldest goes, and the other kind has a room of its own";
    commands.sweep();
    time_.advance(std::chrono::minutes(57));
    EXPECT_EQ(told(), "[3,4]") << "an hour old";
    commands.sweep();
    const auto dropped = [&] { return metrics_.counter("fieldwatch_hub_notices_dropped_total", "").value(); };
    EXPECT_EQ(dropped(), 2u);
    EXPECT_EQ(operations("feedbackDropped", "").size(), 2u);
    registry_ = *registry::open((directory_ / "registry.db").string(), clock_, system_random());
    Commands after(*registry_, log_, time_, system_random(), metrics_, {});
    EXPECT_TRUE(after.take_notices({"testhub"}, registry::NoticeKind::Feedback)->has_value());
    time_.advance(std::chrono::hours(2));
    after.sweep();
    EXPECT_FALSE(after.take_notices({"testhub"}, registry::NoticeKind::Feedback)->has_value());
    EXPECT_EQ(dropped(), 5u) << "those of before the restart, and the file";
}

TEST_F(CommandsTest, ANoticeGivenBackTooOftenIsDropped) {
    ASSERT_TRUE(commands_.add_notice({"testhub"}, registry::NoticeKind::File, "{}"));
    for (int i = 0; i < 100; ++i) {
        const auto batch = commands_.take_notices({"testhub"}, registry::NoticeKind::File);
        ASSERT_TRUE(batch && *batch) << i;
        commands_.abandon_notices(**batch);
        commands_.abandon_notices(**batch);  // of a lock that is over: counts for nothing
    }
    EXPECT_FALSE(commands_.take_notices({"testhub"}, registry::NoticeKind::File)->has_value());
    EXPECT_EQ(metrics_.counter("fieldwatch_hub_notices_dropped_total", "").value(), 1u);
}

TEST_F(CommandsTest, GoOutInOrderAndAreGoneWhenComplete) {
    send("one", "positive", "m1");
    send("two");
    const auto first = take();
    ASSERT_EQ(first.size(), 1u);
    EXPECT_EQ(first[0].command.body, "one");
    EXPECT_EQ(first[0].command.property("to"), "/devices/d1/messages/devicebound");
    EXPECT_EQ(take()[0].command.body, "two");  // the first is locked
    EXPECT_TRUE(take().empty());
    EXPECT_TRUE(commands_.complete(d1_, first[0].lock_token, by_));
    EXPECT_EQ(commands_.complete(d1_, first[0].lock_token, by_).error().code, Errc::Conflict);
    EXPECT_EQ(*commands_.count(d1_), 1u);
    const auto told = feedback();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told[0]["originalMessageId"], "m1");
    EXPECT_EQ(told[0]["statusCode"], "Success");
    EXPECT_EQ(told[0]["deviceGenerationId"], registry_->get(d1_)->generation_id);
}

TEST_F(CommandsTest, ALapsedLockReturnsTheMessageWithTheSameDeliveryCount) {
    send("m");
    const auto lost = take();
    time_.advance(std::chrono::seconds(61));
    EXPECT_EQ(commands_.complete(d1_, lost[0].lock_token, by_).error().code, Errc::Conflict);
    const auto again = take();
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(again[0].command.delivery_count, 0u);
    EXPECT_TRUE(again[0].command.sent);
}

TEST_F(CommandsTest, AreDeadAfterTenAbandons) {
    send("m", "negative", "m1");
    for (int i = 0; i < 10; ++i) {
        const auto taken = take();
        ASSERT_EQ(taken.size(), 1u) << i;
        EXPECT_EQ(taken[0].command.delivery_count, static_cast<std::uint32_t>(i));
        EXPECT_TRUE(commands_.abandon(d1_, taken[0].lock_token, by_));
    }
    EXPECT_TRUE(take().empty());
    EXPECT_EQ(feedback()[0]["statusCode"], "DeliveryCountExceeded");
}

TEST_F(CommandsTest, RejectExpiryAndPurgeAreToldToWhoAsked) {
    send("a", "full", "rejected");
    EXPECT_TRUE(commands_.reject(d1_, take()[0].lock_token, by_));
    auto expiring = command(d1_, "b", "negative", "expired");
    expiring.properties.emplace_back("absolute-expiry-time",
                                     to_iso8601(time_.now() + Ticks(std::chrono::seconds(10))));
    EXPECT_TRUE(commands_.send(expiring, by_));
    time_.advance(std::chrono::seconds(11));
    EXPECT_TRUE(take().empty());
    commands_.sweep();
    send("c", "positive", "not told");
    send("d", "negative", "purged");
    EXPECT_EQ(*commands_.purge(d1_, by_), 2u);
    std::map<std::string, std::string> told;
    for (const auto& one : feedback())
        told[one["originalMessageId"]] = one["statusCode"];
    EXPECT_EQ(told, (std::map<std::string, std::string>{
                        {"rejected", "Rejected"}, {"expired", "Expired"}, {"purged", "Purged"}}));
    EXPECT_TRUE(feedback().empty());  // the reader above holds them
}

TEST_F(CommandsTest, BoundsAreKept) {
    for (int i = 0; i < 50; ++i)
        EXPECT_EQ(send("m"), "");
    EXPECT_EQ(send("m"), to_string(Errc::Exhausted));
    EXPECT_EQ(commands_.send(command(identity("nobody"), "m"), by_).error().code, Errc::NotFound);
    EXPECT_EQ(send(std::string(65'537, 'x')), to_string(Errc::TooLarge));
    EXPECT_EQ(send("m", "sometimes"), to_string(Errc::InvalidArgument));
}

TEST_F(CommandsTest, SurviveARestartAndFreeWhatWasHeld) {
    send("kept", "full", "m1");
    take(1, 7, std::nullopt);
    registry_ = *registry::open((directory_ / "registry.db").string(), clock_, system_random());
    Commands after(*registry_, log_, time_, system_random(), metrics_, {});
    const auto taken = after.take(d1_, {}, by_);
    ASSERT_EQ(taken->size(), 1u);
    EXPECT_EQ(taken->front().command.body, "kept");
    EXPECT_EQ(taken->front().command.property("message-id"), "m1");
}

TEST_F(CommandsTest, WhatAHolderHadIsFreeWhenItGoes) {
    send("m");
    EXPECT_EQ(take(1, 7, std::nullopt).size(), 1u);
    EXPECT_TRUE(take(1, 8, std::nullopt).empty());
    commands_.release(7);
    EXPECT_EQ(take(1, 8, std::nullopt).size(), 1u);
}

class CommandsOverMqtt : public HubTest {
  protected:
    mqtt::Publish next(Client& client) {
        packet_ = client.receive();
        EXPECT_TRUE(packet_);
        return packet_ ? *mqtt::decode_publish(packet_->frame()) : mqtt::Publish{};
    }
    void puback(Client& client, std::uint16_t id) {
        Bytes out;
        mqtt::encode_puback(out, id);
        client.send(out);
    }
    void send(std::string body, std::string id) {
        auto message = command(identity("d1"), std::move(body), "full", std::move(id));
        message.properties.emplace_back("k 1", "v&1");
        EXPECT_TRUE(server_->commands().send(message, {}));
    }
    std::optional<Packet> packet_;
};

TEST_F(CommandsOverMqtt, ArriveWithTheirBagAndAreCompletedByPuback) {
    start();
    send("early", "m1");  // before anybody subscribes
    auto client = connected();
    client.subscribe("devices/d1/messages/devicebound/#");
    const auto early = next(client);
    EXPECT_EQ(early.topic,
              "devices/d1/messages/devicebound/%24.to=%2Fdevices%2Fd1%2Fmessages%2Fdevicebound&%24.mid=m1&"
              "iothub-ack=full&k%201=v%261");
    EXPECT_EQ(as_text(early.payload), "early");
    EXPECT_EQ(early.qos, 1);
    EXPECT_FALSE(early.duplicate);
    puback(client, early.packet_id);
    operations("complete", "");
    send("late", "m2");
    EXPECT_EQ(as_text(next(client).payload), "late");
}

TEST_F(CommandsOverMqtt, APersistentSessionIsResentWhatWasNotAcknowledged) {
    start();
    std::uint16_t packet_id = 0;
    {
        auto client = connected();
        client.subscribe("devices/d1/messages/devicebound/#");
        send("m", "m1");
        packet_id = next(client).packet_id;
        client.disconnect();
    }
    auto client = raw();
    EXPECT_EQ(connect(client, {}), mqtt::ConnackCode::Accepted);
    EXPECT_TRUE(session_present_);
    const auto again = next(client);  // without a new SUBSCRIBE
    EXPECT_TRUE(again.duplicate);
    EXPECT_EQ(again.packet_id, packet_id);
    client.disconnect();
    auto clean = raw();
    EXPECT_EQ(connect(clean, {.clean_session = true}), mqtt::ConnackCode::Accepted);
    EXPECT_FALSE(session_present_);
    clean.subscribe("$iothub/twin/res/#");  // the first packet that comes is its SUBACK, no message
    clean.disconnect();
    auto fresh = raw();
    EXPECT_EQ(connect(fresh, {}), mqtt::ConnackCode::Accepted);
    EXPECT_FALSE(session_present_);
}

TEST_F(CommandsOverMqtt, MethodsAreCalledAndAnswered) {
    start();
    auto client = connected();
    client.subscribe("$iothub/methods/POST/#");
    std::promise<MethodResult> answer;
    server_->methods().call({.identity = identity("d1"), .name = "do it", .payload_json = R"({"a":1})"}, {},
                            [&](MethodResult result) { answer.set_value(std::move(result)); });
    const auto request = next(client);
    EXPECT_EQ(as_text(request.payload), R"({"a":1})");
    const std::string topic(request.topic);
    ASSERT_TRUE(topic.starts_with("$iothub/methods/POST/do%20it/?$rid="));
    const auto rid = topic.substr(topic.find('=') + 1);
    client.publish("$iothub/methods/res/200/?$rid=unknown", "{}");
    client.publish("$iothub/methods/res/207/?$rid=" + rid, R"({"ok":true})", 4);
    EXPECT_EQ(client.puback(), 4);
    const auto result = answer.get_future().get();
    EXPECT_EQ(result.error, 0);
    EXPECT_EQ(result.status, 207);
    EXPECT_EQ(result.payload_json, R"({"ok":true})");
    EXPECT_EQ(operations("send", "").back()["properties"]["statusCode"], "207");
}

TEST_F(CommandsOverMqtt, MethodsFailByCodeWhenNobodyAnswers) {
    start();
    const auto call = [&](MethodCall wanted) {
        std::promise<MethodResult> answer;
        server_->methods().call(std::move(wanted), {},
                                [&](MethodResult result) { answer.set_value(std::move(result)); });
        return answer.get_future().get();
    };
    EXPECT_EQ(call({.identity = identity("d1"), .name = "m"}).error, 404103);
    auto client = connected();
    EXPECT_EQ(call({.identity = identity("d1"), .name = "m"}).error, 404103);  // there, but takes no methods
    client.subscribe("$iothub/methods/POST/#");
    EXPECT_EQ(call({.identity = identity("d1"), .name = "m", .response_timeout = 1s}).error, 504101);
    EXPECT_EQ(
        call({.identity = identity("d1"), .name = "m", .payload_json = std::string(131'073, ' ')}).error,
        413001);
}

TEST_F(CommandsOverMqtt, AMethodMayWaitForItsDevice) {
    start();
    std::promise<MethodResult> answer;
    server_->methods().call({.identity = identity("d1"), .name = "m", .connect_timeout = 5s}, {},
                            [&](MethodResult result) { answer.set_value(std::move(result)); });
    auto client = connected();
    client.subscribe("$iothub/methods/POST/#");
    const std::string topic(next(client).topic);
    client.publish("$iothub/methods/res/200/" + topic.substr(topic.find('?')), "not json");
    EXPECT_EQ(answer.get_future().get().error, 502001);
}

}  // namespace
}  // namespace fieldwatch::hub
