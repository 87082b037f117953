// A TLS listener for binary protocols that are state machines: bytes in, bytes out, deadlines. The server
// moves bytes; the handler decides. Connections are pinned to a core, and an idle one holds no buffers.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "net/runtime.hpp"
#include "net/tls_context.hpp"

namespace fieldwatch::net {

enum class CloseReason : std::uint8_t {
    Local,       ///< the handler asked for it
    PeerClosed,  ///< the peer ended the connection
    Failed,      ///< reset, or broken TLS
    TooSlow,     ///< the peer does not read what we send: Options::output_bytes_max
    Stopping,    ///< the server stops
};

/// One accepted connection as its handler sees it. Only on its core's thread; lives as long as the handler.
class Connection {
  public:
    virtual ~Connection() = default;
    virtual unsigned core() const = 0;
    virtual std::uint64_t id() const = 0;            ///< unique in the server, never 0
    virtual const std::string& address() const = 0;  ///< of the peer, without port
    virtual std::string tls_version() const = 0;
    virtual std::string tls_cipher() const = 0;
    virtual std::optional<PeerCertificate> certificate() const = 0;
    virtual std::string server_name() const = 0;           ///< what the peer called us (SNI); "" = nothing
    virtual std::string application_protocol() const = 0;  ///< that TLS agreed on (ALPN); "" = none

    virtual Bytes& output() = 0;  ///< append here, then flush
    virtual void flush() = 0;     ///< sends now what the socket takes, the rest when it can
    /// How much may wait for a peer that does not read, from now on; Options::output_bytes_max until then.
    virtual void bound_output(std::size_t bytes_max) = 0;
    virtual void pause() = 0;  ///< read no more: the peer's window fills, and it waits
    virtual void resume() = 0;
    virtual void close() = 0;  ///< after what was flushed; the handler hears closed() later, from the loop
    /// Handler::deadline() is called once when that much time has passed; a new call replaces the old.
    virtual void deadline_after(std::chrono::milliseconds delay) = 0;
};

/// The protocol of one connection. All calls come on its core's thread, after the TLS handshake.
class Handler {
  public:
    virtual ~Handler() = default;
    /// Takes what it can of `input`, returns how much that was; the rest comes again with more behind it.
    /// What it leaves must be bounded by it. After pause() it may leave whole packets.
    virtual std::size_t received(ByteView input) = 0;
    virtual void deadline() = 0;
    virtual void closed(CloseReason reason) = 0;  ///< last call
};

class StreamServer {
  public:
    static constexpr std::size_t kOutputBytesMax =
        1u << 20;  ///< four of the largest messages wait for a slow peer
    struct Options {
        std::string address = "0.0.0.0";
        std::uint16_t port = 0;
        std::size_t connections_max = 60'000;  ///< 50,000 idle devices of the design's budget, and some
        std::size_t output_bytes_max = kOutputBytesMax;
        std::chrono::milliseconds handshake_timeout{20'000};
    };
    /// Asked once a connection is accepted, before TLS: false = close it (rate of connects).
    using Admit = std::function<bool(const std::string& address)>;
    using MakeHandler = std::function<std::unique_ptr<Handler>(Connection&)>;

    /// Listens at once. `runtime` and `metrics` outlive the server. Errors: Io (the address is taken or not
    /// ours).
    static Result<std::unique_ptr<StreamServer>> start(Runtime& runtime,
                                                       std::shared_ptr<TlsServerContext> tls,
                                                       const Options& options, Metrics& metrics, Admit admit,
                                                       MakeHandler make_handler);
    virtual ~StreamServer() = default;  ///< stop()
    /// Accepts no more, closes every connection (closed(Stopping)), and waits for the last. From outside the
    /// loops.
    virtual void stop() = 0;
    virtual std::uint16_t port() const = 0;
    virtual std::size_t connection_count() const = 0;
};

}  // namespace fieldwatch::net
