// The responder against real processes and, in a network namespace of its own, the real packet filter.
#include "agent/response/responder.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <thread>
#include <vector>

#include "agent/collectors/proc.hpp"
#include "agent/response/nftables_writer.hpp"

namespace fieldwatch::agent {
namespace {

constexpr std::uint32_t kAll = kAllowKill | kAllowBlock | kAllowIsolate;

ResponseRequest::Address address(const char* text) {
    ResponseRequest::Address out{.family = 4};
    EXPECT_EQ(::inet_pton(AF_INET, text, out.bytes), 1);
    return out;
}

/// A child that sleeps; the request that would end it.
struct Victim {
    pid_t pid = ::fork();
    ResponseRequest request;

    Victim() {
        if (pid == 0) {
            ::pause();
            ::_exit(0);
        }
        ProcessFacts facts;
        EXPECT_TRUE(read_process("/proc", static_cast<std::uint32_t>(pid), facts));
        request.pid = static_cast<std::uint32_t>(pid);
        request.start_ns = facts.start_ns;
    }
    ~Victim() {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    bool lives() const { return ::waitpid(pid, nullptr, WNOHANG) == 0; }
};

TEST(Responder, EndsTheProcessThatWasMeantAndNoOther) {
    const Responder responder(-1, kAll, 1'000'000, 1'000'001);
    Victim victim;
    auto dry = victim.request;
    dry.dry_run = 1;
    EXPECT_TRUE(responder.serve(dry));
    EXPECT_TRUE(victim.lives());
    auto another = victim.request;
    another.start_ns += 1'000'000'000;  // the number was given to a later process
    EXPECT_EQ(responder.serve(another).error().code, Errc::NotFound);
    EXPECT_TRUE(victim.lives());
    EXPECT_TRUE(responder.serve(victim.request));
    int status = 0;
    ASSERT_EQ(::waitpid(victim.pid, &status, 0), victim.pid);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    EXPECT_EQ(responder.serve(victim.request).error().code, Errc::NotFound);
}

TEST(Responder, DoesOnlyWhatTheLocalConfigurationAllows) {
    Victim victim;
    const Responder blocks_only(-1, kAllowBlock, 1'000'000, 1'000'001);
    EXPECT_EQ(blocks_only.serve(victim.request).error().code, Errc::Forbidden);
    const Responder kills(-1, kAllowKill, victim.request.pid, 1'000'001);
    EXPECT_EQ(kills.serve(victim.request).error().code, Errc::Forbidden) << "the sender itself";
    EXPECT_TRUE(victim.lives());
    ResponseRequest block{.verb = Verb::Block, .address_count = 1, .expiry_seconds = 60};
    block.addresses[0] = address("192.0.2.1");
    EXPECT_EQ(kills.serve(block).error().code, Errc::Forbidden);
}

TEST(Responder, RefusesWhatIsMalformed) {
    const Responder responder(-1, kAll, 1'000'000, 1'000'001);
    const auto refused = [&](ResponseRequest request) {
        const auto served = responder.serve(request);
        return !served && served.error().code == Errc::InvalidArgument;
    };
    EXPECT_TRUE(refused({.pid = 1, .start_ns = 1}));
    EXPECT_TRUE(refused({.pid = 0, .start_ns = 1}));
    EXPECT_TRUE(refused({.pid = 5, .start_ns = 0}));  // any process of that number
    EXPECT_TRUE(refused({.reserved = 1, .pid = 5, .start_ns = 1}));
    EXPECT_TRUE(refused({.verb = static_cast<Verb>(9), .pid = 5, .start_ns = 1}));
    ResponseRequest loopback{.verb = Verb::Block, .address_count = 1, .expiry_seconds = 60};
    loopback.addresses[0] = address("127.0.0.1");
    EXPECT_TRUE(refused(loopback));
    EXPECT_TRUE(refused({.verb = Verb::Block, .address_count = 1, .expiry_seconds = 60}));  // of no family
    EXPECT_TRUE(refused({.verb = Verb::Isolate, .expiry_seconds = 60}));                    // without a hub
    EXPECT_TRUE(refused({.verb = Verb::Isolate, .address_count = 200, .expiry_seconds = 60}));
}

TEST(Responder, TakesARequestOfItsExactSizeOnly) {
    int sockets[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets), 0);
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const auto sender = static_cast<std::uint32_t>(::getpid());
    const auto child = ::fork();  // it gives its rights up
    if (child == 0) {
        ::close(sockets[0]);
        ::_exit(Responder(sockets[1], kAll, sender, sender).run());
    }
    ::close(sockets[1]);
    const std::vector<std::byte> longer(sizeof(ResponseRequest) + 1);
    for (const auto size : {longer.size(), sizeof(ResponseRequest) - 1}) {
        EXPECT_EQ(::send(sockets[0], longer.data(), size, 0), static_cast<ssize_t>(size));
        ResponseAnswer answer;
        EXPECT_EQ(::recv(sockets[0], &answer, sizeof answer, 0), static_cast<ssize_t>(sizeof answer));
        EXPECT_EQ(answer.code, 1 + static_cast<std::uint32_t>(Errc::Malformed)) << size;
    }
    ::close(sockets[0]);
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/// `ip` with these words; whether it did it.
bool ip(std::initializer_list<const char*> words) {
    std::vector<char*> arguments{const_cast<char*>("ip")};
    for (const auto* word : words)
        arguments.push_back(const_cast<char*>(word));
    arguments.push_back(nullptr);
    const auto child = ::fork();
    if (child == 0) {
        ::execvp("ip", arguments.data());
        ::_exit(127);
    }
    int status = 0;
    return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// Runs `inside` in a network namespace with one network besides loopback, 198.51.100.0/24; false where
/// that cannot be.
bool in_own_network(const std::function<void()>& inside) {
    bool ran = false;
    std::thread([&] {
        if (::unshare(CLONE_NEWNET) != 0) return;
        if (!ip({"link", "set", "lo", "up"}) ||
            !ip({"link", "add", "v0", "type", "veth", "peer", "name", "v1"}) ||
            !ip({"link", "set", "v0", "up"}) || !ip({"link", "set", "v1", "up"}) ||
            !ip({"addr", "add", "198.51.100.1/24", "dev", "v0"}))
            return;
        ran = true;
        inside();
    }).join();
    return ran;
}

/// 0, or why a packet to there does not leave.
int send_to(const char* where) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(9);
    ::inet_pton(AF_INET, where, &to.sin_addr);
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const auto sent = ::sendto(fd, "x", 1, 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
    const int error = sent == 1 ? 0 : errno;
    ::close(fd);
    return error;
}

TEST(Responder, BlocksAnAddressUntilItsExpiry) {
    const bool ran = in_own_network([] {
        const Responder responder(-1, kAll, 1'000'000, 1'000'001);
        ResponseRequest request{.verb = Verb::Block, .dry_run = 1, .address_count = 1, .expiry_seconds = 1};
        request.addresses[0] = address("198.51.100.2");
        ASSERT_TRUE(responder.serve(request));
        EXPECT_EQ(send_to("198.51.100.2"), 0) << "a dry run does nothing";
        request.dry_run = 0;
        const auto blocked = responder.serve(request);
        ASSERT_TRUE(blocked) << blocked.error().message;
        EXPECT_EQ(send_to("198.51.100.2"), EPERM);
        EXPECT_EQ(send_to("198.51.100.3"), 0);
        ::usleep(1'200'000);
        EXPECT_EQ(send_to("198.51.100.2"), 0) << "the kernel lifts it by itself";
        request.addresses[0] = {.family = 6, .bytes = {0x20, 0x01, 0x0d, 0xb8}};
        EXPECT_TRUE(responder.serve(request));
    });
    if (!ran) GTEST_SKIP() << "NOT TESTED, no network namespace here";
}

TEST(Responder, IsolatesFromAllButTheHubAndRestores) {
    const bool ran = in_own_network([] {
        const Responder responder(-1, kAll, 1'000'000, 1'000'001);
        ResponseRequest isolate{.verb = Verb::Isolate, .address_count = 1, .expiry_seconds = 600};
        isolate.addresses[0] = address("198.51.100.9");
        const auto isolated = responder.serve(isolate);
        ASSERT_TRUE(isolated) << isolated.error().message;
        EXPECT_EQ(send_to("198.51.100.2"), EPERM);
        EXPECT_EQ(send_to("198.51.100.9"), 0);
        EXPECT_EQ(send_to("127.0.0.1"), 0);
        isolate.addresses[0] = address("198.51.100.8");  // the hub moved
        isolate.expiry_seconds = 1;
        ASSERT_TRUE(responder.serve(isolate));
        EXPECT_EQ(send_to("198.51.100.9"), EPERM);
        EXPECT_EQ(send_to("198.51.100.8"), 0);
        ::usleep(1'200'000);
        EXPECT_EQ(send_to("198.51.100.2"), 0) << "the kernel lifts it by itself";
        isolate.expiry_seconds = 600;
        ASSERT_TRUE(responder.serve(isolate));
        EXPECT_EQ(send_to("198.51.100.2"), EPERM);
        const ResponseRequest restore{.verb = Verb::Restore};
        ASSERT_TRUE(responder.serve(restore));
        EXPECT_EQ(send_to("198.51.100.2"), 0);
        EXPECT_TRUE(responder.serve(restore)) << "nothing to restore is no error";
    });
    if (!ran) GTEST_SKIP() << "NOT TESTED, no network namespace here";
}

}  // namespace
}  // namespace fieldwatch::agent
