#include "agent/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace fieldwatch::agent {

ServiceManager ServiceManager::from_environment() {
    const auto text = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string(value ? value : "");
    };
    const auto micros = text("WATCHDOG_USEC");
    std::int64_t timeout_us = 0;
    const auto* const end = micros.data() + micros.size();
    constexpr std::int64_t kMostUs = 86'400'000'000;
    if (std::from_chars(micros.data(), end, timeout_us).ec != std::errc{} || timeout_us < 0) timeout_us = 0;
    return {text("NOTIFY_SOCKET"), std::min(timeout_us, kMostUs) * 1'000};
}

void ServiceManager::tell_alive(std::int64_t now_ns) {
    if (timeout_ns_ == 0 || socket_.empty() || now_ns < next_ns_) return;
    next_ns_ = now_ns + timeout_ns_ / 3;
    sockaddr_un address{};
    if (socket_.size() >= sizeof address.sun_path) return;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket_.data(), socket_.size());
    auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
    if (socket_.front() == '@')
        address.sun_path[0] = '\0';
    else
        ++size;
    const int to = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (to < 0) return;
    constexpr std::string_view kAlive = "WATCHDOG=1";
    (void)::sendto(to, kAlive.data(), kAlive.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                   reinterpret_cast<const sockaddr*>(&address), size);
    ::close(to);
}

}  // namespace fieldwatch::agent
