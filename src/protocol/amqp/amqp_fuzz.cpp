// Any bytes are a message or an error; what decodes, encodes back to the same. Any text is an address or
// none.
#include "base/assert.hpp"
#include "protocol/amqp/address.hpp"
#include "protocol/amqp/message.hpp"

using namespace fieldwatch;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input(reinterpret_cast<const std::byte*>(data), size);
    if (const auto message = amqp::decode_message(input)) {
        const auto bytes = amqp::encode_message(*message);
        const auto again = amqp::decode_message(bytes);
        FIELDWATCH_ASSERT(again && again->data == message->data);
        static_cast<void>(amqp::to_text(message->properties.message_id));
        static_cast<void>(amqp::to_text(message->properties.absolute_expiry_time));
        for (const auto inner : message->data)  // a batch's messages
            static_cast<void>(amqp::decode_message(as_bytes(inner)));
    }
    ByteView rest = input;
    while (!rest.empty()) {
        if (const auto value = amqp::decode_value(rest); !value) break;
    }
    static_cast<void>(amqp::parse_address(as_text(input), true));
    static_cast<void>(amqp::parse_address(as_text(input), false));
    return 0;
}
