#include "protocol/amqp/message.hpp"

#include <algorithm>
#include <array>

namespace fieldwatch::amqp {

namespace {

enum Section : std::uint64_t {
    kHeader = 0x70,
    kDeliveryAnnotations = 0x71,
    kMessageAnnotations = 0x72,
    kProperties = 0x73,
    kApplicationProperties = 0x74,
    kData = 0x75,
    kSequence = 0x76,
    kValue = 0x77,
    kFooter = 0x78,
};

constexpr std::array<std::pair<std::string_view, Section>, 9> kNames{
    {{"amqp:header:list", kHeader},
     {"amqp:delivery-annotations:map", kDeliveryAnnotations},
     {"amqp:message-annotations:map", kMessageAnnotations},
     {"amqp:properties:list", kProperties},
     {"amqp:application-properties:map", kApplicationProperties},
     {"amqp:data:binary", kData},
     {"amqp:amqp-sequence:list", kSequence},
     {"amqp:amqp-value:*", kValue},
     {"amqp:footer:map", kFooter}}};

Result<std::uint64_t> section_of(const Value& descriptor) {
    if (descriptor.type == Type::Ulong) return descriptor.bits;
    const auto* const named = std::find_if(kNames.begin(), kNames.end(),
                                           [&](const auto& one) { return one.first == descriptor.text; });
    if (descriptor.type == Type::Symbol && named != kNames.end()) return named->second;
    return fail(Errc::Malformed, "a section descriptor that AMQP does not know");
}

// The Data section by itself: its bytes are viewed, not copied.
Result<std::string_view> view_data(ByteView& input) {
    const auto code = input.empty() ? 0 : std::to_integer<std::uint8_t>(input.front());
    const std::size_t width = code == 0xa0 ? 1 : code == 0xb0 ? 4 : 0;
    if (width == 0 || input.size() < 1 + width)
        return fail(Errc::Malformed, "a data section that is not binary");
    std::size_t size = 0;
    for (std::size_t at = 1; at <= width; ++at)
        size = size << 8 | std::to_integer<std::size_t>(input[at]);
    input = input.subspan(1 + width);
    if (size > input.size()) return fail(Errc::Malformed, "a data section is longer than its message");
    const auto data = as_text(input.first(size));
    input = input.subspan(size);
    return data;
}

Result<void> expect(const Value& value, Type type) {
    if (value.type == type) return {};
    return fail(Errc::Malformed, "an AMQP section of another type than the standard's");
}

void read_properties(Properties& out, Value&& list) {
    // Part 3 section 3.2.4: positions in the list.
    const std::array<Value*, 10> places{&out.message_id,   &out.user_id,          &out.to,
                                        &out.subject,      &out.reply_to,         &out.correlation_id,
                                        &out.content_type, &out.content_encoding, &out.absolute_expiry_time,
                                        &out.creation_time};
    for (std::size_t at = 0; at < std::min(places.size(), list.items.size()); ++at)
        *places[at] = std::move(list.items[at]);
}

Result<void> take_section(std::uint64_t section, ByteView& input, Message& message) {
    if (section == kData) {
        if (message.data.size() >= kDataSectionsMax) return fail(Errc::TooLarge, "too many data sections");
        message.data.push_back(FIELDWATCH_TRY(view_data(input)));
        return {};
    }
    auto value = FIELDWATCH_TRY(decode_value(input));
    const auto map_into = [&](Value& place) -> Result<void> {
        FIELDWATCH_TRY(expect(value, Type::Map));
        place = std::move(value);
        return {};
    };
    switch (section) {
        case kHeader:
            FIELDWATCH_TRY(expect(value, Type::List));
            if (value.items.size() > 2 && value.items[2].type == Type::Uint)
                message.ttl_ms = static_cast<std::uint32_t>(value.items[2].bits);
            return {};
        case kDeliveryAnnotations:
            return map_into(message.delivery_annotations);
        case kMessageAnnotations:
            return map_into(message.annotations);
        case kApplicationProperties:
            return map_into(message.application_properties);
        case kProperties:
            FIELDWATCH_TRY(expect(value, Type::List));
            read_properties(message.properties, std::move(value));
            return {};
        case kValue:
            message.body = std::move(value);
            return {};
        case kSequence:
        case kFooter:
            return {};
        default:
            return fail(Errc::Malformed, "a section that AMQP does not know");
    }
}

void begin_section(Bytes& out, Section section) {
    out.push_back(std::byte{0});
    encode(out, ulong_value(section));
}

void put_map(Bytes& out, Section section, const Value& map) {
    if (map.items.empty()) return;
    begin_section(out, section);
    auto written = map;
    // Annotations' keys are symbols, application properties' are strings.
    if (section != kApplicationProperties)
        for (std::size_t at = 0; at < written.items.size(); at += 2)
            if (written.items[at].is_text()) written.items[at].type = Type::Symbol;
    encode(out, written);
}

void put_properties(Bytes& out, const Properties& properties) {
    Value list{.type = Type::List};
    list.items = {properties.message_id,   properties.user_id,          properties.to,
                  properties.subject,      properties.reply_to,         properties.correlation_id,
                  properties.content_type, properties.content_encoding, properties.absolute_expiry_time,
                  properties.creation_time};
    for (const std::size_t symbol : {6u, 7u})
        if (list.items[symbol].is_text()) list.items[symbol].type = Type::Symbol;
    while (!list.items.empty() && list.items.back().empty())
        list.items.pop_back();
    if (list.items.empty()) return;
    begin_section(out, kProperties);
    encode(out, list);
}

}  // namespace

Result<Message> decode_message(ByteView bytes) {
    Message message;
    while (!bytes.empty()) {
        if (bytes.front() != std::byte{0}) return fail(Errc::Malformed, "a section without descriptor");
        bytes = bytes.subspan(1);
        const auto descriptor = FIELDWATCH_TRY(decode_value(bytes));
        const auto section = FIELDWATCH_TRY(section_of(descriptor));
        FIELDWATCH_TRY(take_section(section, bytes, message));
    }
    return message;
}

Bytes encode_message(const Message& message) {
    Bytes out;
    put_map(out, kDeliveryAnnotations, message.delivery_annotations);
    put_map(out, kMessageAnnotations, message.annotations);
    put_properties(out, message.properties);
    put_map(out, kApplicationProperties, message.application_properties);
    for (const auto data : message.data) {
        begin_section(out, kData);
        const bool small = data.size() < 256;
        out.push_back(std::byte{small ? std::uint8_t{0xa0} : std::uint8_t{0xb0}});
        for (std::size_t byte = small ? 1 : 4; byte-- > 0;)
            out.push_back(static_cast<std::byte>(data.size() >> (8 * byte)));
        const auto view = as_bytes(data);
        out.insert(out.end(), view.begin(), view.end());
    }
    if (message.body) {
        begin_section(out, kValue);
        encode(out, *message.body);
    }
    return out;
}

}  // namespace fieldwatch::amqp
