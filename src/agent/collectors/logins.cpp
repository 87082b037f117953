#include "agent/collectors/logins.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utmp.h>

#include <algorithm>
#include <cstring>

namespace fieldwatch::agent {

namespace {

constexpr std::size_t kReadMax = 64 * 1024;  // a pass; the rest comes with the next

std::string read_from(const std::string& path, std::uint64_t offset) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return {};
    std::string out(kReadMax, '\0');
    const auto got = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
    ::close(fd);
    out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return out;
}

}  // namespace

LoginFollower::LoginFollower(Paths paths, Handlers handlers) : handlers_(std::move(handlers)) {
    files_.push_back({.path = paths.wtmp, .kind = Followed::Kind::Wtmp});
    files_.push_back({.path = paths.btmp, .kind = Followed::Kind::Btmp});
    for (auto& log : paths.logs)
        files_.push_back({.path = std::move(log), .kind = Followed::Kind::Log});
    for (auto& file : files_) {
        struct stat status{};
        if (::stat(file.path.c_str(), &status) != 0) continue;
        file.inode = status.st_ino;
        file.offset = static_cast<std::uint64_t>(status.st_size);
    }
}

void LoginFollower::poll(std::uint64_t now_ns) {
    for (auto& file : files_) {
        struct stat status{};
        if (::stat(file.path.c_str(), &status) != 0) continue;
        const auto size = static_cast<std::uint64_t>(status.st_size);
        if (file.inode != status.st_ino || size < file.offset) {
            if (file.behind) handlers_.lost();
            file.inode = status.st_ino;
            file.offset = 0;
            file.behind = false;
        }
        if (size == file.offset) continue;
        const auto bytes = read_from(file.path, file.offset);
        file.behind = bytes.size() == kReadMax;
        if (file.kind == Followed::Kind::Log) {
            read_lines(file, bytes, now_ns);
        } else {
            read_records(file, bytes);
        }
    }
}

bool LoginFollower::is_behind() const {
    return std::ranges::any_of(files_, &Followed::behind);
}

bool LoginFollower::has_log() const {
    return std::ranges::any_of(files_, [](const Followed& file) {
        return file.kind == Followed::Kind::Log && ::access(file.path.c_str(), F_OK) == 0;
    });
}

void LoginFollower::read_records(Followed& file, const std::string& bytes) {
    static_assert(sizeof(fw_login::user) == sizeof(utmp::ut_user) &&
                  sizeof(fw_login::terminal) == sizeof(utmp::ut_line));
    for (std::size_t at = 0; at + sizeof(utmp) <= bytes.size();
         at += sizeof(utmp), file.offset += sizeof(utmp)) {
        utmp entry;
        std::memcpy(&entry, bytes.data() + at, sizeof entry);
        const bool failed = file.kind == Followed::Kind::Btmp;
        if (!failed && entry.ut_type != USER_PROCESS) continue;
        fw_login record{};
        record.time_ns =
            static_cast<fw_u64>(std::max<std::int32_t>(entry.ut_tv.tv_sec, 0)) * 1'000'000'000 +
            static_cast<fw_u64>(std::clamp<std::int32_t>(entry.ut_tv.tv_usec, 0, 999'999)) * 1'000;
        record.pid = static_cast<fw_u32>(std::max(entry.ut_pid, 0));
        record.result = failed ? FW_LOGIN_FAIL : FW_LOGIN_SUCCESS;
        std::memcpy(record.user, entry.ut_user, sizeof record.user);
        std::memcpy(record.terminal, entry.ut_line, sizeof record.terminal);
        // utmp(5): an IPv4 address uses the first word only.
        const bool is_ipv6 = entry.ut_addr_v6[1] || entry.ut_addr_v6[2] || entry.ut_addr_v6[3];
        record.family = is_ipv6 ? 6 : entry.ut_addr_v6[0] ? 4 : 0;
        std::memcpy(record.remote, entry.ut_addr_v6, is_ipv6 ? 16 : 4);
        if (!handlers_.login(record)) {
            file.behind = true;
            return;
        }
    }
}

void LoginFollower::read_lines(Followed& file, const std::string& bytes, std::uint64_t now_ns) {
    std::size_t begin = 0;
    for (auto end = bytes.find('\n'); end != std::string::npos; end = bytes.find('\n', begin)) {
        fw_log_line record{};
        record.time_ns = now_ns;
        record.source = FW_LOG_AUTH;
        record.size = static_cast<fw_u16>(std::min<std::size_t>(end - begin, sizeof record.line));
        std::memcpy(record.line, bytes.data() + begin, record.size);
        if (!handlers_.line(record)) {
            file.behind = true;
            file.offset += begin;
            return;
        }
        begin = end + 1;
    }
    // A line without end that fills the whole read is no line of a log: skip it.
    file.offset += begin == 0 && bytes.size() == kReadMax ? bytes.size() : begin;
}

}  // namespace fieldwatch::agent
