// The MQTT codec, bags and topics as clients that we did not write send them (spec/iot-hub-protocols.md
// section 0).
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/limits.hpp"
#include "protocol/mqtt/packet.hpp"
#include "protocol/mqtt/property_bag.hpp"
#include "protocol/mqtt/provisioning.hpp"
#include "protocol/mqtt/topic.hpp"
#include "protocol/mqtt/user_name.hpp"

namespace fieldwatch::mqtt {
namespace {

Frame frame_of(const Bytes& bytes) {
    const auto frame = next_frame(bytes, 1u << 20);
    EXPECT_TRUE(frame && *frame);
    EXPECT_EQ((*frame)->size, bytes.size());
    return **frame;
}

std::string text_without_zero(std::string text) {
    std::erase_if(text, [](char c) { return c <= 0 || c == '#' || c == '+'; });
    return text;
}

RC_GTEST_PROP(Packet, PublishSurvivesTheWire,
              (std::string topic, std::string payload, std::uint16_t id, bool retain)) {
    topic = "t" + text_without_zero(topic);
    const std::uint8_t qos = id == 0 ? 0 : 1;
    Bytes bytes;
    encode_publish(
        bytes, {.topic = topic, .payload = as_bytes(payload), .packet_id = id, .qos = qos, .retain = retain});
    const auto decoded = decode_publish(frame_of(bytes));
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(decoded->topic == topic);
    RC_ASSERT(as_text(decoded->payload) == payload);
    RC_ASSERT(decoded->packet_id == id);
    RC_ASSERT(decoded->qos == qos);
    RC_ASSERT(decoded->retain == retain);
}

RC_GTEST_PROP(Packet, ConnectSurvivesTheWire,
              (std::string id, std::string password, std::uint16_t keep_alive, bool will)) {
    id = text_without_zero(id);
    Connect connect{.client_id = id, .clean_session = false, .keep_alive_seconds = keep_alive};
    connect.user_name = id;
    connect.password = as_bytes(password);
    if (will)
        connect.will = Will{.topic = "devices/d/messages/events/", .payload = as_bytes(password), .qos = 1};
    Bytes bytes;
    encode_connect(bytes, connect);
    const auto decoded = decode_connect(frame_of(bytes));
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(decoded->client_id == id);
    RC_ASSERT(*decoded->user_name == id);
    RC_ASSERT(as_text(*decoded->password) == password);
    RC_ASSERT(decoded->will.has_value() == will);
    RC_ASSERT(decoded->keep_alive_seconds == keep_alive);
}

RC_GTEST_PROP(Packet, EveryPrefixOfAPacketAsksForMore, (std::string payload)) {
    Bytes bytes;
    encode_publish(bytes, {.topic = "t", .payload = as_bytes(payload)});
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const auto frame = next_frame(ByteView(bytes).first(size), 1u << 20);
        RC_ASSERT(frame.has_value() && !frame->has_value());
    }
}

TEST(Packet, AnOversizePacketIsRefusedBeforeItsBodyArrives) {
    const Bytes header{std::byte{0x30}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff}, std::byte{0x7f}};
    const auto frame = next_frame(header, 300'000);
    ASSERT_FALSE(frame);
    EXPECT_EQ(frame.error().code, Errc::TooLarge);
}

TEST(Packet, ReservedFlagsOfAnyKindAreRefused) {
    for (unsigned first = 0x10; first < 0xf0; ++first) {
        const Bytes header{std::byte(first), std::byte{0}};
        const unsigned type = first >> 4, flags = first & 15;
        const bool is_legal = type == 3 || flags == (type == 6 || type == 8 || type == 10 ? 2u : 0u);
        EXPECT_EQ(next_frame(header, 10).has_value(), is_legal) << first;
    }
}

TEST(Packet, OtherLevelsThanFourAreUnsupported) {
    Bytes bytes;
    encode_connect(bytes, {.client_id = "d"});
    bytes[8] = std::byte{5};
    const auto decoded = decode_connect(frame_of(bytes));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code, Errc::Unsupported);
}

TEST(Packet, SeveralFiltersInOneSubscribeKeepTheirOrder) {
    const Filter filters[] = {{"devices/d/messages/devicebound/#", 1}, {"$iothub/twin/res/#", 0}, {"x", 2}};
    Bytes bytes;
    encode_subscribe(bytes, 7, filters);
    const auto decoded = decode_subscribe(frame_of(bytes));
    ASSERT_TRUE(decoded);
    ASSERT_EQ(decoded->filters.size(), 3u);
    EXPECT_EQ(decoded->filters[1].text, "$iothub/twin/res/#");
    EXPECT_EQ(decoded->filters[2].qos, 2);
    bytes.clear();
    const std::uint8_t codes[] = {1, 0, 0x80};
    encode_suback(bytes, 7, codes);
    EXPECT_EQ(decode_suback(frame_of(bytes))->codes.size(), 3u);
}

RC_GTEST_PROP(PropertyBag, DecodesWhatItEncodes, (std::vector<std::pair<std::string, std::string>> pairs)) {
    std::vector<Property> properties;
    for (auto& [name, value] : pairs) {
        name = "k" + std::to_string(properties.size()) + "-" + text_without_zero(name);
        properties.push_back({name, text_without_zero(value), true});
    }
    properties.push_back({"$.mid", "id 1", true});
    const auto decoded = parse_property_bag(encode_property_bag(properties));
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(*decoded == properties);
}

TEST(PropertyBag, RawAndEncodedKeysMeanTheSame) {
    const auto raw = parse_property_bag("k 1=v&1&$.ct=application/json");
    ASSERT_TRUE(raw);
    ASSERT_EQ(raw->size(), 3u);
    EXPECT_EQ((*raw)[0].name, "k 1");
    EXPECT_FALSE((*raw)[1].has_value);
    EXPECT_EQ((*raw)[2].value, "application/json");
    const auto encoded = parse_property_bag("%24.ct=application%2fjson&a=1+2&empty=/");
    ASSERT_TRUE(encoded);
    EXPECT_EQ((*encoded)[0], (*raw)[2]);
    EXPECT_EQ((*encoded)[1].value, "1+2");
    EXPECT_EQ((*encoded)[2].value, "");
    EXPECT_EQ(system_property((*encoded)[0].name), "content-type");
}

TEST(PropertyBag, TheLastOfARepeatedNameWins) {
    const auto bag = parse_property_bag("a=1&b=2&a=3");
    ASSERT_EQ(bag->size(), 2u);
    EXPECT_EQ((*bag)[0].value, "3");
}

TEST(PropertyBag, TooManyNamesAreRefused) {
    std::string bag;
    for (std::size_t i = 0; i <= limits::properties_per_message; ++i)
        bag += "k" + std::to_string(i) + "&";
    EXPECT_EQ(parse_property_bag(bag).error().code, Errc::TooLarge);
}

TEST(Topic, TelemetryIsFoundByPrefixLengthNotBySlashes) {
    const auto topic = parse_client_topic("devices/d1/messages/events/k=a/b&$.ct=application/json", "d1", "");
    ASSERT_TRUE(topic);
    EXPECT_EQ(topic->bag, "k=a/b&$.ct=application/json");
    EXPECT_TRUE(parse_client_topic("devices/d1/messages/events", "d1", ""));
    EXPECT_TRUE(parse_client_topic("devices/d1/modules/m/messages/events/", "d1", "m"));
}

TEST(Topic, ADeviceCanPublishOnlyAsItself) {
    for (const auto* topic : {"devices/d10/messages/events/", "devices/d1/modules/m/messages/events/",
                              "devices/d2/messages/events/", "devices/d1/messages/eventsx"}) {
        EXPECT_EQ(parse_client_topic(topic, "d1", "").error().code, Errc::Forbidden) << topic;
    }
    EXPECT_EQ(parse_client_topic("other", "d1", "").error().code, Errc::InvalidArgument);
    EXPECT_EQ(parse_filter("devices/d2/messages/devicebound/#", "d1", "").error().code, Errc::Forbidden);
    EXPECT_EQ(parse_filter("#", "d1", "").error().code, Errc::InvalidArgument);
}

TEST(Topic, RequestIdsComeBackByteForByte) {
    const auto get = parse_client_topic("$iothub/twin/GET/?$rid=9c1c8d2e-1", "d", "");
    ASSERT_TRUE(get);
    EXPECT_EQ(get->request_id, "9c1c8d2e-1");
    const auto patch =
        parse_client_topic("$iothub/twin/PATCH/properties/reported/?$rid=4&$version=7", "d", "");
    EXPECT_EQ(patch->version, 7u);
    EXPECT_EQ(twin_response_topic(204, "4", 9), "$iothub/twin/res/204/?$rid=4&$version=9");
    const auto response = parse_hub_topic("$iothub/twin/res/204/?$rid=4&$version=9");
    EXPECT_EQ(response.status, 204);
    EXPECT_EQ(response.request_id, "4");
    EXPECT_EQ(response.version, 9u);
    EXPECT_EQ(parse_hub_topic(desired_topic(3)).version, 3u);
    EXPECT_EQ(parse_hub_topic(method_topic("do it", "7a")).method, "do%20it");
}

TEST(Topic, KnownFiltersAreTakenWithAndWithoutTheHash) {
    EXPECT_EQ(*parse_filter("$iothub/twin/res/#", "d", ""), HubFilter::TwinResponses);
    EXPECT_EQ(*parse_filter("$iothub/methods/POST", "d", ""), HubFilter::Methods);
    EXPECT_EQ(*parse_filter("devices/d/modules/m/inputs/#", "d", "m"), HubFilter::Devicebound);
    EXPECT_EQ(*parse_filter("devices/d/modules/m/#", "d", "m"), HubFilter::Devicebound);
    EXPECT_FALSE(parse_filter("devices/d/modules/m/inputs/#", "d", ""));
}

TEST(UserName, TakesEveryObservedForm) {
    const auto node = parse_user_name(
        "localhost:8883/d1/"
        "?api-version=2021-04-12&model-id=dtmi:com:example:Thermo;1&DeviceClientType=azure-iot-device%2F1."
        "18");
    ASSERT_TRUE(node);
    EXPECT_EQ(node->host, "localhost:8883");
    EXPECT_EQ(node->client_id, "d1");
    EXPECT_EQ(node->model_id, "dtmi:com:example:Thermo;1");
    EXPECT_EQ(node->client_type, "azure-iot-device/1.18");
    EXPECT_EQ(parse_user_name("h/d1/azureiotsecurity/?api-version=2021-04-12")->client_id,
              "d1/azureiotsecurity");
    EXPECT_EQ(parse_user_name("h/d1/api-version=2016-11-14")->api_version, "2016-11-14");
    EXPECT_EQ(parse_user_name("h/d1/?api-version=banana").error().code, Errc::Unsupported);
    EXPECT_EQ(parse_user_name("h/d1")->client_id, "d1");
    EXPECT_FALSE(parse_user_name("nothing"));
    EXPECT_EQ(parse_client_id("d/m")->module, "m");
    EXPECT_FALSE(parse_client_id("d/m/x"));
}

TEST(Provisioning, UserNamesAndTopicsAreToldFromAHubs) {
    const auto user =
        parse_provisioning_user("0ne00AB/registrations/r1/api-version=2019-03-31&ClientVersion=x");
    ASSERT_TRUE(user);
    EXPECT_EQ(user->scope, "0ne00AB");
    EXPECT_EQ(user->registration_id, "r1");
    for (const auto* const text :
         {"hub/d1/?api-version=2021-04-12", "hub/registrations/?api-version=2021-04-12",
          "hub/registrations/api-version=2016-11-14", "", "/registrations/x"})
        EXPECT_FALSE(parse_provisioning_user(text)) << text;
    const auto status = parse_provisioning_topic(
        "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=7&operationId=5.a%2Db");
    ASSERT_TRUE(status);
    EXPECT_EQ(status->kind, ProvisioningRequest::Status);
    EXPECT_EQ(status->request_id, "7");
    EXPECT_EQ(status->operation_id, "5.a-b");
    EXPECT_FALSE(parse_provisioning_topic("$dps/registrations/PUT/iotdps-register/"));
    EXPECT_FALSE(parse_provisioning_topic("$iothub/twin/GET/?$rid=1"));
    EXPECT_EQ(provisioning_answer_topic(202, "a", 3), "$dps/registrations/res/202/?$rid=a&retry-after=3");
}

}  // namespace
}  // namespace fieldwatch::mqtt
