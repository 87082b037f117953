#include "net/websocket_frame.hpp"

#include <algorithm>

#include "base/hash.hpp"

namespace fieldwatch::net {

namespace {

constexpr std::size_t kControlBytesMax = 125;
constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

struct Head {
    WebSocketOpcode opcode = WebSocketOpcode::Binary;
    bool final = true;
    std::uint64_t payload_bytes = 0;
    std::array<std::byte, 4> mask{};
    std::size_t size = 0;  ///< of the head itself; 0 = it is not whole yet
};

Result<Head> read_head(ByteView input) {
    Head head;
    if (input.size() < 2) return head;
    const auto first = std::to_integer<unsigned>(input[0]);
    const auto second = std::to_integer<unsigned>(input[1]);
    if ((first & 0x70) != 0) return fail(Errc::Malformed, "reserved bits in a WebSocket frame");
    if ((second & 0x80) == 0) return fail(Errc::Malformed, "a client's WebSocket frame that is not masked");
    head.opcode = static_cast<WebSocketOpcode>(first & 0x0f);
    head.final = (first & 0x80) != 0;
    const std::size_t extra = (second & 0x7f) == 127 ? 8 : (second & 0x7f) == 126 ? 2 : 0;
    if (input.size() < 2 + extra + 4) return head;
    head.payload_bytes = second & 0x7f;
    if (extra > 0) {
        head.payload_bytes = 0;
        for (std::size_t i = 0; i < extra; ++i)
            head.payload_bytes = head.payload_bytes << 8 | std::to_integer<std::uint64_t>(input[2 + i]);
        if ((head.payload_bytes >> 63) != 0) return fail(Errc::Malformed, "a WebSocket length above 63 bits");
    }
    std::copy_n(input.begin() + static_cast<std::ptrdiff_t>(2 + extra), 4, head.mask.begin());
    head.size = 2 + extra + 4;
    return head;
}

}  // namespace

Result<std::size_t> WebSocketDecoder::control_frame(ByteView input, Bytes& reply) {
    const auto head = FIELDWATCH_TRY(read_head(input));
    if (!head.final || head.payload_bytes > kControlBytesMax)
        return fail(Errc::Malformed, "a WebSocket control frame that is too long or in pieces");
    const auto size = static_cast<std::size_t>(head.payload_bytes);
    if (input.size() < head.size + size) return std::size_t{0};
    Bytes content(input.begin() + static_cast<std::ptrdiff_t>(head.size),
                  input.begin() + static_cast<std::ptrdiff_t>(head.size + size));
    for (std::size_t i = 0; i < content.size(); ++i)
        content[i] ^= head.mask[i % 4];
    switch (head.opcode) {
        case WebSocketOpcode::Ping:
            encode_websocket_frame(reply, WebSocketOpcode::Pong, content);
            break;
        case WebSocketOpcode::Pong:
            break;
        case WebSocketOpcode::Close:
            closed_ = true;
            content.resize(std::min<std::size_t>(content.size(), 2));  // its status code back
            if (content.size() == 1)
                return fail(Errc::Malformed, "a WebSocket close with half a status code");
            encode_websocket_frame(reply, WebSocketOpcode::Close, content);
            break;
        default:
            return fail(Errc::Malformed, "an unknown WebSocket opcode");
    }
    return head.size + size;
}

Result<std::size_t> WebSocketDecoder::decode(ByteView input, Bytes& payload, std::size_t payload_max,
                                             Bytes& reply) {
    std::size_t used = 0;
    while (used < input.size() && !closed_) {
        if (remaining_ > 0) {
            if (payload.size() >= payload_max) break;
            const auto count = static_cast<std::size_t>(
                std::min<std::uint64_t>({remaining_, input.size() - used, payload_max - payload.size()}));
            for (const auto byte : input.subspan(used, count))
                payload.push_back(byte ^ mask_[mask_at_++ % 4]);
            used += count;
            remaining_ -= count;
            continue;
        }
        const auto rest = input.subspan(used);
        const auto head = FIELDWATCH_TRY(read_head(rest));
        if (head.size == 0) break;
        if ((static_cast<unsigned>(head.opcode) & 8) != 0) {
            const auto size = FIELDWATCH_TRY(control_frame(rest, reply));
            if (size == 0) break;
            used += size;
            continue;
        }
        const bool continues = head.opcode == WebSocketOpcode::Continuation;
        if (!continues && head.opcode != WebSocketOpcode::Binary)
            return fail(Errc::Malformed, "WebSocket messages here are binary");
        if (continues != in_message_) return fail(Errc::Malformed, "WebSocket fragments out of order");
        in_message_ = !head.final;
        mask_ = head.mask;
        mask_at_ = 0;
        remaining_ = head.payload_bytes;
        used += head.size;
    }
    return used;
}

void encode_websocket_frame(Bytes& out, WebSocketOpcode opcode, ByteView payload) {
    const auto put = [&](std::uint64_t value) { out.push_back(static_cast<std::byte>(value & 0xff)); };
    put(0x80u | static_cast<unsigned>(opcode));
    const std::uint64_t size = payload.size();
    if (size < 126) {
        put(size);
    } else if (size < 65'536) {
        put(126);
        put(size >> 8);
        put(size);
    } else {
        put(127);
        for (int shift = 56; shift >= 0; shift -= 8)
            put(size >> shift);
    }
    out.insert(out.end(), payload.begin(), payload.end());
}

std::string websocket_accept(std::string_view key) {
    const auto digest = sha1(as_bytes(std::string(key) + std::string(kGuid)));
    return base64(digest);
}

}  // namespace fieldwatch::net
