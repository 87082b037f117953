// A name server's answers against real packets: who sends from port 53 is one.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "agent/bpf/records.h"
#include "agent/collectors/bpf_source.hpp"

namespace fieldwatch::agent {
namespace {

/// Sends texts from one UDP port of loopback to another, and takes them out there.
class Wire {
  public:
    Wire(int family, std::uint16_t from) {
        sender_ = ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        taker_ = ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        sockaddr_storage address{};
        is_open_ = bind_to(sender_, family, from, address) && bind_to(taker_, family, 0, address);
        is_open_ = is_open_ && ::connect(sender_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    }
    ~Wire() {
        ::close(sender_);
        ::close(taker_);
    }
    bool is_open() const { return is_open_; }
    void send(const std::string& text) const {
        ASSERT_EQ(::send(sender_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
        std::vector<char> got(text.size() + 1);
        ASSERT_EQ(::recv(taker_, got.data(), got.size(), 0), static_cast<ssize_t>(text.size()));
    }

  private:
    static bool bind_to(int fd, int family, std::uint16_t port, sockaddr_storage& address) {
        address = {};
        address.ss_family = static_cast<sa_family_t>(family);
        auto* ipv4 = reinterpret_cast<sockaddr_in*>(&address);
        ipv4->sin_port = htons(port);  // the same place in both families
        if (family == AF_INET) ipv4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (family == AF_INET6) reinterpret_cast<sockaddr_in6*>(&address)->sin6_addr = in6addr_loopback;
        socklen_t size = sizeof address;
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        return ::bind(fd, generic, family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6)) == 0 &&
               ::getsockname(fd, generic, &size) == 0;
    }
    int sender_ = -1, taker_ = -1;
    bool is_open_ = false;
};

std::vector<std::string> drain_answers(BpfSource& source, const std::string& mark) {
    std::vector<std::string> out;
    source.drain([&](std::span<const std::byte> bytes) {
        fw_dns record;
        EXPECT_EQ(bytes.size(), sizeof record);
        std::memcpy(&record, bytes.data(), sizeof record);
        EXPECT_LE(record.size, sizeof record.data);
        const std::string text(reinterpret_cast<const char*>(record.data), record.size);
        if (text.starts_with(mark)) out.push_back(text);
        return true;
    });
    return out;
}

TEST(DnsProgram, TellsWhatComesFromPort53AndNothingElse) {
    auto source = BpfSource::open_names();
    if (!source) GTEST_SKIP() << "NOT TESTED, no BPF here: " << source.error().message;
    for (const int family : {AF_INET, AF_INET6}) {
        const Wire answers(family, 53), others(family, 0);
        if (!answers.is_open() || !others.is_open())
            GTEST_SKIP() << "NOT TESTED, port 53 is taken: " << std::strerror(errno);
        const std::string mark = "answer-" + std::to_string(::getpid()) + "-" + std::to_string(family) + "-";
        const auto whole = mark + std::string(200, 'x'),
                   most = mark + std::string(FW_DNS_MAX - mark.size(), 'y'),
                   longer = mark + std::string(1'200, 'z');
        answers.send(whole);
        answers.send(most);
        answers.send(longer);
        answers.send("short");  // no head of an answer
        others.send(whole);
        EXPECT_EQ(drain_answers(**source, mark), (std::vector{whole, most, longer.substr(0, FW_DNS_MAX)}));
    }
}

TEST(DnsProgram, CountsExactlyWhatAFullRingLost) {
    auto source = BpfSource::open_names();
    if (!source) GTEST_SKIP() << "NOT TESTED, no BPF here: " << source.error().message;
    const Wire answers(AF_INET, 53);
    if (!answers.is_open()) GTEST_SKIP() << "NOT TESTED, port 53 is taken: " << std::strerror(errno);
    for (int i = 0; i < 300; ++i)
        answers.send("an answer to nobody's question");
    std::uint64_t delivered = 0;
    (*source)->drain([&](auto) { return ++delivered, true; });
    const auto counters = (*source)->counters();
    EXPECT_GE(counters.produced, 300U);
    EXPECT_GT(counters.dropped, 0U);
    EXPECT_EQ(counters.produced, delivered + counters.dropped);
}

}  // namespace
}  // namespace fieldwatch::agent
