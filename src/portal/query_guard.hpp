// How many queries a person, or a token, may ask: so many in half a minute, and so many at once. A query
// holds a worker of the HTTP server for as long as it takes; who waits for minutes must leave some to the
// others, and to signing in. Internal to portal; docs/decisions/0251-queries-of-one-person.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/bounded_table.hpp"

namespace fieldwatch::portal {

/// Any thread. At most kKeysMax askers; the one that asked longest ago is forgotten first.
class QueryGuard {
  public:
    static constexpr int kInWindow = 200;               ///< of one asker, as the original API
    static constexpr std::chrono::seconds kWindow{30};  ///< from its first query on
    static constexpr int kAtOnceOfOne = 3;              ///< of one asker
    static constexpr int kAtOnce = 4;                   ///< of all: half of the server's workers
    static constexpr std::size_t kKeysMax = 8'192;

    /// One query that runs; the guard outlives it.
    class Turn {
      public:
        Turn(QueryGuard& guard, std::string asker) : guard_(&guard), asker_(std::move(asker)) {}
        Turn(Turn&& other) noexcept
            : guard_(std::exchange(other.guard_, nullptr)), asker_(std::move(other.asker_)) {}
        Turn& operator=(Turn&&) = delete;
        ~Turn() {
            if (guard_ != nullptr) guard_->leave(asker_);
        }

      private:
        QueryGuard* guard_;
        std::string asker_;
    };
    struct Refusal {
        std::string why;
        std::chrono::seconds after{1};  ///< when to ask again: at least 1
    };
    /// `now` is monotonic. A refused query counts for nothing.
    std::expected<Turn, Refusal> enter(std::string_view asker, std::chrono::nanoseconds now);

  private:
    struct Asker {
        std::chrono::nanoseconds since{0};  ///< of its first query in the window
        int asked = 0;                      ///< in it
        int running = 0;
    };
    void leave(std::string_view asker);

    std::mutex mutex_;
    BoundedTable<Asker> askers_{kKeysMax};
    int running_ = 0;
};

}  // namespace fieldwatch::portal
