// The HTTP/1.1 server behind net/http.hpp. One thread moves bytes of all connections, a worker pool runs the
// handlers; what a peer may send, and how slowly, is bounded by HttpServerOptions.
#pragma once

#include <cstdint>
#include <memory>

#include "base/metrics.hpp"
#include "base/result.hpp"
#include "net/http.hpp"
#include "net/tls_context.hpp"

namespace fieldwatch::net {

class HttpServer {
  public:
    /// Binds and listens; port() is known when it returns. With `tls` it speaks HTTPS; see
    /// HttpServerOptions::plain_from_here. Errors: InvalidArgument (an address that is none,
    /// plain HTTP, no `tls`, beyond loopback), Io (the port is taken).
    static Result<std::unique_ptr<HttpServer>> create(const HttpServerOptions& options, HttpHandler handler,
                                                      Metrics& metrics,
                                                      std::shared_ptr<TlsServerContext> tls = nullptr);
    ~HttpServer();  ///< stops

    void start();  ///< serves from its own threads; once
    /// Accepts no more, closes idle connections and event streams, lets running requests end within
    /// stop_timeout, joins. Idempotent; not from a handler.
    void stop();
    std::uint16_t port() const;

  private:
    class Impl;
    explicit HttpServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwatch::net
