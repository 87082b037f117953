// A TLS client on a socket of its own, without an event loop: the agent polls it between other work, a
// command line tool lets it block. Server certificate and name are always verified.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "net/private_key.hpp"

namespace fieldwatch::net {

struct TlsClientOptions {
    std::string host;  ///< where to connect: name or address
    std::uint16_t port = 0;
    std::string server_name;  ///< whom the certificate must name; "" = host
    std::string ca_file;      ///< PEM bundle of trusted authorities; "" = the system's
    std::string ca_pem = {};  ///< the same as text, in place of a file
    /// Who we are: PEM text, the certificate, those that lead to its authority, and the private key, in any
    /// order but for the first; "" = nobody says so by certificate.
    std::string certificate;
    /// The certificate's key, where the text does not hold it.
    std::optional<PrivateKey> private_key = {};
};

/// One connection. One thread. Closed by its destructor (without close_notify if that would block).
class TlsClient {
  public:
    TlsClient(TlsClient&&) noexcept;
    TlsClient& operator=(TlsClient&&) noexcept;
    ~TlsClient();

    /// Begins to connect; never waits for the peer, but may for the resolver. Errors: InvalidArgument (CA
    /// file, name), NotFound (host), Io.
    static Result<TlsClient> start(const TlsClientOptions& options);
    /// Goes on with connecting and the handshake; true once it is established. Errors: Unavailable (refused,
    /// unreachable), Unauthorized (certificate), Malformed (not TLS).
    Result<bool> advance();

    /// What to wait for on fd() before the next call: POLLIN or POLLOUT.
    int fd() const;
    short wanted_events() const;

    /// Up to out.size() bytes; 0 = nothing now. Errors: Unavailable when the peer has closed.
    Result<std::size_t> read_some(std::span<std::byte> out);
    /// The same, where an end is no error: nullopt once the peer said that it ends.
    Result<std::optional<std::size_t>> read_or_end(std::span<std::byte> out);
    /// How many bytes were taken; 0 = none now, call again with the same bytes.
    Result<std::size_t> write_some(ByteView data);

    /// Says that we write no more (close_notify), as far as the socket takes it now.
    void end_writing();

    // The same, waiting. Errors besides: Timeout.
    static Result<TlsClient> connect(const TlsClientOptions& options, std::chrono::milliseconds timeout);
    Result<std::size_t> read(std::span<std::byte> out,
                             std::chrono::milliseconds timeout);  ///< at least one byte
    Result<void> write_all(ByteView data, std::chrono::milliseconds timeout);

  private:
    struct Connection;
    explicit TlsClient(std::unique_ptr<Connection> connection);
    Result<void> wait(std::chrono::milliseconds timeout);
    std::unique_ptr<Connection> connection_;
};

}  // namespace fieldwatch::net
