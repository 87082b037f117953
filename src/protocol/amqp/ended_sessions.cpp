#include "protocol/amqp/ended_sessions.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace fieldwatch::amqp {

namespace {

constexpr std::size_t kHeaderBytes = 8;       // of a frame, and of the protocol
constexpr std::size_t kDescriptorBytes = 10;  // 0x00 0x80 and eight bytes; mostly 0x00 0x53 and one
constexpr std::uint8_t kOpen = 0x10, kBegin = 0x11, kEnd = 0x17, kClose = 0x18;

std::uint8_t byte_of(ByteView bytes, std::size_t at) {
    return std::to_integer<std::uint8_t>(bytes[at]);
}

std::uint8_t performative_of(ByteView body) {
    if (body.size() < 3 || byte_of(body, 0) != 0) return 0;
    if (byte_of(body, 1) == 0x53) return byte_of(body, 2);
    if (byte_of(body, 1) != 0x80 || body.size() < kDescriptorBytes) return 0;
    for (std::size_t at = 2; at + 1 < kDescriptorBytes; ++at)
        if (byte_of(body, at) != 0) return 0;
    return byte_of(body, kDescriptorBytes - 1);
}

}  // namespace

/// The frame that begins `bytes`; nullopt when more of it must be seen. What is no frame is let through to
/// its end, which is the connection's: proton refuses it.
std::optional<EndedSessions::Frame> EndedSessions::look(ByteView bytes) {
    if (bytes.size() < kHeaderBytes) return std::nullopt;
    if (as_text(bytes.first(4)) == "AMQP") return Frame{.size = kHeaderBytes};
    Frame frame;
    for (std::size_t at = 0; at < 4; ++at)
        frame.size = frame.size << 8 | byte_of(bytes, at);
    const std::size_t body = 4u * byte_of(bytes, 4);
    if (body < kHeaderBytes || body > frame.size)
        return Frame{.size = std::numeric_limits<std::uint64_t>::max()};
    const bool is_amqp = byte_of(bytes, 5) == 0;  // else SASL's
    if (!is_amqp || body == frame.size) return frame;
    const auto wanted = std::min<std::uint64_t>(frame.size, body + kDescriptorBytes);
    if (bytes.size() < wanted) return std::nullopt;
    frame.channel = static_cast<std::uint16_t>(byte_of(bytes, 6) << 8 | byte_of(bytes, 7));
    frame.performative = performative_of(bytes.first(wanted).subspan(body));
    return frame;
}

bool EndedSessions::is_too_late(const Frame& frame) const {
    switch (frame.performative) {
        case 0:
        case kOpen:
        case kClose:  // the connection's, whatever the channel
        case kBegin:  // a new session there
            return false;
        default:
            return ended_.contains(frame.channel);
    }
}

void EndedSessions::enter(const Frame& frame) {
    left_ = frame.size;
    dropping_ = is_too_late(frame);
    if (frame.performative == kBegin) ended_.erase(frame.channel);
    if (frame.performative == kEnd) ended_.insert(frame.channel);
}

EndedSessions::Step EndedSessions::next(ByteView input) {
    if (!head_.empty()) return complete_head(input);
    std::size_t heard = 0;  // whole runs of frames go to the engine at once
    while (heard < input.size()) {
        const auto rest = input.subspan(heard);
        if (left_ == 0) {
            const auto frame = look(rest);
            if (heard > 0 && (!frame || is_too_late(*frame))) break;
            if (!frame) {
                head_.assign(rest.begin(), rest.end());
                return {.used = input.size(), .heard = {}};
            }
            enter(*frame);
        }
        const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size()));
        left_ -= part;
        if (dropping_) return {.used = part, .heard = {}};
        heard += part;
    }
    return {.used = heard, .heard = input.first(heard)};
}

EndedSessions::Step EndedSessions::complete_head(ByteView input) {
    std::size_t used = 0;
    auto frame = look(head_);
    while (!frame && used < input.size()) {
        head_.push_back(input[used++]);
        frame = look(head_);
    }
    if (!frame) return {.used = used, .heard = {}};
    enter(*frame);
    left_ -= head_.size();  // a frame is looked at as soon as enough of it is there, never behind it
    whole_head_ = std::exchange(head_, {});
    return {.used = used, .heard = dropping_ ? ByteView{} : ByteView(whole_head_)};
}

}  // namespace fieldwatch::amqp
