// Any bytes as a WebSocket client's stream: it ends in payload or an error, and arrives the same in any cut.
#include <cstdint>

#include "base/assert.hpp"
#include "net/websocket_frame.hpp"

using namespace fieldwatch;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input(reinterpret_cast<const std::byte*>(data), size);
    net::WebSocketDecoder whole;
    Bytes payload, reply;
    const auto used = whole.decode(input, payload, SIZE_MAX, reply);

    net::WebSocketDecoder byte_wise;
    Bytes payload_bits, reply_bits, buffer;
    bool failed = false;
    for (const auto byte : input) {
        buffer.push_back(byte);
        const auto step = byte_wise.decode(buffer, payload_bits, SIZE_MAX, reply_bits);
        if (!step) {
            failed = true;
            break;
        }
        buffer.erase(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*step));
    }
    FIELDWATCH_ASSERT(used.has_value() != failed);
    FIELDWATCH_ASSERT(payload == payload_bits);
    FIELDWATCH_ASSERT(reply == reply_bits);
    return 0;
}
