// WebSocket framing, the server's half: bytes in, payload and control frames out. No sockets.
// Source: RFC 6455 section 5. Payload streams through: a frame need not fit into memory.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fieldwatch::net {

/// One connection's direction from the client. One strand.
class WebSocketDecoder {
  public:
    /// Decodes what it can of `input`: appends the payload of binary frames to `payload`, answers to pings
    /// and to a close to `reply`. Returns the bytes used; a frame head or control frame that is not whole is
    /// left. Stops when `payload` has `payload_max` bytes. Errors: Malformed (unmasked, reserved bits, a text
    /// message, fragments out of order, a control frame that is too long or in pieces).
    Result<std::size_t> decode(ByteView input, Bytes& payload, std::size_t payload_max, Bytes& reply);
    bool closed() const { return closed_; }  ///< a close frame came

  private:
    Result<std::size_t> control_frame(ByteView input, Bytes& reply);

    std::uint64_t remaining_ = 0;  ///< of the data frame that is under way
    std::array<std::byte, 4> mask_{};
    std::size_t mask_at_ = 0;
    bool in_message_ = false;  ///< a fragment without FIN came: continuations follow
    bool closed_ = false;
};

enum class WebSocketOpcode : std::uint8_t {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10
};

/// Appends one whole frame, not masked as a server's are.
void encode_websocket_frame(Bytes& out, WebSocketOpcode opcode, ByteView payload);

/// `Sec-WebSocket-Accept` for a client's key, section 4.2.2.
std::string websocket_accept(std::string_view key);

}  // namespace fieldwatch::net
