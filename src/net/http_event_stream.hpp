// The queue between whoever has news (any thread) and the connection that writes it (the network thread).
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "net/http.hpp"

namespace fieldwatch::net {

/// One event as bytes of text/event-stream (WHATWG HTML section 9.2): every line of `data` gets its prefix,
/// so that no data can end the event or begin another.
std::string encode_event(std::string_view event, std::string_view data);

/// Bounded: a client that has let kEventsMax events or kBytesMax bytes wait is dropped and connects again.
class QueuedEventStream final : public EventStream {
  public:
    static constexpr std::size_t kEventsMax = 512;
    static constexpr std::size_t kBytesMax = 1u << 20;

    /// `wake` tells the connection that the queue is no longer empty, or is closed; called under the lock.
    explicit QueuedEventStream(std::function<void()> wake) : wake_(std::move(wake)) {}

    bool write(std::string_view event, std::string_view data) override;
    bool open() const override;
    void end() override;

    /// Everything queued, in order; "" when nothing is.
    std::string take();
    /// From here on write() refuses, and `wake` is never called again.
    void close();
    bool cut_off() const;  ///< by end(), or by its own slowness

  private:
    mutable std::mutex mutex_;
    std::function<void()> wake_;
    std::deque<std::string> queue_;
    std::size_t bytes_ = 0;
    bool closed_ = false;
    bool cut_off_ = false;
};

}  // namespace fieldwatch::net
