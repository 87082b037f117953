// Frames on sessions that their client has ended, kept from proton. Source: AMQP 1.0 part 2, sections 2.3 and
// 2.5.
#pragma once

#include <cstdint>
#include <optional>
#include <set>

#include "base/bytes.hpp"

namespace fieldwatch::amqp {

/// A client must say nothing more on a channel once it has sent `end` there, but the vendor's Node clients
/// do: what the hub had sent before it heard of the end is acknowledged all the same. Proton takes that for
/// an error of the whole connection and writes nothing but `close` from then on, also no answer to what it
/// has heard before: the client waits a minute for the ends of its other links. So such frames are passed
/// over, as part 2 section 2.5.8 has a session discard what comes too late. One connection's strand. Holds
/// the head of one frame, 1,030 bytes at most, and the channels that are ended: proton lets nobody end more
/// than it began.
class EndedSessions {
  public:
    struct Step {
        std::size_t used = 0;  ///< so much of the input is done with
        ByteView heard;        ///< this is for the engine; valid until the next call
    };
    /// The first part of `input`, which is not empty; the rest is for the next call.
    Step next(ByteView input);

  private:
    struct Frame {
        std::uint64_t size = 0;
        std::uint16_t channel = 0;
        std::uint8_t performative = 0;  ///< 0: none, or not one of AMQP's
    };
    static std::optional<Frame> look(ByteView bytes);
    Step complete_head(ByteView input);
    bool is_too_late(const Frame& frame) const;
    void enter(const Frame& frame);

    std::uint64_t left_ = 0;  ///< of the frame that has begun
    bool dropping_ = false;   ///< that frame
    Bytes head_, whole_head_;
    std::set<std::uint16_t> ended_;
};

}  // namespace fieldwatch::amqp
