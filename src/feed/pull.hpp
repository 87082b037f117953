// One pull of a feed: from its server to the text of the file that detection is to read. Internal to feed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "feed/feeds.hpp"

namespace fieldwatch::feed {

struct Pull {
    static constexpr std::size_t kPagesMax = 5'000;
    static constexpr std::size_t kEventsAtOnce = 5'000;  ///< of a MISP feed in one pull; the next takes more
    static constexpr std::chrono::minutes kTimeMax{10};  ///< of the whole

    const Feed& feed;
    const Cursor& cursor;
    std::optional<std::string> kept;  ///< the file that is there; without one everything is asked for
    const Clock& clock;
    const net::Interrupt* interrupt = nullptr;

    struct Pulled {
        std::optional<std::string> text;  ///< nullopt = unchanged
        Cursor cursor;                    ///< for the next pull, once the text is taken over
        bool is_addition = false;         ///< what was kept, and more: no sudden loss of the server's
        std::string problem;              ///< what was left out; "" = nothing
    };
    Result<Pulled> run() const;
};

}  // namespace fieldwatch::feed
