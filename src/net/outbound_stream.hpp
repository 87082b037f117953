// Connections that the server itself opens, towards receivers that may be slow, absent or gone: blocking
// calls with a deadline, which another thread can end. Plain TCP, TLS (verified), and datagrams.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "net/tls_client.hpp"

namespace fieldwatch::net {

/// Ends waits from another thread: a descriptor that becomes readable. Any thread.
class Interrupt {
  public:
    static Result<std::unique_ptr<Interrupt>> create();
    ~Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    void raise();  ///< for good
    int fd() const { return fd_; }

  private:
    explicit Interrupt(int fd) : fd_(fd) {}
    int fd_;
};

/// When a call must be done, and what ends it before.
struct Patience {
    std::chrono::nanoseconds until{0};  ///< as the system clock's monotonic() counts
    int interrupt_fd = -1;

    static Patience of(std::chrono::milliseconds span, const Interrupt* interrupt = nullptr);
};

/// Waits until then. Errors: Cancelled when it was interrupted.
Result<void> pause(const Patience& patience);

struct OutboundOptions {
    std::string host;  ///< name or address
    std::uint16_t port = 0;
    bool tls = false;
    std::string ca_file, ca_pem;  ///< whom to trust besides nobody; both "" = the system's authorities
    /// Only to addresses that are reachable from anywhere: for hosts that a stranger named.
    bool only_global = false;
};

/// One connection, one thread. Errors of every call besides those named: Timeout, Cancelled (interrupted).
class OutboundStream {
  public:
    /// Errors: Unavailable (nobody answers, no such host), Unauthorized (certificate), Malformed (not TLS).
    static Result<OutboundStream> connect(const OutboundOptions& options, const Patience& patience);
    OutboundStream(OutboundStream&& other) noexcept;
    OutboundStream& operator=(OutboundStream&&) = delete;
    ~OutboundStream();

    /// Errors: Unavailable when the peer is gone.
    Result<void> write_all(ByteView data, const Patience& patience);
    /// At least one byte, or 0 at the end of the stream.
    Result<std::size_t> read_some(std::span<std::byte> out, const Patience& patience);
    /// Says that nothing more comes, and waits until the peer has closed in answer: it read everything
    /// before. What it still sends is passed over. Errors: Unavailable when the connection broke instead, so
    /// that it is not known what was read; Timeout when the peer keeps the connection open.
    Result<void> finish(const Patience& patience);
    /// Whether the peer's system has acknowledged every byte that was written.
    bool all_acknowledged() const;

  private:
    OutboundStream() = default;
    int descriptor() const { return tls_ ? tls_->fd() : fd_; }
    Result<void> connect_plain(const OutboundOptions& options, const Patience& patience);
    Result<void> wait(short events, const Patience& patience) const;

    std::string host_;
    int fd_ = -1;
    std::optional<TlsClient> tls_;
};

/// One datagram, as far as the kernel takes it. Errors: Unavailable, TooLarge.
Result<void> send_datagram(const std::string& host, std::uint16_t port, ByteView data);

}  // namespace fieldwatch::net
