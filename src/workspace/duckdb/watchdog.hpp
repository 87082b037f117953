// The thread that ends queries which take too long: an engine's statement blocks its caller and is stopped
// from outside.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <thread>

#include "base/clock.hpp"
#include "workspace/duckdb/connection.hpp"

namespace fieldwatch::workspace {

/// Any thread. Stops and joins in its destructor; no Watch may outlive it.
class Watchdog {
  public:
    explicit Watchdog(const Clock& clock);
    ~Watchdog();

    /// While it lives, the connection is interrupted again and again from the deadline on.
    class Watch {
      public:
        Watch(Watchdog& owner, Connection& connection, std::chrono::milliseconds timeout);
        ~Watch();
        Watch(const Watch&) = delete;
        Watch& operator=(const Watch&) = delete;
        bool expired() const;

      private:
        friend class Watchdog;
        Watchdog& owner_;
        Connection& connection_;
        std::chrono::nanoseconds deadline_;
        bool expired_ = false;  // guarded by owner_.mutex_
    };

  private:
    void run(const std::stop_token& stop);

    const Clock& clock_;
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::list<Watch*> watches_;
    std::jthread thread_;  // last: starts when the rest is there
};

}  // namespace fieldwatch::workspace
