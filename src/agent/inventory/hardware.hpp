// Connected hardware: a snapshot of what sysfs shows, and the kernel's word of what comes and goes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/aggregation/observation.hpp"

namespace fieldwatch::agent {

/// USB and PCI devices, disks, network links, input and sound devices below `root`/sys; at most 512. Virtual
/// disks (loop, ram, zram) are left out, virtual network links are not: a tunnel is a way in.
std::vector<Observation> read_hardware(const std::string& root);

/// One kernel message of NETLINK_KOBJECT_UEVENT: `add@/devices/…`, then NUL-terminated KEY=VALUE. Nothing
/// when it is none (libudev's own messages begin otherwise).
struct Uevent {
    std::string_view action;
    std::map<std::string_view, std::string_view> properties;  // views into the message
};
std::optional<Uevent> parse_uevent(std::string_view message);

/// The Peripheral event (schema 2.0) of a USB device or network link that came or went; nothing for the rest.
std::optional<Observation> describe_peripheral(const Uevent& uevent, std::int64_t time_unix_ms);

/// Listens for them; needs no privilege. Where the kernel refuses (another user namespace), is_open() is
/// false and the periodic snapshot alone remains.
class UeventSocket {
  public:
    UeventSocket();
    ~UeventSocket();
    UeventSocket(const UeventSocket&) = delete;
    UeventSocket& operator=(const UeventSocket&) = delete;

    int fd() const { return socket_; }
    bool is_open() const { return socket_ >= 0; }
    /// The next message, at most 8 KiB; "" when there is none now. Overflow is counted.
    std::string next();
    std::uint64_t overflows() const { return overflows_; }

  private:
    int socket_ = -1;
    std::uint64_t overflows_ = 0;
};

}  // namespace fieldwatch::agent
