#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "protocol/amqp/address.hpp"
#include "protocol/amqp/message.hpp"

namespace fieldwatch::amqp {
namespace {

rc::Gen<Value> any_value(int depth) {
    const auto text = rc::gen::container<std::string>(rc::gen::inRange('a', 'z'));
    const auto scalar =
        rc::gen::oneOf(rc::gen::just(Value{}), rc::gen::map(rc::gen::arbitrary<bool>(), boolean),
                       rc::gen::map(rc::gen::arbitrary<std::uint64_t>(), ulong_value),
                       rc::gen::map(rc::gen::arbitrary<std::int32_t>(), int_value),
                       rc::gen::map(rc::gen::arbitrary<std::int64_t>(), long_value),
                       rc::gen::map(text, [](const std::string& one) { return string_value(one); }),
                       rc::gen::map(text, [](const std::string& one) { return symbol_value(one); }));
    if (depth == 0) return scalar;
    return rc::gen::oneOf(
        scalar,
        rc::gen::map(
            rc::gen::container<std::vector<Value>>(rc::gen::resize(3, any_value(depth - 1))),
            [](const std::vector<Value>& items) { return Value{.type = Type::List, .items = items}; }),
        rc::gen::map(rc::gen::pair(text, any_value(depth - 1)), [](const std::pair<std::string, Value>& one) {
            return map_value().add(one.first, one.second);
        }));
}

RC_GTEST_PROP(AmqpValue, ComesBackAsItWasEncoded, ()) {
    const auto value = *any_value(3);
    Bytes bytes;
    encode(bytes, value);
    ByteView input(bytes);
    const auto again = decode_value(input);
    RC_ASSERT(again.has_value());
    RC_ASSERT(*again == value);
    RC_ASSERT(input.empty());
}

RC_GTEST_PROP(AmqpMessage, AnyBytesEndInAMessageOrAnError, (const std::vector<std::uint8_t>& bytes)) {
    static_cast<void>(decode_message({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}));
}

TEST(AmqpValue, RefusesAnArrayThatCostsNothingToSendAndAllMemoryToHold) {
    // array32 of 2^31 nulls in 14 bytes.
    const unsigned char bytes[] = {0xf0, 0, 0, 0, 5, 0x7f, 0xff, 0xff, 0xff, 0x40};
    ByteView input(reinterpret_cast<const std::byte*>(bytes), sizeof(bytes));
    const auto value = decode_value(input);
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().code, Errc::TooLarge);
}

TEST(AmqpValue, RefusesNestingWithoutEnd) {
    Bytes bytes(4'096, std::byte{0});  // described by a described by a …
    ByteView input(bytes);
    EXPECT_FALSE(decode_value(input));
}

TEST(AmqpMessage, KeepsItsSectionsAndTheTypesOfItsIds) {
    Message message;
    message.properties.message_id = {.type = Type::Uuid, .text = std::string(16, '\x11')};
    message.properties.correlation_id = ulong_value(7);
    message.properties.content_type = string_value("application/json");
    message.annotations.add("iothub-interface-id", string_value("urn:a"));
    message.application_properties.add("k", string_value("v"));
    const std::string body(300, 'x');
    message.data = {body};
    const auto bytes = encode_message(message);
    const auto again = decode_message(bytes);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->properties.message_id, message.properties.message_id);
    EXPECT_EQ(to_text(again->properties.message_id), "11111111-1111-1111-1111-111111111111");
    EXPECT_EQ(again->properties.correlation_id, ulong_value(7));
    EXPECT_EQ(again->properties.content_type, symbol_value("application/json"));
    EXPECT_EQ(again->annotations.find("iothub-interface-id")->text, "urn:a");
    EXPECT_EQ(again->application_properties.find("k")->text, "v");
    ASSERT_EQ(again->data.size(), 1u);
    EXPECT_EQ(again->data[0], body);
}

TEST(AmqpMessage, TakesAnnotationsBehindPropertiesAndManyDataSections) {  // trap 24
    Message first, second;
    first.properties.message_id = string_value("m");
    second.annotations.add("iothub-interface-id", string_value("urn:a"));
    second.data = {"one", "two"};
    auto bytes = encode_message(first);
    const auto rest = encode_message(second);
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    const auto message = decode_message(bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->properties.message_id.text, "m");
    EXPECT_EQ(message->annotations.find("iothub-interface-id")->text, "urn:a");
    EXPECT_EQ(message->data, (std::vector<std::string_view>{"one", "two"}));
}

TEST(AmqpAddress, IsTheSameAbsoluteOrBare) {  // trap 21
    for (const auto* const text : {"/devices/d%201/messages/events", "devices/d%201/Messages/Events",
                                   "amqps://h:5671/devices/d%201/messages/events"}) {
        const auto address = parse_address(text, true);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(address->node, Node::Telemetry);
        EXPECT_EQ(address->device, "d 1");
        EXPECT_EQ(address->module, "");
    }
}

TEST(AmqpAddress, KnowsEachNode) {
    const auto node = [](std::string_view text, bool sends = false) {
        return parse_address(text, sends)->node;
    };
    EXPECT_EQ(node("$cbs"), Node::Cbs);
    EXPECT_EQ(node("$management"), Node::Management);
    EXPECT_EQ(node("/devices/d/modules/m/messages/events"), Node::ModuleInputs);
    EXPECT_EQ(node("/devices/d/messages/devicebound"), Node::DeviceBound);
    EXPECT_EQ(node("/devices/d/methods/devicebound", true), Node::Methods);
    EXPECT_EQ(node("/devices/d/modules/m/twin"), Node::Twin);
    EXPECT_EQ(node("/messages/devicebound", true), Node::ServiceSend);
    EXPECT_EQ(node("/messages/servicebound/feedback"), Node::Feedback);
    EXPECT_EQ(node("0ne000/registrations/r1"), Node::Registrations);
    const auto partition = parse_address("messages/events/ConsumerGroups/$Default/Partitions/3", false);
    ASSERT_TRUE(partition);
    EXPECT_EQ(partition->node, Node::Partition);
    EXPECT_EQ(partition->entity, "messages/events");
    EXPECT_EQ(partition->group, "$Default");
    EXPECT_EQ(partition->partition, "3");
    for (const auto* const text : {"", "/", "/devices/d", "/devices//twin/x", "amqps://host", "elsewhere"})
        EXPECT_FALSE(parse_address(text, false)) << text;
    EXPECT_EQ(parse_destination("/devices/a%2Fb/messages/devicebound")->device, "a/b");
    EXPECT_FALSE(parse_destination("/devices/d/twin"));
}

}  // namespace
}  // namespace fieldwatch::amqp
