#include "agent/system_calls.hpp"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

namespace fieldwatch::agent {
namespace {

/// What `question` answers in a process under the filter; 255 when there is none.
int asked_under(Half half, const std::function<int()>& question) {
    const auto child = ::fork();
    if (child == 0) ::_exit(limit_system_calls(half) ? question() : 254);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

int run_a_program() {
    char* const none[] = {nullptr};
    return ::execve("/bin/true", none, none) == -1 && errno == EPERM ? 7 : 8;
}
int open_a_network_socket() {
    return ::socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 1 : errno == EPERM ? 7 : 8;
}

TEST(SystemCalls, OfNeitherHalfRunPrograms) {
    EXPECT_EQ(asked_under(Half::Collector, run_a_program), 7);
    EXPECT_EQ(asked_under(Half::Sender, run_a_program), 7);
    EXPECT_EQ(asked_under(Half::Sender,
                          [] { return ::syscall(SYS_bpf, 0, nullptr, 0) == -1 && errno == EPERM ? 7 : 8; }),
              7);
    EXPECT_EQ(asked_under(Half::Collector,
                          [] { return ::ptrace(PTRACE_TRACEME, 0, 0, 0) == -1 && errno == EPERM ? 7 : 8; }),
              7);
}

TEST(SystemCalls, GiveTheNetworkToTheSenderOnly) {
    EXPECT_EQ(asked_under(Half::Sender, open_a_network_socket), 1);
    EXPECT_EQ(asked_under(Half::Collector, open_a_network_socket), 7);
    EXPECT_EQ(asked_under(Half::Collector, [] { return ::socket(AF_NETLINK, SOCK_RAW, 0) >= 0 ? 1 : 0; }), 1);
}

TEST(SystemCalls, LeaveOrdinaryWorkAlone) {
    const auto work = [] {
        auto* file = ::fopen("/proc/self/status", "r");
        if (!file) return 1;
        char line[64];
        const bool read = ::fgets(line, sizeof line, file) != nullptr;
        ::fclose(file);
        ::free(::malloc(1 << 20));
        ::usleep(1'000);
        return read ? 0 : 2;
    };
    EXPECT_EQ(asked_under(Half::Sender, work), 0);
    EXPECT_EQ(asked_under(Half::Collector, work), 0);
}

}  // namespace
}  // namespace fieldwatch::agent
