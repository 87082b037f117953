#include "agent/collectors/privileges.hpp"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>

#include "agent/collectors/proc.hpp"

namespace fieldwatch::agent {

namespace {

constexpr int kPerfmon = 38;  // names of Linux 5.8; older headers lack them
constexpr int kBpf = 39;
constexpr int kCapabilitiesMax = 64;

struct Sets {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};

    std::uint64_t permitted() const { return data[0].permitted | std::uint64_t{data[1].permitted} << 32; }
    bool read() { return ::syscall(SYS_capget, &header, data) == 0; }
    bool keep(std::uint64_t capabilities) {
        for (int word = 0; word < 2; ++word) {
            data[word].permitted = static_cast<std::uint32_t>(capabilities >> 32 * word);
            data[word].effective = data[word].permitted;
            data[word].inheritable = 0;
        }
        return ::syscall(SYS_capset, &header, data) == 0;
    }
};

constexpr std::uint64_t bit(int capability) {
    return std::uint64_t{1} << capability;
}

std::optional<std::uint32_t> real_id(const std::string& status, std::string_view name) {
    const auto at = status.find(name);
    if (at == std::string::npos) return std::nullopt;
    std::uint32_t id = 0;
    const auto* begin = status.data() + at + name.size();
    if (std::from_chars(begin, status.data() + status.size(), id).ec != std::errc{}) return std::nullopt;
    return id;
}

Error not_done(const char* what) {
    return {Errc::Io, std::string(what) + ": " + std::strerror(errno)};
}

}  // namespace

Result<void> narrow_privileges(std::uint32_t sender_pid) {
    const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
    (void)::setrlimit(RLIMIT_MEMLOCK, &unlimited);  // kernels before 5.11 count maps against it
    const bool has_bpf = ::prctl(PR_CAPBSET_READ, kBpf, 0, 0, 0) >= 0;
    const auto loading = has_bpf ? bit(kBpf) | bit(kPerfmon) : bit(CAP_SYS_ADMIN);
    return keep_only(
        loading | bit(CAP_SYS_PTRACE) | bit(CAP_DAC_READ_SEARCH) | bit(CAP_NET_ADMIN) | bit(CAP_AUDIT_READ),
        sender_pid);
}

Result<void> keep_only(std::uint64_t wanted, std::uint32_t sender_pid) {
    if (::geteuid() != 0) return {};
    const auto status = read_small("/proc/" + std::to_string(sender_pid) + "/status", 4'096);
    const auto uid = real_id(status, "\nUid:\t");
    const auto gid = real_id(status, "\nGid:\t");
    if (!uid || !gid) return fail(Errc::Io, "the sender's account cannot be seen");

    Sets sets;
    if (!sets.read()) return std::unexpected(not_done("capget"));
    const auto kept = sets.permitted() & wanted;
    for (int capability = 0; capability < kCapabilitiesMax; ++capability)
        (void)::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);  // unknown ones are not_done, which is as good
    if (*uid != 0) {
        if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return std::unexpected(not_done("keep capabilities"));
        if (::setgroups(0, nullptr) != 0 || ::setresgid(*gid, *gid, *gid) != 0 ||
            ::setresuid(*uid, *uid, *uid) != 0) {
            return std::unexpected(not_done("become the sender's account"));
        }
    }
    if (!sets.keep(kept)) return std::unexpected(not_done("capset"));
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return std::unexpected(not_done("no new privileges"));
    return {};
}

void forgo_net_admin() {
    Sets sets;
    if (sets.read() && sets.permitted() != 0) (void)sets.keep(sets.permitted() & ~bit(CAP_NET_ADMIN));
}

}  // namespace fieldwatch::agent
