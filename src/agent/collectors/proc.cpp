#include "agent/collectors/proc.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "agent/directory.hpp"

namespace fieldwatch::agent {

namespace {

constexpr std::size_t kProcessesMax = 65'536;  // a bound against a fork bomb, not a device's size

template <class T>
bool number(std::string_view text, T& out, int base = 10) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
    return error == std::errc{} && end == text.data() + text.size();
}

/// The value of `Name:\t123 ...` in /proc/pid/status.
std::uint32_t status_number(std::string_view status, std::string_view name) {
    const auto at = status.find(name);
    if (at == std::string_view::npos) return 0;
    std::uint32_t value = 0;
    const auto* begin = status.data() + at + name.size();
    while (begin < status.data() + status.size() && (*begin == '\t' || *begin == ' '))
        ++begin;
    std::from_chars(begin, status.data() + status.size(), value);
    return value;
}

/// Field 22 of /proc/pid/stat: start time in clock ticks since boot. The name in field 2 may hold anything.
std::uint64_t start_ns(std::string_view stat) {
    const auto close = stat.rfind(')');
    if (close == std::string_view::npos) return 0;
    auto rest = stat.substr(close + 1);
    for (int field = 3; field <= 22; ++field) {
        const auto begin = rest.find_first_not_of(' ');
        if (begin == std::string_view::npos) return 0;
        rest.remove_prefix(begin);
        const auto end = std::min(rest.find(' '), rest.size());
        if (field == 22) {
            std::uint64_t ticks = 0;
            static const auto per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
            return number(rest.substr(0, end), ticks) ? ticks * (1'000'000'000 / per_second) : 0;
        }
        rest.remove_prefix(end);
    }
    return 0;
}

std::uint64_t inode_of(const std::string& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

}  // namespace

std::string read_small(const std::string& path, std::size_t bytes_max) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return {};
    std::string out(std::min<std::size_t>(bytes_max, 4096), '\0');
    std::size_t size = 0;
    for (;;) {
        if (size == out.size()) {
            if (size >= bytes_max) break;
            out.resize(std::min(bytes_max, size * 2));
        }
        const auto got = ::read(fd, out.data() + size, out.size() - size);
        if (got <= 0) break;
        size += static_cast<std::size_t>(got);
    }
    ::close(fd);
    out.resize(size);
    return out;
}

std::string read_link(const std::string& path) {
    char target[1024];
    const auto size = ::readlink(path.c_str(), target, sizeof target);
    return size > 0 ? std::string(target, static_cast<std::size_t>(size)) : std::string();
}

bool read_process(const std::string& proc, std::uint32_t pid, ProcessFacts& out) {
    const auto base = proc + "/" + std::to_string(pid) + "/";
    const auto status = read_small(base + "status", 4096);
    if (status.empty()) return false;
    out.pid = pid;
    out.parent_pid = status_number(status, "PPid:");
    out.uid = status_number(status, "Uid:");
    out.start_ns = start_ns(read_small(base + "stat", 1024));
    out.executable = read_link(base + "exe");
    out.executable_inode = inode_of(base + "exe");
    out.namespaces = namespaces_of(proc, pid);
    out.directory = read_link(base + "cwd");
    out.arguments = read_small(base + "cmdline", FW_ARGS_MAX);
    const auto cgroup = read_small(base + "cgroup", 4096);
    if (const auto unified = cgroup.find("0::"); unified != std::string::npos) {
        const auto line = std::string_view(cgroup).substr(unified, cgroup.find('\n', unified) - unified);
        const auto name = line.substr(line.rfind('/') + 1);
        out.cgroup = name.substr(0, FW_CGROUP_MAX);
    }
    const auto login = read_small(base + "loginuid", 16);
    if (!number(std::string_view(login), out.login_uid)) out.login_uid = 0xffffffff;
    return true;
}

Namespaces namespaces_of(const std::string& proc, std::uint32_t pid) {
    const auto base = proc + "/" + std::to_string(pid) + "/ns/";
    return {static_cast<std::uint32_t>(inode_of(base + "mnt")),
            static_cast<std::uint32_t>(inode_of(base + "net"))};
}

std::vector<std::uint32_t> list_processes(const std::string& proc) {
    std::vector<std::uint32_t> out;
    const Directory directory(::opendir(proc.c_str()));
    if (!directory) return out;
    while (const auto* entry = ::readdir(directory.get())) {
        std::uint32_t pid = 0;
        if (number(std::string_view(entry->d_name), pid) && pid != 0 && out.size() < kProcessesMax)
            out.push_back(pid);
    }
    return out;
}

namespace {

/// `0100007F:1F90`: each 32-bit group is printed as a number of the host's byte order.
bool parse_address(std::string_view text, std::uint8_t family, std::array<std::uint8_t, 16>& address,
                   std::uint16_t& port) {
    const std::size_t digits = family == 4 ? 8 : 32;
    if (text.size() != digits + 5 || text[digits] != ':' || !number(text.substr(digits + 1), port, 16))
        return false;
    for (std::size_t group = 0; group * 8 < digits; ++group) {
        std::uint32_t value = 0;
        if (!number(text.substr(group * 8, 8), value, 16)) return false;
        std::memcpy(address.data() + group * 4, &value, 4);
    }
    return true;
}

bool parse_socket_row(std::string_view line, SocketRow& row) {
    std::array<std::string_view, 10> fields;
    std::size_t count = 0;
    while (count < fields.size()) {
        const auto begin = line.find_first_not_of(' ');
        if (begin == std::string_view::npos) break;
        line.remove_prefix(begin);
        const auto end = std::min(line.find(' '), line.size());
        fields[count++] = line.substr(0, end);
        line.remove_prefix(end);
    }
    return count == fields.size() && parse_address(fields[1], row.family, row.local, row.local_port) &&
           parse_address(fields[2], row.family, row.remote, row.remote_port) &&
           number(fields[3], row.state, 16) && number(fields[7], row.uid) && number(fields[9], row.inode);
}

}  // namespace

void parse_socket_table(const std::string& text, std::uint8_t family, std::uint8_t protocol,
                        std::size_t rows_max, std::vector<SocketRow>& out) {
    std::string_view rest = text;
    while (!rest.empty() && out.size() < rows_max) {
        const auto end = std::min(rest.find('\n'), rest.size());
        SocketRow row{.family = family, .protocol = protocol};
        if (parse_socket_row(rest.substr(0, end), row)) out.push_back(row);
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
}

std::unordered_map<std::uint64_t, std::uint32_t> socket_owners(const std::string& proc) {
    std::unordered_map<std::uint64_t, std::uint32_t> owners;
    for (const auto pid : list_processes(proc)) {
        const auto base = proc + "/" + std::to_string(pid) + "/fd";
        const Directory directory(::opendir(base.c_str()));
        if (!directory) continue;
        while (const auto* entry = ::readdir(directory.get())) {
            if (entry->d_name[0] == '.') continue;
            char target[64];
            const auto size = ::readlinkat(::dirfd(directory.get()), entry->d_name, target, sizeof target);
            const std::string_view link(target, size > 0 ? static_cast<std::size_t>(size) : 0);
            std::uint64_t inode = 0;
            if (link.starts_with("socket:[") && link.ends_with("]") &&
                number(link.substr(8, link.size() - 9), inode) && owners.size() < kProcessesMax) {
                owners.emplace(inode, pid);
            }
        }
    }
    return owners;
}

}  // namespace fieldwatch::agent
