// One AMQP 1.0 message: sections in, sections out. Source: OASIS AMQP 1.0 part 3, section 3.2, with the
// departures of spec/iot-hub-protocols.md trap 24.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/amqp/value.hpp"

namespace fieldwatch::amqp {

/// The bare fields that IoT Hub's clients use. Ids keep the type they came with: an answer's correlation id
/// must have the type of the request's id (trap 22).
struct Properties {
    Value message_id, user_id, to, subject, reply_to, correlation_id;
    Value content_type, content_encoding, absolute_expiry_time, creation_time;
};

/// Views in `data` point into the bytes the message was decoded from, or into what the sender of one keeps.
struct Message {
    Value delivery_annotations = map_value();
    Value annotations = map_value();
    Properties properties;
    Value application_properties = map_value();
    std::vector<std::string_view> data;  ///< Data sections, in order
    std::optional<Value> body;           ///< amqp-value
    std::optional<std::uint32_t> ttl_ms;
};

inline constexpr std::size_t kDataSectionsMax = 1'024;  ///< a batch's messages

/// Sections in any order. Errors: Malformed, TooLarge.
Result<Message> decode_message(ByteView bytes);

/// Sections in the standard's order; empty ones are left out.
Bytes encode_message(const Message& message);

}  // namespace fieldwatch::amqp
