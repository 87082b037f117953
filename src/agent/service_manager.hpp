// Whoever starts the agent and starts it again when it ends: systemd, or another that speaks sd_notify(3).
#pragma once

#include <cstdint>
#include <string>

namespace fieldwatch::agent {

/// Tells it that the agent still does its work, where it asked to be told (WatchdogSec). One thread.
class ServiceManager {
  public:
    /// Of NOTIFY_SOCKET and WATCHDOG_USEC.
    static ServiceManager from_environment();
    /// `socket` is a path, or an abstract name behind '@'; "" or no timeout: nobody asked.
    ServiceManager(std::string socket, std::int64_t timeout_ns)
        : socket_(std::move(socket)), timeout_ns_(timeout_ns) {}

    /// Three times within the timeout, however often it is called.
    void tell_alive(std::int64_t now_ns);

  private:
    std::string socket_;
    std::int64_t timeout_ns_;
    std::int64_t next_ns_ = 0;
};

}  // namespace fieldwatch::agent
