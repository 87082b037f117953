// Sockets as /proc/net shows them: the listening ports snapshot, and the polling fallback for connections.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "agent/bpf/records.h"
#include "agent/collectors/proc.hpp"

namespace fieldwatch::agent {

/// All sockets that wait for strangers: TCP in LISTEN, UDP unconnected. Owner and executable filled in where
/// they can be seen. At most 1,024 (a device has tens); `lost` counts the rest.
struct PortSnapshot {
    std::vector<fw_port> ports;
    std::uint32_t lost = 0;
};
PortSnapshot take_port_snapshot(const std::string& proc, std::uint32_t id);

/// Number that names this process's network namespace.
std::uint32_t own_network_namespace();

/// Compares /proc/net/tcp or udp with its last look and reports what is new: connections that live shorter
/// than the period between two looks are missed, and cannot be counted. Of UDP only connected sockets name
/// their peer.
class ConnectionPoller {
  public:
    struct Handlers {
        std::function<void(const fw_connection&)> connection;
        std::function<void(const fw_listen&)> listen;
    };
    /// `protocol`: IPPROTO_TCP or IPPROTO_UDP; of UDP no listeners are told.
    ConnectionPoller(std::uint8_t protocol, Handlers handlers)
        : protocol_(protocol), handlers_(std::move(handlers)) {}
    void poll(const std::string& proc, bool loopback, std::uint64_t now_ns);
    fw_counters counters() const { return counters_; }

  private:
    using Key = std::tuple<std::uint64_t, std::uint16_t, std::uint16_t>;  // inode, local port, remote port
    void report(const SocketRow& row, std::uint32_t pid, bool inbound, std::uint64_t now_ns);

    std::uint8_t protocol_;
    Handlers handlers_;
    std::set<Key> connections_;
    std::set<std::pair<std::uint8_t, std::uint16_t>> listening_;
    bool first_ = true;
    fw_counters counters_{};
};

}  // namespace fieldwatch::agent
