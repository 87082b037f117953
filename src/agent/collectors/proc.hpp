// What /proc says of a process and of sockets: for the fallbacks, the listening ports and for processes that
// ran before the agent. Files vanish while they are read; then the answer is simply shorter.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/bpf/records.h"

namespace fieldwatch::agent {

/// Inode numbers, 0 = not known.
struct Namespaces {
    std::uint32_t mount = 0;
    std::uint32_t network = 0;
};

struct ProcessFacts {
    std::uint32_t pid = 0;
    std::uint32_t parent_pid = 0;
    std::uint32_t uid = 0;
    std::uint32_t login_uid = 0xffffffff;
    std::uint64_t start_ns = 0;  ///< since boot, to the kernel's clock tick (10 ms)
    std::string executable;      ///< "" for kernel threads and what may not be read
    std::string directory;
    std::uint64_t executable_inode = 0;
    Namespaces namespaces;
    std::string cgroup;     ///< last name of the unified path
    std::string arguments;  ///< NUL-separated, at most FW_ARGS_MAX
};

/// The first `bytes_max` bytes of a small file; "" if it cannot be read.
std::string read_small(const std::string& path, std::size_t bytes_max);
std::string read_link(const std::string& path);

/// False when the process is gone. `proc` is the mount point, "/proc".
bool read_process(const std::string& proc, std::uint32_t pid, ProcessFacts& out);
std::vector<std::uint32_t> list_processes(const std::string& proc);

/// Needs CAP_SYS_PTRACE for processes of others.
Namespaces namespaces_of(const std::string& proc, std::uint32_t pid);

struct SocketRow {
    std::array<std::uint8_t, 16> local{};
    std::array<std::uint8_t, 16> remote{};
    std::uint16_t local_port = 0;
    std::uint16_t remote_port = 0;
    std::uint8_t family = 4;
    std::uint8_t protocol = 6;  ///< IPPROTO_TCP or IPPROTO_UDP
    std::uint8_t state =
        0;  ///< as the kernel prints it: 1 established, 7 closed or unconnected, 10 listening
    std::uint32_t uid = 0;
    std::uint64_t inode = 0;
};

/// Parses the text of /proc/net/{tcp,tcp6,udp,udp6}, at most `rows_max` rows; other lines are skipped.
void parse_socket_table(const std::string& text, std::uint8_t family, std::uint8_t protocol,
                        std::size_t rows_max, std::vector<SocketRow>& out);

/// Which process holds each socket inode; walks every fd of every process once.
std::unordered_map<std::uint64_t, std::uint32_t> socket_owners(const std::string& proc);

}  // namespace fieldwatch::agent
