// MQTT 3.1.1 control packets: bytes in, values out, and back. No sockets, no clock; both ends of a connection
// use it. Decoded values are views into the packet's bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fieldwatch::mqtt {

enum class PacketType : std::uint8_t {
    Connect = 1,
    Connack = 2,
    Publish = 3,
    Puback = 4,
    Pubrec = 5,
    Pubrel = 6,
    Pubcomp = 7,
    Subscribe = 8,
    Suback = 9,
    Unsubscribe = 10,
    Unsuback = 11,
    Pingreq = 12,
    Pingresp = 13,
    Disconnect = 14,
};

/// One whole control packet, viewed in the input.
struct Frame {
    PacketType type = PacketType::Connect;
    std::uint8_t flags = 0;  ///< low four bits of the first byte
    ByteView body;           ///< behind the fixed header
    std::size_t size = 0;    ///< of the whole packet
};

/// Views the first whole packet in `input`; nullopt means "come back with more bytes". MQTT 3.1.1
/// section 2.2. Errors: Malformed, TooLarge when the body is announced larger than `bytes_max` (before it has
/// arrived).
Result<std::optional<Frame>> next_frame(ByteView input, std::size_t bytes_max);

struct Will {
    std::string_view topic;
    ByteView payload;
    std::uint8_t qos = 0;
    bool retain = false;
};

struct Connect {
    std::string_view client_id;
    std::optional<std::string_view> user_name;
    std::optional<ByteView> password;
    std::optional<Will> will;
    bool clean_session = true;
    std::uint16_t keep_alive_seconds = 0;  ///< 0 = none
};
/// Section 3.1. Errors: Malformed; Unsupported for another protocol name or level (answer CONNACK 1).
Result<Connect> decode_connect(const Frame& frame);
void encode_connect(Bytes& out, const Connect& connect);

enum class ConnackCode : std::uint8_t {
    Accepted = 0,
    UnacceptableProtocol = 1,
    IdentifierRejected = 2,
    ServerUnavailable = 3,
    BadCredentials = 4,
    NotAuthorized = 5,
};
struct Connack {
    bool session_present = false;
    ConnackCode code = ConnackCode::Accepted;
};
Result<Connack> decode_connack(const Frame& frame);
void encode_connack(Bytes& out, Connack connack);

struct Publish {
    std::string_view topic;
    ByteView payload;
    std::uint16_t packet_id = 0;  ///< 0 with QoS 0
    std::uint8_t qos = 0;
    bool retain = false;
    bool duplicate = false;
};
/// Section 3.3. Errors: Malformed also for a topic with wildcards, for QoS 3, and for packet id 0 with QoS >
/// 0.
Result<Publish> decode_publish(const Frame& frame);
void encode_publish(Bytes& out, const Publish& publish);

/// PUBACK, UNSUBACK (and the other packets that carry an id alone). Errors: Malformed.
Result<std::uint16_t> decode_packet_id(const Frame& frame);
void encode_puback(Bytes& out, std::uint16_t packet_id);
void encode_unsuback(Bytes& out, std::uint16_t packet_id);

struct Filter {
    std::string_view text;
    std::uint8_t qos = 0;
};
struct Subscribe {
    std::uint16_t packet_id = 0;
    std::vector<Filter> filters;  ///< at least one; at most kFiltersMax
};
inline constexpr std::size_t kFiltersMax = 50;  ///< spec/iot-hub-protocols.md section 3.2 allows so many
Result<Subscribe> decode_subscribe(const Frame& frame);
/// Section 3.10: like SUBSCRIBE without qos.
Result<Subscribe> decode_unsubscribe(const Frame& frame);
void encode_subscribe(Bytes& out, std::uint16_t packet_id, std::span<const Filter> filters);
void encode_unsubscribe(Bytes& out, std::uint16_t packet_id, std::span<const Filter> filters);

inline constexpr std::uint8_t kSubackFailure = 0x80;
struct Suback {
    std::uint16_t packet_id = 0;
    ByteView codes;  ///< one a filter: granted QoS or kSubackFailure
};
Result<Suback> decode_suback(const Frame& frame);
void encode_suback(Bytes& out, std::uint16_t packet_id, std::span<const std::uint8_t> codes);

void encode_pingreq(Bytes& out);
void encode_pingresp(Bytes& out);
void encode_disconnect(Bytes& out);

}  // namespace fieldwatch::mqtt
