// What AMQP's messages, tokens and receivers mean to the hub, without a connection; with one: tests/clients.
#include <gtest/gtest.h>

#include "base/random.hpp"
#include "hub/amqp/access.hpp"
#include "hub/amqp/command_message.hpp"
#include "hub/amqp/event_source.hpp"
#include "hub/amqp/telemetry.hpp"
#include "hub/message.hpp"
#include "protocol/sas/token.hpp"

namespace fieldwatch::hub {
namespace {

amqp::Message telemetry(std::string_view id, std::string_view body) {
    amqp::Message message;
    message.properties.message_id = amqp::string_value(id);
    message.data = {body};
    return message;
}

TEST(AmqpTelemetry, NamesWhatTheClientMaySetAndNothingElse) {
    auto message = telemetry("m 1", "{}");
    message.properties.correlation_id = {.type = amqp::Type::Uuid, .text = std::string(16, '\x01')};
    message.properties.to = amqp::string_value("/devices/other/messages/events");
    message.annotations.add("iothub-interface-id", amqp::string_value(model::kSecurityInterface));
    message.annotations.add("iothub-connection-device-id", amqp::string_value("other"));
    message.application_properties.add("k", amqp::long_value(7))
        .add("$.ifid", amqp::string_value("spoofed"))
        .add("iothub-outputname", amqp::string_value("out1"));
    const auto bag = bag_of(message);
    const std::vector<mqtt::Property> expected{{"$.mid", "m 1"},
                                               {"$.cid", "01010101-0101-0101-0101-010101010101"},
                                               {"$.ifid", std::string(model::kSecurityInterface)},
                                               {"k", "7"},
                                               {"$.on", "out1"}};
    EXPECT_EQ(bag, expected);
    EXPECT_TRUE(is_security_message(bag));
}

TEST(AmqpTelemetry, ABatchIsNothingButDataSectionsThatAreMessages) {  // trap 24
    const auto first = amqp::encode_message(telemetry("1", "one"));
    const auto second = amqp::encode_message(telemetry("2", "two"));
    amqp::Message outer;
    outer.data = {as_text(first), as_text(second)};
    const auto bytes = amqp::encode_message(outer);
    const auto decoded = amqp::decode_message(bytes);
    ASSERT_TRUE(decoded);
    const auto messages = messages_of_batch(*decoded);
    ASSERT_EQ(messages.size(), 2u);
    std::string storage;
    EXPECT_EQ(body_of(messages[1], storage), "two");
    EXPECT_TRUE(messages_of_batch(telemetry("1", as_text(first))).empty());
    amqp::Message plain;
    plain.data = {"plain"};
    EXPECT_TRUE(messages_of_batch(plain).empty());
}

TEST(AmqpCommand, GoesToTheDeviceThatToNames) {
    auto message = telemetry("m", "hello");
    message.properties.to = amqp::string_value("/devices/d%201/messages/devicebound");
    message.application_properties.add("iothub-ack", amqp::string_value("full"))
        .add("message-id", amqp::string_value("another"));
    EXPECT_FALSE(command_of(message, {"home"}));  // a blank is no character of an id
    message.properties.to = amqp::string_value("/devices/d1/messages/devicebound");
    const auto command = command_of(message, {"home"});
    ASSERT_TRUE(command) << command.error().message;
    EXPECT_EQ(command->identity.device.value, "d1");
    EXPECT_EQ(command->property("message-id"), "m");
    EXPECT_EQ(command->property("iothub-ack"), "full");
    EXPECT_EQ(command->body, "hello");
    message.properties.to = amqp::string_value("/elsewhere");
    EXPECT_EQ(command_of(message, {"home"}).error().code, Errc::NotFound);
}

TEST(EventSelector, TakesTheThreeFormsAndRefusesOthers) {
    const auto start = parse_selector("amqp.annotation.x-opt-offset > '-1'");
    ASSERT_TRUE(start);
    EXPECT_EQ(start->by, EventStart::By::Offset);
    EXPECT_EQ(start->value, -1);
    EXPECT_TRUE(parse_selector("amqp.annotation.x-opt-sequence-number >= '5'")->inclusive);
    EXPECT_EQ(parse_selector("amqp.annotation.x-opt-offset > '@latest'")->by, EventStart::By::Latest);
    EXPECT_EQ(parse_selector("amqp.annotation.x-opt-enqueued-time > '1700000000000'")->by,
              EventStart::By::Time);
    for (const auto* const text :
         {"", "1 = 1", "amqp.annotation.x-opt-offset > 5", "amqp.annotation.x > '5'",
          "amqp.annotation.x-opt-offset > '5' OR TRUE", "amqp.annotation.x-opt-offset > ''"})
        EXPECT_FALSE(parse_selector(text)) << text;
}

TEST(EventSource, KnowsItsPartitionsAndGroups) {
    const auto source = [](std::string_view group, std::string_view partition) {
        return event_source({.group = std::string(group), .partition = std::string(partition)}, {}, 4);
    };
    EXPECT_EQ(source("$Default", "3")->partition, 3u);
    EXPECT_EQ(source("$Default", "3")->start.by, EventStart::By::Latest);
    EXPECT_EQ(source("$Default", "4").error().code, Errc::NotFound);
    EXPECT_EQ(source("$Default", "x").error().code, Errc::NotFound);
    EXPECT_EQ(source("a/b", "0").error().code, Errc::NotFound);
}

/// Records at one-second steps from second 100 on; the first two offsets are gone.
class FakeReader final : public journal::Reader {
  public:
    Result<journal::Batch> read(journal::Place from, std::size_t, std::size_t) override {
        journal::Batch batch;
        if (from.offset >= 10) return batch;
        model::Record record;
        record.kind = model::RecordKind::Telemetry;
        record.received = Timestamp::from_unix_seconds(100 + static_cast<std::int64_t>(from.offset));
        batch.storage = model::encode(record);
        batch.records.push_back({from.offset, batch.storage});
        batch.next_offset = from.offset + 1;
        return batch;
    }
    bool wait(journal::Place, std::chrono::milliseconds) override { return true; }
    std::uint64_t first_offset(journal::Stream, std::uint32_t) const override { return 2; }
    std::uint64_t end_offset(journal::Stream, std::uint32_t) const override { return 10; }
};

TEST(EventSource, StartsWhereTheFilterSays) {
    FakeReader reader;
    const auto first = [&](EventStart start) {
        return *first_offset_of({.hub = {"home"}, .group = "g", .start = start}, reader);
    };
    using By = EventStart::By;
    EXPECT_EQ(first({}), 10u);
    EXPECT_EQ(first({By::Offset, -1}), 2u);  // what is left
    EXPECT_EQ(first({By::Offset, 5}), 6u);
    EXPECT_EQ(first({By::Offset, 5, true}), 5u);
    EXPECT_EQ(first({By::Offset, 99}), 10u);
    EXPECT_EQ(first({By::Time, 105'000}), 6u);
    EXPECT_EQ(first({By::Time, 105'000, true}), 5u);
    EXPECT_EQ(first({By::Time, 0}), 2u);
    EXPECT_EQ(first({By::Time, INT64_MAX}), 10u);
}

TEST(EventReaders, FiveShareAPartitionAndAHigherEpochTakesItAlone) {
    EventReaders readers;
    const EventReaders::Place place{"home", "g", 0};
    for (std::uint64_t link = 1; link <= 5; ++link)
        EXPECT_TRUE(readers.enter(place, {0, 1, link}, std::nullopt).admitted);
    EXPECT_EQ(readers.enter(place, {0, 1, 6}, std::nullopt).why_not, "amqp:resource-limit-exceeded");
    const auto epoch = readers.enter(place, {0, 1, 7}, 1);
    EXPECT_TRUE(epoch.admitted);
    EXPECT_EQ(epoch.evicted.size(), 5u);
    EXPECT_EQ(readers.enter(place, {0, 1, 8}, 0).why_not, "amqp:link:stolen");
    EXPECT_EQ(readers.enter(place, {0, 1, 8}, std::nullopt).why_not, "amqp:link:stolen");
    EXPECT_EQ(readers.enter(place, {0, 1, 9}, 1).evicted.size(), 1u);
    readers.leave(place, {0, 1, 9});
    EXPECT_TRUE(readers.enter(place, {0, 1, 10}, std::nullopt).admitted);
}

}  // namespace
}  // namespace fieldwatch::hub
