// The kernel programs against one real system call each, every field asserted; and the parsers of the
// fallbacks.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "agent/bpf/records.h"
#include "agent/collectors/exec_test.hpp"
#include "agent/collectors/logins.hpp"
#include "agent/collectors/open_or_skip.hpp"
#include "agent/collectors/proc.hpp"
#include "agent/collectors/proc_connector.hpp"
#include "agent/collectors/sockets.hpp"

namespace fieldwatch::agent {
namespace {

TEST(ExecProgram, SeesEveryFieldOfAnExec) {
    OPEN_OR_SKIP(source, FW_CLASS_EXEC, (BpfSource::Options{.namespaces = {1, 1}}));
    const auto pid = spawn({"/bin/true", "one", "two words", std::string(1'500, 'x')});
    ::waitpid(pid, nullptr, 0);
    const auto exec = find_exec(*source, pid);
    ASSERT_TRUE(exec);
    EXPECT_EQ(exec->executable, read_link("/bin") == "usr/bin" ? "/usr/bin/true" : "/bin/true");
    EXPECT_EQ(exec->parent, read_link("/proc/self/exe"));
    EXPECT_EQ(exec->directory, read_link("/proc/self/cwd"));
    EXPECT_EQ(exec->arguments, std::string("/bin/true\0one\0two words\0", 24) + std::string(1'500, 'x') +
                                   std::string(1, '\0'));
    EXPECT_EQ(exec->head.parent_pid, static_cast<fw_u32>(::getpid()));
    EXPECT_EQ(exec->head.grandparent_pid, static_cast<fw_u32>(::getppid()));
    EXPECT_EQ(exec->head.uid, ::getuid());
    EXPECT_EQ(exec->head.flags, FW_PATHS_REVERSED);
    struct stat status{};
    ASSERT_EQ(::stat("/bin/true", &status), 0);
    EXPECT_EQ(exec->head.executable_inode, status.st_ino);
    const auto own = namespaces_of("/proc", static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(exec->head.mount_namespace, own.mount);
    EXPECT_EQ(exec->head.network_namespace, own.network);
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    const auto now_ns = static_cast<fw_u64>(now.tv_sec) * 1'000'000'000 + static_cast<fw_u64>(now.tv_nsec);
    EXPECT_LE(exec->head.time_ns, now_ns);
    EXPECT_LT(now_ns - exec->head.time_ns, 60'000'000'000U);
    EXPECT_LE(exec->head.start_ns, exec->head.time_ns);
}

TEST(ExecProgram, LeavesTheDevicesOwnNamespacesOut) {
    const auto own = namespaces_of("/proc", static_cast<std::uint32_t>(::getpid()));
    for (const auto& device : {own, Namespaces{}}) {  // nothing is told where the device's are not known
        OPEN_OR_SKIP(source, FW_CLASS_EXEC, (BpfSource::Options{.namespaces = device}));
        const auto pid = spawn({"/bin/true"});
        ::waitpid(pid, nullptr, 0);
        const auto exec = find_exec(*source, pid);
        ASSERT_TRUE(exec);
        EXPECT_EQ(exec->head.mount_namespace, 0U);
        EXPECT_EQ(exec->head.network_namespace, 0U);
    }
}

TEST(ExecProgram, CutsACommandLineAtFourKibAndSaysSo) {
    OPEN_OR_SKIP(source, FW_CLASS_EXEC, {});
    const auto pid = spawn({"/bin/true", std::string(10'000, 'y')});
    ::waitpid(pid, nullptr, 0);
    const auto exec = find_exec(*source, pid);
    ASSERT_TRUE(exec);
    EXPECT_EQ(exec->arguments.size(), static_cast<std::size_t>(FW_ARGS_MAX));
    EXPECT_TRUE(exec->head.flags & FW_ARGS_TRUNCATED);
}

TEST(ExecProgram, DoesNotReportTheAgentsOwnChildren) {
    OPEN_OR_SKIP(source, FW_CLASS_EXEC,
                 (BpfSource::Options{.own_pids = {static_cast<std::uint32_t>(::getpid()), 0}}));
    const auto pid = spawn({"/bin/true"});
    ::waitpid(pid, nullptr, 0);
    EXPECT_FALSE(find_exec(*source, pid));
}

TEST(ExecProgram, CountsExactlyWhatAFullRingLost) {
    OPEN_OR_SKIP(source, FW_CLASS_EXEC, {});
    const std::string long_argument(4'000, 'z');
    for (int i = 0; i < 200; ++i)
        ::waitpid(spawn({"/bin/true", long_argument}), nullptr, 0);  // 800 KiB into 512
    std::uint64_t delivered = 0;
    source->drain([&](auto) { return ++delivered, true; });
    const auto counters = source->counters();
    EXPECT_GT(counters.dropped, 0U);
    EXPECT_EQ(counters.produced, delivered + counters.dropped);
}

bool is_readable(const BpfSource& source, int millis) {
    pollfd ready{source.fd(), POLLIN, 0};
    return ::poll(&ready, 1, millis) == 1;
}

TEST(ExecProgram, WakesWhoWaitsForEventsAtTheFirst) {
    OPEN_OR_SKIP(source, FW_CLASS_EXEC, {});
    const auto take = [](auto) { return true; };
    const auto run_one = [] { ::waitpid(spawn({"/bin/true"}), nullptr, 0); };
    run_one();
    EXPECT_FALSE(is_readable(*source, 100)) << "one event is not worth a wake-up";
    EXPECT_TRUE(source->drain(take));
    source->wait_for_events(true);
    run_one();
    EXPECT_TRUE(is_readable(*source, 5'000));
    EXPECT_TRUE(source->drain(take));
    source->wait_for_events(false);
    do  // what was ready is looked at again, until it is found empty
        (void)source->drain(take);
    while (is_readable(*source, 0));
    run_one();
    EXPECT_FALSE(is_readable(*source, 100));
}

TEST(ExitProgram, TellsExitCodeAndSignal) {
    OPEN_OR_SKIP(source, FW_CLASS_EXIT, {});
    const auto exits = spawn({"/bin/sh", "-c", "exit 7"});
    ::waitpid(exits, nullptr, 0);
    const auto killed = spawn({"/bin/sh", "-c", "kill -9 $$"});
    ::waitpid(killed, nullptr, 0);
    std::optional<fw_exit> first, second;
    source->drain([&](std::span<const std::byte> bytes) {
        fw_exit record;
        EXPECT_EQ(bytes.size(), sizeof record);
        std::memcpy(&record, bytes.data(), sizeof record);
        if (record.pid == static_cast<fw_u32>(exits)) first = record;
        if (record.pid == static_cast<fw_u32>(killed)) second = record;
        return true;
    });
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->status, 7);
    EXPECT_EQ(first->uid, ::getuid());
    EXPECT_GT(first->time_ns, first->start_ns);
    EXPECT_EQ(second->status, -9);
}

struct Sockets {
    int listener = -1, client = -1, accepted = -1;
    std::uint16_t port = 0, client_port = 0;
    ~Sockets() {
        for (const int fd : {listener, client, accepted}) {
            if (fd >= 0) ::close(fd);
        }
    }
};

void connect_to_ourselves(Sockets& sockets) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    sockets.listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(::bind(sockets.listener, generic, sizeof address), 0);
    ASSERT_EQ(::listen(sockets.listener, 5), 0);
    ASSERT_EQ(::getsockname(sockets.listener, generic, &size), 0);
    sockets.port = ntohs(address.sin_port);
    sockets.client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(::connect(sockets.client, generic, sizeof address), 0);
    sockets.accepted = ::accept4(sockets.listener, nullptr, nullptr, SOCK_CLOEXEC);
    ASSERT_EQ(::getsockname(sockets.client, generic, &size), 0);
    sockets.client_port = ntohs(address.sin_port);
}

TEST(TcpProgram, SeesListenConnectAndAccept) {
    OPEN_OR_SKIP(source, FW_CLASS_TCP, BpfSource::Options{.loopback = true});
    Sockets sockets;
    connect_to_ourselves(sockets);
    std::optional<fw_listen> listen;
    std::optional<fw_connection> out, in;
    source->drain([&](std::span<const std::byte> bytes) {
        fw_listen one;
        fw_connection connection;
        if (bytes.size() == sizeof one) {
            std::memcpy(&one, bytes.data(), sizeof one);
            if (one.port == sockets.port) listen = one;
        } else if (bytes.size() == sizeof connection) {
            std::memcpy(&connection, bytes.data(), sizeof connection);
            if (connection.remote_port == sockets.port) out = connection;
            if (connection.local_port == sockets.port) in = connection;
        }
        return true;
    });
    ASSERT_TRUE(listen && out && in);
    const auto own = static_cast<fw_u32>(::getpid());
    const std::uint8_t loopback[4] = {127, 0, 0, 1};
    EXPECT_EQ(listen->pid, own);
    EXPECT_EQ(listen->begins, 1);
    EXPECT_EQ(listen->family, 4);
    EXPECT_EQ(listen->network_namespace, own_network_namespace());
    EXPECT_EQ(out->pid, own);
    EXPECT_EQ(out->uid, ::getuid());
    ProcessFacts facts;
    ASSERT_TRUE(read_process("/proc", own, facts));
    EXPECT_EQ(out->start_ns / 10'000'000, facts.start_ns / 10'000'000);
    EXPECT_EQ(in->start_ns, out->start_ns);
    EXPECT_EQ(out->direction, FW_OUT);
    EXPECT_EQ(out->outcome, FW_ESTABLISHED);
    EXPECT_EQ(out->protocol, IPPROTO_TCP);
    EXPECT_EQ(out->local_port, sockets.client_port);
    EXPECT_EQ(std::memcmp(out->local, loopback, 4), 0);
    EXPECT_EQ(std::memcmp(out->remote, loopback, 4), 0);
    EXPECT_EQ(in->pid, own);
    EXPECT_EQ(in->direction, FW_IN);
    EXPECT_EQ(in->remote_port, sockets.client_port);
}

TEST(TcpProgram, TellsARefusedConnectAndSkipsLoopbackUnlessAsked) {
    for (const bool loopback : {true, false}) {
        OPEN_OR_SKIP(source, FW_CLASS_TCP, BpfSource::Options{.loopback = loopback});
        const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(1);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_NE(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        ::close(client);
        bool seen = false;
        source->drain([&](std::span<const std::byte> bytes) {
            fw_connection record;
            if (bytes.size() != sizeof record) return true;
            std::memcpy(&record, bytes.data(), sizeof record);
            seen |= record.remote_port == 1 && record.outcome == FW_FAILED &&
                    record.pid == static_cast<fw_u32>(::getpid());
            return true;
        });
        EXPECT_EQ(seen, loopback);
    }
}

TEST(ProcessFallback, PollingSeesAProcessThatLivesLongEnough) {
    std::vector<ProcessFacts> execs;
    std::vector<fw_exit> exits;
    auto fallback =
        ProcessFallback::polling({.exec = [&](const ProcessFacts& facts) { execs.push_back(facts); },
                                  .exit = [&](const fw_exit& record) { exits.push_back(record); }});
    const auto pid = spawn({"/bin/sleep", "30"});
    ::usleep(100'000);
    fallback->drain();
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    fallback->drain();
    const auto found = std::ranges::find(execs, static_cast<std::uint32_t>(pid), &ProcessFacts::pid);
    ASSERT_NE(found, execs.end());
    EXPECT_EQ(found->arguments, std::string("/bin/sleep\0"
                                            "30\0",
                                            14));
    EXPECT_EQ(found->parent_pid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_TRUE(
        std::ranges::any_of(exits, [&](const auto& one) { return one.pid == static_cast<fw_u32>(pid); }));
}

TEST(ProcessFallback, TheConnectorSeesAProcessThatLivesLongEnough) {
    std::vector<ProcessFacts> execs;
    auto fallback = ProcessFallback::connector(
        {.exec = [&](const ProcessFacts& facts) { execs.push_back(facts); }, .exit = [](const fw_exit&) {}});
    if (!fallback) GTEST_SKIP() << "NOT TESTED, no proc connector here: " << fallback.error().message;
    const auto pid = spawn({"/bin/sleep", "30"});
    for (int tries = 0; tries < 20 && execs.empty(); ++tries) {
        ::usleep(20'000);
        (*fallback)->drain();
    }
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    if (execs.empty()) GTEST_SKIP() << "NOT TESTED, the proc connector tells nothing here";
    EXPECT_TRUE(std::ranges::any_of(
        execs, [&](const auto& one) { return one.pid == static_cast<std::uint32_t>(pid); }));
}

TEST(SocketTable, ReadsAddressesOfBothFamilies) {
    std::vector<SocketRow> rows;
    parse_socket_table(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 x "
        "100\n"
        "garbage\n",
        4, IPPROTO_TCP, 10, rows);
    parse_socket_table(
        "   0: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A "
        "00000000:00000000 "
        "00:00000000 00000000     0        0 77 1 x 100 0 0 10 0\n",
        6, IPPROTO_TCP, 10, rows);
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].local[0], 127);
    EXPECT_EQ(rows[0].local[3], 1);
    EXPECT_EQ(rows[0].local_port, 8'080);
    EXPECT_EQ(rows[0].uid, 1'000U);
    EXPECT_EQ(rows[0].inode, 4'242U);
    EXPECT_EQ(rows[1].local[15], 1);
    EXPECT_EQ(rows[1].local_port, 22);
}

TEST(PortSnapshot, NamesTheProcessThatListens) {
    Sockets sockets;
    connect_to_ourselves(sockets);
    const auto snapshot = take_port_snapshot("/proc", 3);
    const auto found = std::ranges::find(snapshot.ports, sockets.port, &fw_port::port);
    ASSERT_NE(found, snapshot.ports.end());
    EXPECT_EQ(found->pid, static_cast<fw_u32>(::getpid()));
    EXPECT_EQ(found->snapshot, 3U);
    EXPECT_EQ(std::string(found->executable, found->executable_size), read_link("/proc/self/exe"));
}

TEST(LoginFollower, ReadsWhatIsAppendedAndSurvivesRotation) {
    char directory[] = "/tmp/fieldwatch-logins-XXXXXX";
    ASSERT_NE(::mkdtemp(directory), nullptr);
    const auto path = std::string(directory) + "/auth.log";
    const auto append = [&](const std::string& text) {
        auto* file = std::fopen(path.c_str(), "a");
        std::fwrite(text.data(), 1, text.size(), file);
        std::fclose(file);
    };
    append("old line\n");
    std::vector<std::string> lines;
    LoginFollower follower(
        {.wtmp = path + ".none", .btmp = path + ".none", .logs = {path}},
        {.login = [](const fw_login&) { return true; },
         .line = [&](const fw_log_line& line) { return lines.emplace_back(line.line, line.size), true; },
         .lost = [] {}});
    append("first\nsec");
    follower.poll(1);
    append("ond\n");
    follower.poll(2);
    ::unlink(path.c_str());
    append("third\n");
    follower.poll(3);
    EXPECT_EQ(lines, (std::vector<std::string>{"first", "second", "third"}));
    ::unlink(path.c_str());
    ::rmdir(directory);
}

TEST(LoginFollower, ReadsAgainWhatWasNotTaken) {
    char directory[] = "/tmp/fieldwatch-logins-XXXXXX";
    ASSERT_NE(::mkdtemp(directory), nullptr);
    const auto log = std::string(directory) + "/auth.log";
    const auto wtmp = std::string(directory) + "/wtmp";
    const auto append = [](const std::string& path, std::string_view bytes) {
        auto* file = std::fopen(path.c_str(), "a");
        std::fwrite(bytes.data(), 1, bytes.size(), file);
        std::fclose(file);
    };
    std::vector<std::string> told;
    std::size_t room = 1;
    int lost = 0;
    const auto take = [&](std::string text) {
        if (room == 0) return false;
        --room;
        told.push_back(std::move(text));
        return true;
    };
    LoginFollower follower(
        {.wtmp = wtmp, .btmp = wtmp + ".none", .logs = {log}},
        {.login = [&](const fw_login& one) { return take(one.user); },
         .line = [&](const fw_log_line& one) { return take(std::string(one.line, one.size)); },
         .lost = [&] { ++lost; }});
    append(log, "first\nsecond\nthird\n");
    utmp entry{};
    entry.ut_type = USER_PROCESS;
    for (const char user : {'a', 'b'}) {
        entry.ut_user[0] = user;
        append(wtmp, {reinterpret_cast<const char*>(&entry), sizeof entry});
    }
    follower.poll(1);
    EXPECT_EQ(told, (std::vector<std::string>{"a"}));
    EXPECT_TRUE(follower.is_behind());
    room = 2;
    follower.poll(2);
    room = 10;
    follower.poll(3);
    EXPECT_EQ(told, (std::vector<std::string>{"a", "b", "first", "second", "third"}));
    EXPECT_FALSE(follower.is_behind());
    EXPECT_EQ(lost, 0);
    room = 0;
    append(log, "fourth\n");
    follower.poll(4);
    ::unlink(log.c_str());  // rotated while something was left in it
    room = 1;
    append(log, "fifth\n");
    follower.poll(5);
    EXPECT_EQ(told.back(), "fifth");
    EXPECT_EQ(lost, 1);
    ::unlink(log.c_str());
    ::unlink(wtmp.c_str());
    ::rmdir(directory);
}

}  // namespace
}  // namespace fieldwatch::agent
