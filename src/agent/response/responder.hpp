// The third process: ends processes and changes the packet filter when the sender asks, and only what the
// *local* configuration allows. It has no network connection and parses nothing but one fixed-size record, so
// that neither the hub nor a sender that was taken over can have more done than the owner of the device wrote
// down.
#pragma once

#include <cstdint>

#include "agent/response/request.hpp"
#include "base/result.hpp"

namespace fieldwatch::agent {

/// One thread.
class Responder {
  public:
    /// `own_pids`: collector and sender, never ended.
    Responder(int socket, std::uint32_t allowed, std::uint32_t sender_pid, std::uint32_t collector_pid)
        : socket_(socket), allowed_(allowed), sender_pid_(sender_pid), collector_pid_(collector_pid) {}
    /// Serves until the sender is gone.
    int run();
    Result<void> serve(const ResponseRequest& request) const;

  private:
    bool is_own(std::uint32_t pid) const;
    Result<void> kill_process(const ResponseRequest& request) const;

    int socket_;
    std::uint32_t allowed_;
    std::uint32_t sender_pid_, collector_pid_;
};

}  // namespace fieldwatch::agent
