// UDP flows against real packets, and the fallback that polls for them.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "agent/bpf/records.h"
#include "agent/collectors/open_or_skip.hpp"
#include "agent/collectors/sockets.hpp"

namespace fieldwatch::agent {
namespace {

/// Two UDP sockets of ours on loopback, the first bound.
struct Datagrams {
    int server = -1, client = -1;
    sockaddr_storage address{};
    socklen_t size = 0;
    std::uint16_t port = 0;

    explicit Datagrams(int family) {
        if (family == AF_INET) {
            auto* ipv4 = reinterpret_cast<sockaddr_in*>(&address);
            ipv4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            size = sizeof *ipv4;
        } else {
            reinterpret_cast<sockaddr_in6*>(&address)->sin6_addr = in6addr_loopback;
            size = sizeof(sockaddr_in6);
        }
        address.ss_family = static_cast<sa_family_t>(family);
        server = ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        client = ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(::bind(server, generic(), size), 0);
        EXPECT_EQ(::getsockname(server, generic(), &size), 0);
        port = ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port);  // the same place in both families
    }
    ~Datagrams() {
        ::close(server);
        ::close(client);
    }
    sockaddr* generic() { return reinterpret_cast<sockaddr*>(&address); }
    /// Receives one packet and where it came from; answers it.
    std::uint16_t answer() {
        char byte = 0;
        sockaddr_storage from{};
        socklen_t from_size = sizeof from;
        auto* peer = reinterpret_cast<sockaddr*>(&from);
        EXPECT_EQ(::recvfrom(server, &byte, 1, 0, peer, &from_size), 1);
        EXPECT_EQ(::sendto(server, "a", 1, 0, peer, from_size), 1);
        return ntohs(reinterpret_cast<sockaddr_in*>(&from)->sin_port);
    }
};

std::vector<fw_connection> drain_connections(BpfSource& source) {
    std::vector<fw_connection> out;
    source.drain([&](std::span<const std::byte> bytes) {
        fw_connection record;
        EXPECT_EQ(bytes.size(), sizeof record);
        std::memcpy(&record, bytes.data(), sizeof record);
        if (record.pid == static_cast<fw_u32>(::getpid())) out.push_back(record);
        return true;
    });
    return out;
}

TEST(UdpProgram, TellsAFlowOnceAndWhoBegan) {
    for (const int family : {AF_INET, AF_INET6}) {
        OPEN_OR_SKIP(source, FW_CLASS_UDP, BpfSource::Options{.loopback = true});
        Datagrams sockets(family);
        std::uint16_t client_port = 0;
        for (int i = 0; i < 5; ++i) {
            ASSERT_EQ(::sendto(sockets.client, "q", 1, 0, sockets.generic(), sockets.size), 1);
            client_port = sockets.answer();
            char byte = 0;
            sockaddr_storage from{};
            socklen_t size = sizeof from;
            ASSERT_EQ(::recvfrom(sockets.client, &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &size), 1);
        }
        const auto seen = drain_connections(*source);
        ASSERT_EQ(seen.size(), 2U) << "family " << family;
        const auto& out = seen[0];
        EXPECT_EQ(out.direction, FW_OUT);
        EXPECT_EQ(out.protocol, IPPROTO_UDP);
        EXPECT_EQ(out.family, family == AF_INET ? 4 : 6);
        EXPECT_EQ(out.uid, ::getuid());
        EXPECT_EQ(out.remote_port, sockets.port);
        EXPECT_EQ(out.remote[family == AF_INET ? 3 : 15], 1);
        const auto& in = seen[1];
        EXPECT_EQ(in.direction, FW_IN);
        EXPECT_EQ(in.local_port, sockets.port);
        EXPECT_EQ(in.remote_port, client_port);
        EXPECT_EQ(in.local[family == AF_INET ? 3 : 15], 1);
        EXPECT_EQ(source->counters().dropped, 0U);
    }
}

TEST(UdpProgram, TellsWhatAConnectedSocketSends) {
    OPEN_OR_SKIP(source, FW_CLASS_UDP, BpfSource::Options{.loopback = true});
    Datagrams sockets(AF_INET);
    ASSERT_EQ(::connect(sockets.client, sockets.generic(), sockets.size), 0);
    ASSERT_EQ(::send(sockets.client, "q", 1, 0), 1);
    ASSERT_EQ(::send(sockets.client, "q", 1, 0), 1);
    const auto seen = drain_connections(*source);
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0].direction, FW_OUT);
    EXPECT_EQ(seen[0].remote_port, sockets.port);
}

TEST(UdpProgram, CountsTheFlowsThatItsTableHasNoRoomFor) {
    OPEN_OR_SKIP(source, FW_CLASS_UDP, BpfSource::Options{.loopback = true});
    constexpr std::uint16_t kTable = 4'096, kFlows = 5'000, kFirst = 20'000;
    Datagrams sockets(AF_INET);
    std::size_t told = 0;
    for (std::uint16_t i = 0; i < kFlows; ++i) {
        if (i < kTable / 2) {
            ASSERT_EQ(source->untracked(), 0U);
        }
        reinterpret_cast<sockaddr_in*>(&sockets.address)->sin_port =
            htons(static_cast<std::uint16_t>(kFirst + i));
        ASSERT_EQ(::sendto(sockets.client, "q", 1, 0, sockets.generic(), sockets.size), 1);
        if (i % 200 == 199) told += drain_connections(*source).size();
    }
    EXPECT_EQ(told, kFlows);
    EXPECT_GE(source->untracked(), std::uint64_t{kFlows - kTable});
}

TEST(UdpProgram, LeavesLoopbackOutUnlessAsked) {
    OPEN_OR_SKIP(source, FW_CLASS_UDP, {});
    Datagrams sockets(AF_INET);
    ASSERT_EQ(::sendto(sockets.client, "q", 1, 0, sockets.generic(), sockets.size), 1);
    EXPECT_TRUE(drain_connections(*source).empty());
}

TEST(ConnectionPoller, SeesAConnectedUdpSocket) {
    std::vector<fw_connection> seen;
    ConnectionPoller poller(IPPROTO_UDP,
                            {.connection = [&](const fw_connection& one) { seen.push_back(one); },
                             .listen = [](const fw_listen&) { ADD_FAILURE(); }});
    poller.poll("/proc", true, 1);
    Datagrams sockets(AF_INET);
    ASSERT_EQ(::connect(sockets.client, sockets.generic(), sockets.size), 0);
    poller.poll("/proc", true, 2);
    const auto found = std::ranges::find(seen, sockets.port, &fw_connection::remote_port);
    ASSERT_NE(found, seen.end());
    EXPECT_EQ(found->protocol, IPPROTO_UDP);
    EXPECT_EQ(found->direction, FW_OUT);
    EXPECT_EQ(found->pid, static_cast<fw_u32>(::getpid()));
}

}  // namespace
}  // namespace fieldwatch::agent
