#include "protocol/mqtt/packet.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace fieldwatch::mqtt {

namespace {

constexpr std::size_t kTextBytesMax = 65'535;  // a 16-bit length

std::uint8_t byte_at(ByteView bytes, std::size_t index) {
    return std::to_integer<std::uint8_t>(bytes[index]);
}

// Reads the fields of one body: big-endian, lengths of 16 bits.
class FieldReader {
  public:
    explicit FieldReader(ByteView body) : rest_(body) {}

    Result<std::uint8_t> u8() {
        if (rest_.empty()) return fail(Errc::Malformed, "an MQTT packet ends inside a field");
        const auto value = byte_at(rest_, 0);
        rest_ = rest_.subspan(1);
        return value;
    }
    Result<std::uint16_t> u16() {
        if (rest_.size() < 2) return fail(Errc::Malformed, "an MQTT packet ends inside a field");
        const auto value = static_cast<std::uint16_t>(byte_at(rest_, 0) << 8 | byte_at(rest_, 1));
        rest_ = rest_.subspan(2);
        return value;
    }
    Result<ByteView> binary() {
        const std::size_t size = FIELDWATCH_TRY(u16());
        if (rest_.size() < size) return fail(Errc::Malformed, "an MQTT packet ends inside a field");
        const auto value = rest_.first(size);
        rest_ = rest_.subspan(size);
        return value;
    }
    /// Section 1.5.3: UTF-8 without U+0000.
    Result<std::string_view> text() {
        const auto value = as_text(FIELDWATCH_TRY(binary()));
        if (!is_utf8(value) || value.find('\0') != std::string_view::npos) {
            return fail(Errc::Malformed, "an MQTT string is not UTF-8 without zero bytes (section 1.5.3)");
        }
        return value;
    }
    Result<std::uint16_t> packet_id() {
        const auto value = FIELDWATCH_TRY(u16());
        if (value == 0) return fail(Errc::Malformed, "MQTT packet identifier 0 (section 2.3.1)");
        return value;
    }
    ByteView rest() const { return rest_; }
    bool empty() const { return rest_.empty(); }

  private:
    ByteView rest_;
};

void put_u8(Bytes& out, unsigned value) {
    out.push_back(static_cast<std::byte>(value));
}
void put_u16(Bytes& out, unsigned value) {
    put_u8(out, value >> 8 & 0xff);
    put_u8(out, value & 0xff);
}
void put_raw(Bytes& out, ByteView bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}
void put_binary(Bytes& out, ByteView bytes) {
    FIELDWATCH_ASSERT(bytes.size() <= kTextBytesMax);
    put_u16(out, static_cast<unsigned>(bytes.size()));
    put_raw(out, bytes);
}
void put_text(Bytes& out, std::string_view text) {
    put_binary(out, as_bytes(text));
}
void put_header(Bytes& out, PacketType type, unsigned flags, std::size_t remaining) {
    FIELDWATCH_ASSERT(remaining < 268'435'456);
    put_u8(out, static_cast<unsigned>(type) << 4 | flags);
    do {
        const auto low = static_cast<unsigned>(remaining & 0x7f);
        remaining >>= 7;
        put_u8(out, remaining != 0 ? low | 0x80 : low);
    } while (remaining != 0);
}

Result<void> expect(const Frame& frame, PacketType type, unsigned flags) {
    if (frame.type != type) return fail(Errc::Malformed, "another MQTT packet than expected");
    if (frame.flags != flags) return fail(Errc::Malformed, "reserved MQTT flags are set (section 2.2.2)");
    return {};
}

bool has_wildcard(std::string_view topic) {
    return topic.find_first_of("#+") != std::string_view::npos;
}

Result<Will> decode_will(FieldReader& reader, unsigned flags) {
    Will will;
    will.topic = FIELDWATCH_TRY(reader.text());
    will.payload = FIELDWATCH_TRY(reader.binary());
    will.qos = static_cast<std::uint8_t>(flags >> 3 & 3);
    will.retain = (flags & 0x20) != 0;
    if (will.qos == 3 || will.topic.empty() || has_wildcard(will.topic)) {
        return fail(Errc::Malformed, "the MQTT will is not allowed (section 3.1.2.6)");
    }
    return will;
}

Result<Subscribe> decode_filters(const Frame& frame, bool with_qos) {
    FieldReader reader(frame.body);
    Subscribe subscribe;
    subscribe.packet_id = FIELDWATCH_TRY(reader.packet_id());
    while (!reader.empty()) {
        if (subscribe.filters.size() == kFiltersMax) {
            return fail(Errc::TooLarge, "more than 50 filters in one MQTT packet");
        }
        Filter filter;
        filter.text = FIELDWATCH_TRY(reader.text());
        if (with_qos) filter.qos = FIELDWATCH_TRY(reader.u8());
        if (filter.text.empty() || filter.qos > 2)
            return fail(Errc::Malformed, "a bad MQTT filter (section 3.8.3)");
        subscribe.filters.push_back(filter);
    }
    if (subscribe.filters.empty())
        return fail(Errc::Malformed, "an MQTT packet without a filter (section 3.8.3)");
    return subscribe;
}

void encode_filters(Bytes& out, PacketType type, std::uint16_t packet_id, std::span<const Filter> filters) {
    const bool with_qos = type == PacketType::Subscribe;
    std::size_t size = 2;
    for (const auto& filter : filters)
        size += 2 + filter.text.size() + (with_qos ? 1 : 0);
    put_header(out, type, 2, size);
    put_u16(out, packet_id);
    for (const auto& filter : filters) {
        put_text(out, filter.text);
        if (with_qos) put_u8(out, filter.qos);
    }
}

void encode_id_packet(Bytes& out, PacketType type, std::uint16_t packet_id) {
    put_header(out, type, 0, 2);
    put_u16(out, packet_id);
}

}  // namespace

Result<std::optional<Frame>> next_frame(ByteView input, std::size_t bytes_max) {
    if (input.empty()) return std::nullopt;
    const unsigned first = byte_at(input, 0);
    const unsigned type = first >> 4;
    if (type == 0 || type == 15) return fail(Errc::Malformed, "a reserved MQTT packet type (section 2.2.1)");
    // Only a PUBLISH has flags of its own; those of three kinds are 0010, of the others 0.
    const bool is_request = type == 6 || type == 8 || type == 10;  // PUBREL, SUBSCRIBE, UNSUBSCRIBE
    if (type != 3 && (first & 0x0f) != (is_request ? 2u : 0u))
        return fail(Errc::Malformed, "reserved MQTT flags are set (section 2.2.2)");
    std::size_t remaining = 0;
    for (std::size_t index = 1; index <= 4; ++index) {
        if (index == input.size()) return std::nullopt;
        const unsigned digit = byte_at(input, index);
        remaining |= static_cast<std::size_t>(digit & 0x7f) << (7 * (index - 1));
        // Judged digit by digit: a peer need not send all four to be refused.
        if (remaining > bytes_max) return fail(Errc::TooLarge, "an MQTT packet above the allowed size");
        if ((digit & 0x80) != 0) continue;
        const auto rest = input.subspan(index + 1);
        if (rest.size() < remaining) return std::nullopt;
        return Frame{static_cast<PacketType>(type), static_cast<std::uint8_t>(first & 0x0f),
                     rest.first(remaining), index + 1 + remaining};
    }
    return fail(Errc::Malformed, "an MQTT remaining length of more than four bytes (section 2.2.3)");
}

Result<Connect> decode_connect(const Frame& frame) {
    FIELDWATCH_TRY(expect(frame, PacketType::Connect, 0));
    FieldReader reader(frame.body);
    const auto protocol = FIELDWATCH_TRY(reader.text());
    const auto level = FIELDWATCH_TRY(reader.u8());
    if (protocol != "MQTT" || level != 4) return fail(Errc::Unsupported, "MQTT 3.1.1 alone is spoken here");
    const unsigned flags = FIELDWATCH_TRY(reader.u8());
    Connect connect;
    connect.clean_session = (flags & 2) != 0;
    connect.keep_alive_seconds = FIELDWATCH_TRY(reader.u16());
    connect.client_id = FIELDWATCH_TRY(reader.text());
    const bool has_will = (flags & 4) != 0, has_password = (flags & 0x40) != 0,
               has_user_name = (flags & 0x80) != 0;
    if ((flags & 1) != 0 || (!has_will && (flags & 0x38) != 0) || (has_password && !has_user_name)) {
        return fail(Errc::Malformed, "contradicting MQTT connect flags (section 3.1.2.3)");
    }
    if (has_will) connect.will = FIELDWATCH_TRY(decode_will(reader, flags));
    if (has_user_name) connect.user_name = FIELDWATCH_TRY(reader.text());
    if (has_password) connect.password = FIELDWATCH_TRY(reader.binary());
    if (!reader.empty()) return fail(Errc::Malformed, "bytes behind the end of an MQTT CONNECT");
    return connect;
}

void encode_connect(Bytes& out, const Connect& connect) {
    unsigned flags = connect.clean_session ? 2 : 0;
    std::size_t size = 10 + 2 + connect.client_id.size();
    if (connect.will) {
        flags |= 4u | static_cast<unsigned>(connect.will->qos) << 3 | (connect.will->retain ? 0x20u : 0u);
        size += 4 + connect.will->topic.size() + connect.will->payload.size();
    }
    if (connect.user_name) {
        flags |= 0x80;
        size += 2 + connect.user_name->size();
    }
    if (connect.password) {
        flags |= 0x40;
        size += 2 + connect.password->size();
    }
    put_header(out, PacketType::Connect, 0, size);
    put_text(out, "MQTT");
    put_u8(out, 4);
    put_u8(out, flags);
    put_u16(out, connect.keep_alive_seconds);
    put_text(out, connect.client_id);
    if (connect.will) {
        put_text(out, connect.will->topic);
        put_binary(out, connect.will->payload);
    }
    if (connect.user_name) put_text(out, *connect.user_name);
    if (connect.password) put_binary(out, *connect.password);
}

Result<Connack> decode_connack(const Frame& frame) {
    FIELDWATCH_TRY(expect(frame, PacketType::Connack, 0));
    if (frame.body.size() != 2 || byte_at(frame.body, 0) > 1 || byte_at(frame.body, 1) > 5) {
        return fail(Errc::Malformed, "a bad MQTT CONNACK (section 3.2)");
    }
    return Connack{byte_at(frame.body, 0) == 1, static_cast<ConnackCode>(byte_at(frame.body, 1))};
}

void encode_connack(Bytes& out, Connack connack) {
    put_header(out, PacketType::Connack, 0, 2);
    put_u8(out, connack.session_present ? 1 : 0);
    put_u8(out, static_cast<unsigned>(connack.code));
}

Result<Publish> decode_publish(const Frame& frame) {
    if (frame.type != PacketType::Publish) return fail(Errc::Malformed, "another MQTT packet than expected");
    FieldReader reader(frame.body);
    Publish publish;
    publish.duplicate = (frame.flags & 8) != 0;
    publish.qos = static_cast<std::uint8_t>(frame.flags >> 1 & 3);
    publish.retain = (frame.flags & 1) != 0;
    if (publish.qos == 3) return fail(Errc::Malformed, "MQTT QoS 3 (section 3.3.1.2)");
    publish.topic = FIELDWATCH_TRY(reader.text());
    if (publish.topic.empty() || has_wildcard(publish.topic)) {
        return fail(Errc::Malformed, "an MQTT publish to a filter (section 3.3.2.1)");
    }
    if (publish.qos > 0) publish.packet_id = FIELDWATCH_TRY(reader.packet_id());
    publish.payload = reader.rest();
    return publish;
}

void encode_publish(Bytes& out, const Publish& publish) {
    const unsigned flags =
        (publish.duplicate ? 8u : 0u) | static_cast<unsigned>(publish.qos) << 1 | (publish.retain ? 1u : 0u);
    const auto size = 2 + publish.topic.size() + (publish.qos > 0 ? 2u : 0u) + publish.payload.size();
    out.reserve(out.size() + size + 5);
    put_header(out, PacketType::Publish, flags, size);
    put_text(out, publish.topic);
    if (publish.qos > 0) put_u16(out, publish.packet_id);
    put_raw(out, publish.payload);
}

Result<std::uint16_t> decode_packet_id(const Frame& frame) {
    FieldReader reader(frame.body);
    const auto packet_id = FIELDWATCH_TRY(reader.packet_id());
    if (!reader.empty()) return fail(Errc::Malformed, "bytes behind the end of an MQTT acknowledgement");
    return packet_id;
}

void encode_puback(Bytes& out, std::uint16_t packet_id) {
    encode_id_packet(out, PacketType::Puback, packet_id);
}

void encode_unsuback(Bytes& out, std::uint16_t packet_id) {
    encode_id_packet(out, PacketType::Unsuback, packet_id);
}

Result<Subscribe> decode_subscribe(const Frame& frame) {
    FIELDWATCH_TRY(expect(frame, PacketType::Subscribe, 2));
    return decode_filters(frame, true);
}

Result<Subscribe> decode_unsubscribe(const Frame& frame) {
    FIELDWATCH_TRY(expect(frame, PacketType::Unsubscribe, 2));
    return decode_filters(frame, false);
}

void encode_subscribe(Bytes& out, std::uint16_t packet_id, std::span<const Filter> filters) {
    encode_filters(out, PacketType::Subscribe, packet_id, filters);
}

void encode_unsubscribe(Bytes& out, std::uint16_t packet_id, std::span<const Filter> filters) {
    encode_filters(out, PacketType::Unsubscribe, packet_id, filters);
}

Result<Suback> decode_suback(const Frame& frame) {
    FIELDWATCH_TRY(expect(frame, PacketType::Suback, 0));
    FieldReader reader(frame.body);
    Suback suback;
    suback.packet_id = FIELDWATCH_TRY(reader.packet_id());
    suback.codes = reader.rest();
    return suback;
}

void encode_suback(Bytes& out, std::uint16_t packet_id, std::span<const std::uint8_t> codes) {
    put_header(out, PacketType::Suback, 0, 2 + codes.size());
    put_u16(out, packet_id);
    for (const auto code : codes)
        put_u8(out, code);
}

void encode_pingreq(Bytes& out) {
    put_header(out, PacketType::Pingreq, 0, 0);
}
void encode_pingresp(Bytes& out) {
    put_header(out, PacketType::Pingresp, 0, 0);
}
void encode_disconnect(Bytes& out) {
    put_header(out, PacketType::Disconnect, 0, 0);
}

}  // namespace fieldwatch::mqtt
