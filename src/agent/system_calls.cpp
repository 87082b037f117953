#include "agent/system_calls.hpp"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

// BPF_STMT and BPF_JUMP are C macros with C casts.
#pragma GCC diagnostic ignored "-Wold-style-cast"

namespace fieldwatch::agent {

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#elif defined(__arm__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_ARM;
#else
constexpr std::uint32_t kArchitecture = 0;  // no filter: limit_system_calls() says so
#endif

// What the C library and both halves live on: memory, files, clocks, waiting, signals to oneself.
constexpr int kBoth[] = {
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_openat,
    SYS_close,
    SYS_lseek,
    SYS_fstat,
    SYS_munmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    SYS_ppoll,
    SYS_fcntl,
    SYS_dup,
    SYS_ioctl,
    SYS_getdents64,
    SYS_readlinkat,
    SYS_faccessat,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_getpid,
    SYS_gettid,
    SYS_getppid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_futex,
    SYS_exit,
    SYS_exit_group,
    SYS_getrandom,
    SYS_uname,
    SYS_sysinfo,
    SYS_prctl,
    SYS_prlimit64,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_restart_syscall,
    SYS_tgkill,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_sendto,
    SYS_sendmsg,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_getsockname,
    SYS_bind,
    SYS_shutdown,
    SYS_statfs,
    SYS_fstatfs,
    SYS_statx,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_set_robust_list,
    SYS_membarrier,
#ifdef SYS_newfstatat
    SYS_newfstatat,
#endif
#ifdef SYS_fstatat64
    SYS_fstatat64,
    SYS_fstat64,
    SYS_stat64,
    SYS_lstat64,
    SYS_mmap2,
    SYS_fcntl64,
    SYS__llseek,
    SYS_getuid32,
    SYS_geteuid32,
    SYS_getgid32,
    SYS_getegid32,
    SYS_clock_gettime64,
    SYS_ppoll_time64,
    SYS_futex_time64,
    SYS_clock_nanosleep_time64,
    SYS_clock_getres_time64,
    SYS_pselect6_time64,
    SYS_ugetrlimit,
    SYS_statfs64,
    SYS_fstatfs64,
    SYS_sigreturn,  // of a handler without SA_SIGINFO
#endif
#ifdef SYS_recv  // where the C library has these apart from sendto and recvfrom
    SYS_recv,
    SYS_send,
#endif
#ifdef SYS_open
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_poll,
    SYS_epoll_wait,
#endif
#ifdef SYS_mmap  // 32-bit ARM has mmap2 only
    SYS_mmap,
#endif
#ifdef SYS_time
    SYS_time,
#endif
#ifdef SYS_faccessat2
    SYS_faccessat2,
#endif
#ifdef SYS_rseq
    SYS_rseq,
#endif
#if defined(__has_feature)
#if __has_feature(undefined_behavior_sanitizer)
    // Tries a pointer through a pipe before it looks at the object's type. No build that devices get has it.
    SYS_pipe2,
#endif
#endif
};

// The sender keeps files of its own and talks to the hub.
constexpr int kSender[] = {
    SYS_connect,
    SYS_getpeername,
    SYS_fsync,
    SYS_fdatasync,
    SYS_ftruncate,
    SYS_renameat,
    SYS_unlinkat,
    SYS_mkdirat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_inotify_init1,
    SYS_inotify_add_watch,
    SYS_inotify_rm_watch,
    SYS_sendmmsg,
#ifdef SYS_renameat2
    SYS_renameat2,
#endif
#ifdef SYS_ftruncate64
    SYS_ftruncate64,
#endif
#ifdef SYS_open
    SYS_rename,
    SYS_unlink,
    SYS_mkdir,
    SYS_rmdir,
    SYS_chmod,
#endif
};

// The collector loads programs, gives capabilities up, waits for the sender, and may be told to end a
// process.
constexpr int kCollector[] = {
    SYS_bpf,        SYS_perf_event_open,   SYS_capget,       SYS_capset, SYS_wait4, SYS_kill,
    SYS_pidfd_open, SYS_pidfd_send_signal, SYS_epoll_create1};

void allow(std::vector<sock_filter>& out, int number) {
    out.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 1));
    out.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

}  // namespace

std::vector<sock_filter> system_call_filter(Half half) {
    std::vector<sock_filter> out;
    out.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
    out.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0));
    out.push_back(
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));  // another ABI's numbers mean other things
    out.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
    for (const auto number : kBoth)
        allow(out, number);
    if (half == Half::Sender) {
        for (const auto number : kSender)
            allow(out, number);
        allow(out, SYS_socket);
    } else {
        for (const auto number : kCollector)
            allow(out, number);
        // socket(AF_UNIX | AF_NETLINK, …) only; the low word of the argument, on little and big endian alike.
        constexpr std::uint32_t kLow = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0;
        out.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 4));
        out.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args) + kLow));
        out.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 1, 0));
        out.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1));
        out.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    }
    out.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
    return out;
}

Result<void> limit_system_calls(Half half) {
    if (kArchitecture == 0) return fail(Errc::Unsupported, "no system call filter for this processor");
    auto instructions = system_call_filter(half);
    const sock_fprog program{static_cast<unsigned short>(instructions.size()), instructions.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) {
        return fail(Errc::Unsupported, std::string("no system call filter: ") + std::strerror(errno));
    }
    return {};
}

}  // namespace fieldwatch::agent
