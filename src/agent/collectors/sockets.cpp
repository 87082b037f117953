#include "agent/collectors/sockets.hpp"

#include <netinet/in.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

namespace fieldwatch::agent {

namespace {

constexpr std::size_t kRowsMax = 16'384;
constexpr std::size_t kPortsMax = 1'024;
constexpr std::uint8_t kEstablished = 1;
constexpr std::uint8_t kClosed = 7;  // for UDP: not connected
constexpr std::uint8_t kListen = 10;

void read_table(const std::string& proc, const char* name, std::uint8_t family, std::uint8_t protocol,
                std::vector<SocketRow>& rows) {
    parse_socket_table(read_small(proc + "/net/" + name, 4u << 20), family, protocol, kRowsMax, rows);
}

bool is_loopback(const SocketRow& row) {
    if (row.family == 4) return row.remote[0] == 127;
    static constexpr std::uint8_t kOne[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    static constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::memcmp(row.remote.data(), kOne, 16) == 0 ||
           (std::memcmp(row.remote.data(), kMapped, 12) == 0 && row.remote[12] == 127);
}

}  // namespace

std::uint32_t own_network_namespace() {
    struct stat status{};
    return ::stat("/proc/self/ns/net", &status) == 0 ? static_cast<std::uint32_t>(status.st_ino) : 0;
}

PortSnapshot take_port_snapshot(const std::string& proc, std::uint32_t id) {
    std::vector<SocketRow> rows;
    read_table(proc, "tcp", 4, IPPROTO_TCP, rows);
    read_table(proc, "tcp6", 6, IPPROTO_TCP, rows);
    read_table(proc, "udp", 4, IPPROTO_UDP, rows);
    read_table(proc, "udp6", 6, IPPROTO_UDP, rows);
    std::erase_if(rows, [](const SocketRow& row) {
        return row.protocol == IPPROTO_TCP ? row.state != kListen
                                           : row.state != kClosed || row.remote_port != 0;
    });
    PortSnapshot snapshot;
    if (rows.size() > kPortsMax) {
        snapshot.lost = static_cast<std::uint32_t>(rows.size() - kPortsMax);
        rows.resize(kPortsMax);
    }
    if (rows.empty()) return snapshot;
    const auto owners = socket_owners(proc);
    for (const auto& row : rows) {
        fw_port port{};
        port.snapshot = id;
        port.uid = row.uid;
        port.port = row.local_port;
        port.family = row.family;
        port.protocol = row.protocol;
        std::ranges::copy(row.local, port.local);
        if (const auto owner = owners.find(row.inode); owner != owners.end()) {
            port.pid = owner->second;
            const auto executable = read_link(proc + "/" + std::to_string(port.pid) + "/exe");
            port.executable_size = static_cast<fw_u16>(std::min(executable.size(), sizeof port.executable));
            std::memcpy(port.executable, executable.data(), port.executable_size);
        }
        snapshot.ports.push_back(port);
    }
    return snapshot;
}

void ConnectionPoller::report(const SocketRow& row, std::uint32_t pid, bool inbound, std::uint64_t now_ns) {
    fw_connection record{};
    record.time_ns = now_ns;
    record.pid = pid;
    record.uid = row.uid;
    record.local_port = row.local_port;
    record.remote_port = row.remote_port;
    record.family = row.family;
    record.direction = inbound ? FW_IN : FW_OUT;
    record.outcome = FW_ESTABLISHED;
    record.protocol = row.protocol;
    std::ranges::copy(row.local, record.local);
    std::ranges::copy(row.remote, record.remote);
    ++counters_.produced;
    handlers_.connection(record);
}

void ConnectionPoller::poll(const std::string& proc, bool loopback, std::uint64_t now_ns) {
    const bool is_udp = protocol_ == IPPROTO_UDP;
    std::vector<SocketRow> rows;
    read_table(proc, is_udp ? "udp" : "tcp", 4, protocol_, rows);
    read_table(proc, is_udp ? "udp6" : "tcp6", 6, protocol_, rows);

    std::set<std::pair<std::uint8_t, std::uint16_t>> listening;
    std::set<Key> connections;
    std::vector<const SocketRow*> fresh;
    for (const auto& row : rows) {
        if (row.state == (is_udp ? kClosed : kListen)) listening.emplace(row.family, row.local_port);
        if (row.state != kEstablished || (!loopback && is_loopback(row))) continue;
        const Key key{row.inode, row.local_port, row.remote_port};
        connections.insert(key);
        if (!connections_.contains(key)) fresh.push_back(&row);
    }
    if (!first_ && !fresh.empty()) {
        const auto owners = socket_owners(proc);
        for (const auto* row : fresh) {
            const auto owner = owners.find(row->inode);
            const bool inbound = listening.contains({row->family, row->local_port}) ||
                                 listening.contains({std::uint8_t{6}, row->local_port});
            report(*row, owner == owners.end() ? 0 : owner->second, inbound, now_ns);
        }
    }
    const auto tell = [&](const auto& left, const auto& right, std::uint8_t begins) {
        for (const auto& [family, port] : left) {
            if (right.contains({family, port})) continue;
            fw_listen record{};
            record.time_ns = now_ns;
            record.port = port;
            record.family = family;
            record.begins = begins;
            handlers_.listen(record);
        }
    };
    if (!first_ && !is_udp) {
        tell(listening, listening_, 1);
        tell(listening_, listening, 0);
    }
    connections_ = std::move(connections);
    listening_ = std::move(listening);
    first_ = false;
}

}  // namespace fieldwatch::agent
