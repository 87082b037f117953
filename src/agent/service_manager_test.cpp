#include "agent/service_manager.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>

namespace fieldwatch::agent {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

/// A service manager's socket, abstract, so that nothing of it stays.
class Manager {
  public:
    Manager() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        name_ = "@fieldwatch-manager-" + std::to_string(::getpid());
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path + 1, name_.data() + 1, name_.size() - 1);
        const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
        EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    }
    ~Manager() { ::close(socket_); }
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    const std::string& name() const { return name_; }
    /// What came since the last call, by commas.
    std::string heard() {
        std::string out;
        char text[64];
        for (ssize_t size; (size = ::recv(socket_, text, sizeof text, 0)) >= 0;)
            out.append(out.empty() ? "" : ",").append(text, static_cast<std::size_t>(size));
        return out;
    }

  private:
    int socket_;
    std::string name_;
};

TEST(ServiceManager, IsToldThriceWithinItsTimeout) {
    Manager manager;
    ServiceManager told(manager.name(), 180 * kSecondNs);
    told.tell_alive(1'000 * kSecondNs);
    told.tell_alive(1'059 * kSecondNs);
    EXPECT_EQ(manager.heard(), "WATCHDOG=1");
    told.tell_alive(1'060 * kSecondNs);
    EXPECT_EQ(manager.heard(), "WATCHDOG=1");
}

TEST(ServiceManager, IsToldOnlyWhereItAsked) {
    Manager manager;
    ServiceManager(manager.name(), 0).tell_alive(kSecondNs);
    EXPECT_EQ(manager.heard(), "");
    ServiceManager("", kSecondNs).tell_alive(kSecondNs);
    ServiceManager("/nonexistent/notify", kSecondNs).tell_alive(kSecondNs);
    ServiceManager(std::string(500, 'x'), kSecondNs).tell_alive(kSecondNs);

    ASSERT_EQ(::setenv("NOTIFY_SOCKET", manager.name().c_str(), 1), 0);
    for (const auto* nonsense : {"", "-5", "soon"}) {
        ASSERT_EQ(::setenv("WATCHDOG_USEC", nonsense, 1), 0);
        ServiceManager::from_environment().tell_alive(kSecondNs);
        EXPECT_EQ(manager.heard(), "") << nonsense;
    }
    ASSERT_EQ(::setenv("WATCHDOG_USEC", "3000000", 1), 0);
    ServiceManager::from_environment().tell_alive(kSecondNs);
    EXPECT_EQ(manager.heard(), "WATCHDOG=1");
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
}

}  // namespace
}  // namespace fieldwatch::agent
