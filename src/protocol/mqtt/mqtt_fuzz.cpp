// Any bytes are packets, a wait for more, or an error; what decodes, encodes back.
#include "base/assert.hpp"
#include "protocol/mqtt/packet.hpp"
#include "protocol/mqtt/provisioning.hpp"
#include "protocol/mqtt/topic.hpp"
#include "protocol/mqtt/user_name.hpp"

using namespace fieldwatch;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteView input(reinterpret_cast<const std::byte*>(data), size);
    while (true) {
        const auto frame = mqtt::next_frame(input, 300'000);
        if (!frame || !*frame) break;
        FIELDWATCH_ASSERT((*frame)->size <= input.size());
        if (const auto connect = mqtt::decode_connect(**frame); connect && connect->user_name) {
            static_cast<void>(mqtt::parse_user_name(*connect->user_name));
            static_cast<void>(mqtt::parse_client_id(connect->client_id));
            static_cast<void>(mqtt::parse_provisioning_user(*connect->user_name));
        }
        if (const auto publish = mqtt::decode_publish(**frame)) {
            Bytes again;
            mqtt::encode_publish(again, *publish);
            const auto twice = mqtt::next_frame(again, 300'000);
            FIELDWATCH_ASSERT(twice && *twice && mqtt::decode_publish(**twice)->topic == publish->topic);
            static_cast<void>(mqtt::parse_client_topic(publish->topic, "d", ""));
            static_cast<void>(mqtt::parse_hub_topic(publish->topic));
            static_cast<void>(mqtt::parse_provisioning_topic(publish->topic));
        }
        if (const auto subscribe = mqtt::decode_subscribe(**frame)) {
            for (const auto& filter : subscribe->filters)
                static_cast<void>(mqtt::parse_filter(filter.text, "d", "m"));
        }
        static_cast<void>(mqtt::decode_unsubscribe(**frame));
        static_cast<void>(mqtt::decode_connack(**frame));
        static_cast<void>(mqtt::decode_suback(**frame));
        static_cast<void>(mqtt::decode_packet_id(**frame));
        input = input.subspan((*frame)->size);
    }
    return 0;
}
