// What session tickets are sealed with: devices that come back resume by theirs, and nothing is kept here for
// any of them. RFC 5077, RFC 8446 section 4.6.1.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

struct ssl_ctx_st;

namespace fieldwatch::net {

/// A key seals for two hours, which is as long as a ticket lasts, and opens for two more: whoever takes a key
/// out of memory reads half a day of TLS 1.2 at the most, not all since the server's start. Any thread.
/// Outlives the contexts that it was attached to, and their connections.
class TicketKeys {
  public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr std::chrono::hours kSeals{2}, kOpens{4};

    struct Key {
        std::array<unsigned char, 16> name{};
        std::array<unsigned char, 32> cipher{}, mac{};
        Time made;
    };
    struct Opening {
        Key key;
        bool seals = false;  ///< still; otherwise the client is given a new ticket
    };

    TicketKeys() = default;
    ~TicketKeys();
    TicketKeys(const TicketKeys&) = delete;
    TicketKeys& operator=(const TicketKeys&) = delete;

    /// Tickets of the context are sealed and opened by these keys.
    void attach(ssl_ctx_st* context);

    /// Nullopt when there is no randomness to be had: the client then gets no ticket.
    std::optional<Key> to_seal(Time now);
    std::optional<Opening> to_open(std::span<const unsigned char, 16> name, Time now) const;

  private:
    mutable std::mutex mutex_;
    std::optional<Key> current_, previous_;  // guarded by mutex_
};

}  // namespace fieldwatch::net
