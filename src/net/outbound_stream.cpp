#include "net/outbound_stream.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/sockios.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/clock.hpp"
#include "base/ip_address.hpp"

namespace fieldwatch::net {

namespace {

struct FreeAddresses {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Result<Addresses> addresses_of(const std::string& host, std::uint16_t port, int type) {
    addrinfo hints{};
    hints.ai_socktype = type;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const auto service = std::to_string(port);
    if (const int error = ::getaddrinfo(host.c_str(), service.c_str(), &hints, &found); error != 0)
        return fail(Errc::Unavailable, host + " has no address: " + ::gai_strerror(error));
    return Addresses(found);
}

bool is_global(const addrinfo& address) {
    IpAddress out;
    if (address.ai_family == AF_INET) {
        std::memcpy(out.bytes.data(), &reinterpret_cast<const sockaddr_in*>(address.ai_addr)->sin_addr, 4);
    } else if (address.ai_family == AF_INET6) {
        out.is_v4 = false;
        std::memcpy(out.bytes.data(), &reinterpret_cast<const sockaddr_in6*>(address.ai_addr)->sin6_addr, 16);
    } else {
        return false;
    }
    return out.is_global();
}

std::unexpected<Error> not_global(const std::string& host) {
    return fail(Errc::Forbidden, host + " has no address that is reachable from anywhere");
}

/// The first address of a host that is reachable from anywhere, as text: who connects there cannot be sent to
/// another by a second answer of the resolver.
Result<std::string> global_address_of(const std::string& host, std::uint16_t port) {
    const auto addresses = FIELDWATCH_TRY(addresses_of(host, port, SOCK_STREAM));
    for (const auto* address = addresses.get(); address != nullptr; address = address->ai_next) {
        std::array<char, NI_MAXHOST> text{};
        if (is_global(*address) && ::getnameinfo(address->ai_addr, address->ai_addrlen, text.data(),
                                                 text.size(), nullptr, 0, NI_NUMERICHOST) == 0)
            return std::string(text.data());
    }
    return not_global(host);
}

std::unexpected<Error> gone(const std::string& host, int error) {
    return fail(Errc::Unavailable, host + ": " + std::strerror(error));
}

}  // namespace

Result<std::unique_ptr<Interrupt>> Interrupt::create() {
    const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) return fail(Errc::Io, std::string("eventfd: ") + std::strerror(errno));
    return std::unique_ptr<Interrupt>(new Interrupt(fd));
}

Interrupt::~Interrupt() {
    ::close(fd_);
}

void Interrupt::raise() {
    static_cast<void>(::eventfd_write(fd_, 1));
}

Patience Patience::of(std::chrono::milliseconds span, const Interrupt* interrupt) {
    return {.until = system_clock().monotonic() + span,
            .interrupt_fd = interrupt == nullptr ? -1 : interrupt->fd()};
}

Result<void> pause(const Patience& patience) {
    for (;;) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(patience.until - system_clock().monotonic());
        if (left.count() <= 0) return {};
        pollfd waiting{patience.interrupt_fd, POLLIN, 0};
        if (::poll(&waiting, 1, static_cast<int>(left.count())) > 0)
            return fail(Errc::Cancelled, "ended while waiting");
    }
}

OutboundStream::OutboundStream(OutboundStream&& other) noexcept
    : host_(std::move(other.host_)), fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)) {
    other.tls_.reset();
}

OutboundStream::~OutboundStream() {
    if (fd_ >= 0) ::close(fd_);
}

Result<void> OutboundStream::wait(short events, const Patience& patience) const {
    for (;;) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(patience.until - system_clock().monotonic());
        std::array<pollfd, 2> waiting{pollfd{descriptor(), events, 0},
                                      pollfd{patience.interrupt_fd, POLLIN, 0}};
        const int ready =
            ::poll(waiting.data(), waiting.size(), static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
        if (ready < 0 && errno == EINTR) continue;
        if (waiting[1].revents != 0) return fail(Errc::Cancelled, "ended while talking to " + host_);
        if (ready > 0) return {};
        return fail(Errc::Timeout, host_ + " does not answer in time");
    }
}

Result<void> OutboundStream::connect_plain(const OutboundOptions& options, const Patience& patience) {
    const auto addresses = FIELDWATCH_TRY(addresses_of(options.host, options.port, SOCK_STREAM));
    int error = ECONNREFUSED;
    bool any = false;
    for (const auto* address = addresses.get(); address != nullptr; address = address->ai_next) {
        if (options.only_global && !is_global(*address)) continue;
        any = true;
        if (fd_ >= 0) ::close(fd_);
        fd_ = ::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd_ < 0) continue;
        const int on = 1;
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (::connect(fd_, address->ai_addr, address->ai_addrlen) == 0) return {};
        error = errno;
        if (error != EINPROGRESS) continue;
        FIELDWATCH_TRY(wait(POLLOUT, patience));
        socklen_t size = sizeof error;
        ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error == 0) return {};
    }
    return any ? gone(options.host, error) : not_global(options.host);
}

Result<OutboundStream> OutboundStream::connect(const OutboundOptions& options, const Patience& patience) {
    OutboundStream stream;
    stream.host_ = options.host;
    if (!options.tls) {
        FIELDWATCH_TRY(stream.connect_plain(options, patience));
        return stream;
    }
    auto address = options.host;
    if (options.only_global) address = FIELDWATCH_TRY(global_address_of(options.host, options.port));
    auto client = TlsClient::start({.host = address,
                                    .port = options.port,
                                    .server_name = options.host,
                                    .ca_file = options.ca_file,
                                    .ca_pem = options.ca_pem,
                                    .certificate = {}});
    if (!client) {
        auto error = std::move(client).error();
        if (error.code == Errc::NotFound) error.code = Errc::Unavailable;  // who has no address now
        return std::unexpected(std::move(error));
    }
    stream.tls_.emplace(std::move(*client));
    while (!FIELDWATCH_TRY(stream.tls_->advance()))
        FIELDWATCH_TRY(stream.wait(stream.tls_->wanted_events(), patience));
    return stream;
}

Result<void> OutboundStream::write_all(ByteView data, const Patience& patience) {
    while (!data.empty()) {
        std::size_t taken = 0;
        if (tls_) {
            taken = FIELDWATCH_TRY(tls_->write_some(data));
        } else if (const auto sent = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL); sent >= 0) {
            taken = static_cast<std::size_t>(sent);
        } else if (errno != EAGAIN && errno != EINTR) {
            return gone(host_, errno);
        }
        data = data.subspan(taken);
        if (taken == 0) FIELDWATCH_TRY(wait(tls_ ? tls_->wanted_events() : POLLOUT, patience));
    }
    return {};
}

Result<std::size_t> OutboundStream::read_some(std::span<std::byte> out, const Patience& patience) {
    for (;;) {
        if (tls_) {
            if (const auto got = FIELDWATCH_TRY(tls_->read_or_end(out)); !got || *got > 0)
                return got.value_or(0);
        } else if (const auto got = ::recv(fd_, out.data(), out.size(), 0); got >= 0) {
            return static_cast<std::size_t>(got);
        } else if (errno != EAGAIN && errno != EINTR) {
            return gone(host_, errno);
        }
        FIELDWATCH_TRY(wait(tls_ ? tls_->wanted_events() : POLLIN, patience));
    }
}

Result<void> OutboundStream::finish(const Patience& patience) {
    if (tls_) tls_->end_writing();
    const int fd = descriptor();
    if (::shutdown(fd, SHUT_WR) != 0) return gone(host_, errno);
    // Below TLS: what the peer says now is nobody's, only that it ends.
    std::array<std::byte, 4096> passed_over;
    for (std::size_t total = 0; total < (1u << 20);) {
        const auto got = ::recv(fd, passed_over.data(), passed_over.size(), 0);
        if (got == 0) return {};
        if (got < 0 && errno != EAGAIN && errno != EINTR) return gone(host_, errno);
        if (got > 0) {
            total += static_cast<std::size_t>(got);
        } else {
            FIELDWATCH_TRY(wait(POLLIN, patience));
        }
    }
    return fail(Errc::Timeout, host_ + " talks on and does not close");
}

bool OutboundStream::all_acknowledged() const {
    int waiting = 0;
    return ::ioctl(descriptor(), SIOCOUTQ, &waiting) == 0 && waiting == 0;
}

Result<void> send_datagram(const std::string& host, std::uint16_t port, ByteView data) {
    const auto addresses = FIELDWATCH_TRY(addresses_of(host, port, SOCK_DGRAM));
    int error = ECONNREFUSED;
    for (const auto* address = addresses.get(); address != nullptr; address = address->ai_next) {
        const int fd = ::socket(address->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0) continue;
        const auto sent =
            ::sendto(fd, data.data(), data.size(), MSG_NOSIGNAL, address->ai_addr, address->ai_addrlen);
        error = errno;
        ::close(fd);
        if (sent >= 0) return {};
        if (error == EMSGSIZE) return fail(Errc::TooLarge, "a message is too large for a datagram");
    }
    return gone(host, error);
}

}  // namespace fieldwatch::net
