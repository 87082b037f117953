#include "net/http_server.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <list>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/log.hpp"
#include "net/http_session.hpp"

namespace fieldwatch::net {
namespace {

using asio::ip::tcp;

/// Queries are the slow requests; this many may wait behind the running ones before peers are told to come
/// back. At a body of 32 MiB each the worst case is bounded by connections_max, not by this.
constexpr std::size_t kJobsWaitingMax = 256;

}  // namespace

/// A connection before its first byte: a TLS record begins with 22 (RFC 8446 section 5.1), a request with a
/// letter.
class FirstByte final : public HttpConnection, public std::enable_shared_from_this<FirstByte> {
  public:
    FirstByte(tcp::socket socket, std::string peer)
        : socket_(std::move(socket)), peer_(std::move(peer)), deadline_(socket_.get_executor()) {}

    Task<> run(std::chrono::milliseconds limit) {
        deadline_.expires_after(limit);
        deadline_.async_wait([self = shared_from_this()](const beast::error_code& error) {
            if (!error) self->close();
        });
        auto [error] = co_await socket_.async_wait(tcp::socket::wait_read, kAsTuple);
        deadline_.cancel();
        if (error) co_return;
        char first = 0;
        const auto count = ::recv(socket_.native_handle(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
        if (count == 1) is_tls_ = first == 22;
    }
    void close() override {
        beast::error_code ignored;
        socket_.close(ignored);
        deadline_.cancel();
    }
    bool idle() const override { return true; }

    /// After run(): nothing when the peer went away.
    std::optional<bool> is_tls() const { return is_tls_; }
    tcp::socket socket_;
    std::string peer_;

  private:
    asio::steady_timer deadline_;
    std::optional<bool> is_tls_;
};

class HttpServer::Impl {
  public:
    Impl(HttpServerOptions options, HttpHandler handler, std::shared_ptr<TlsServerContext> tls,
         Metrics& metrics)
        : options_(std::move(options)),
          tls_(std::move(tls)),
          handler_(std::move(handler)),
          workers_(std::max(1u, options_.workers), kJobsWaitingMax),
          connections_(metrics.gauge("fieldwatch_http_connections", "Open HTTP connections.")),
          over_limit_(metrics.counter("fieldwatch_http_refused_total",
                                      "HTTP requests the server itself refused.",
                                      {{"reason", "connections"}})),
          context_{options_, handler_, workers_,
                   metrics.counter("fieldwatch_http_requests_total", "HTTP requests handed to a handler."),
                   metrics.counter("fieldwatch_http_refused_total",
                                   "HTTP requests the server itself refused.", {{"reason", "request"}})} {}

    Result<void> listen() {
        beast::error_code error;
        const auto address = asio::ip::make_address(options_.address, error);
        if (error)
            return fail(Errc::InvalidArgument,
                        "listen address " + options_.address + " is not an IP address");
        if (!tls_ && !address.is_loopback()) {
            return fail(Errc::InvalidArgument,
                        "plain HTTP is served on loopback only; " + options_.address + " needs TLS");
        }
        const tcp::endpoint endpoint(address, options_.port);
        acceptor_.open(endpoint.protocol(), error);
        if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
        if (!error) acceptor_.bind(endpoint, error);
        if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
        if (!error) port_ = acceptor_.local_endpoint(error).port();
        if (error) {
            return fail(Errc::Io, "listening on " + options_.address + ":" + std::to_string(options_.port) +
                                      ": " + error.message());
        }
        return {};
    }

    void start() {
        // io_.run() is the scope of every coroutine: it returns when all have ended.
        asio::co_spawn(io_, accept(), [](const std::exception_ptr&) {});
        thread_ = std::thread([this] { io_.run(); });
    }

    void stop() {
        if (!thread_.joinable()) return;
        asio::post(io_, [this] { begin_stop(); });
        thread_.join();
        workers_.stop();
    }

    std::uint16_t port() const { return port_; }

  private:
    using Connections = std::list<std::weak_ptr<HttpConnection>>;

    asio::awaitable<void> accept() {
        for (;;) {
            auto [error, socket] = co_await acceptor_.async_accept(kAsTuple);
            if (context_.stopping) co_return;
            if (error) {  // out of descriptors, mostly: give the running connections time to end
                log::warning("http", "accepting a connection: " + error.message());
                pause_.expires_after(std::chrono::milliseconds(100));
                co_await pause_.async_wait(kAsTuple);
                if (context_.stopping) co_return;
                continue;
            }
            if (open_.size() >= options_.connections_max) {
                over_limit_.add();
                continue;  // the socket closes
            }
            welcome(std::move(socket));
        }
    }

    void welcome(tcp::socket socket) {
        beast::error_code error;
        socket.set_option(tcp::no_delay(true), error);
        const auto peer = socket.remote_endpoint(error);
        if (error) return;
        // What is said on this machine crosses no wire.
        const auto here = socket.local_endpoint(error);
        if (tls_ && options_.plain_from_here &&
            (peer.address().is_loopback() || peer.address() == here.address())) {
            auto first = std::make_shared<FirstByte>(std::move(socket), peer.address().to_string());
            track(first, first->run(options_.idle_timeout), [this, first] {
                if (!context_.stopping && first->is_tls())
                    serve(std::move(first->socket_), first->peer_, *first->is_tls());
            });
        } else {
            serve(std::move(socket), peer.address().to_string(), tls_ != nullptr);
        }
    }

    void serve(tcp::socket socket, std::string peer, bool over_tls) {
        if (over_tls) {
            auto session = std::make_shared<HttpSession<TlsStream>>(
                context_, TlsStream(std::move(socket), tls_), std::move(peer));
            track(session, session->run());
        } else {
            auto session =
                std::make_shared<HttpSession<tcp::socket>>(context_, std::move(socket), std::move(peer));
            track(session, session->run());
        }
    }

    /// Runs what a connection does; it is one of the open ones, and alive, until that ends.
    void track(const std::shared_ptr<HttpConnection>& connection, Task<> task,
               std::function<void()> then = {}) {
        open_.push_front(connection);
        connections_.set(static_cast<double>(open_.size()));
        asio::co_spawn(
            io_, std::move(task),
            [this, connection, then = std::move(then), place = open_.begin()](const std::exception_ptr&) {
                open_.erase(place);
                if (then) then();
                connections_.set(static_cast<double>(open_.size()));
                if (context_.stopping && open_.empty()) grace_.cancel();
            });
    }

    /// Network thread. When the last connection has ended nothing is left for io_.run() to do.
    void begin_stop() {
        context_.stopping = true;
        beast::error_code ignored;
        acceptor_.close(ignored);
        pause_.cancel();
        close_connections([](const HttpConnection& connection) { return connection.idle(); });
        if (open_.empty()) return;
        grace_.expires_after(options_.stop_timeout);
        grace_.async_wait([this](const beast::error_code& error) {
            if (!error) close_connections([](const HttpConnection&) { return true; });
        });
    }

    template <class Which>
    void close_connections(Which which) {
        for (const auto& weak : open_) {
            const auto connection = weak.lock();
            if (connection && which(*connection)) connection->close();
        }
    }

    const HttpServerOptions options_;
    const std::shared_ptr<TlsServerContext> tls_;  ///< null = plain
    const HttpHandler handler_;
    asio::io_context io_{1};
    tcp::acceptor acceptor_{io_};
    asio::steady_timer pause_{io_};
    asio::steady_timer grace_{io_};
    Connections open_;  ///< network thread
    WorkerPool workers_;
    Gauge& connections_;
    Counter& over_limit_;
    HttpSessionContext context_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() {
    stop();
}

Result<std::unique_ptr<HttpServer>> HttpServer::create(const HttpServerOptions& options, HttpHandler handler,
                                                       Metrics& metrics,
                                                       std::shared_ptr<TlsServerContext> tls) {
    auto impl = std::make_unique<Impl>(options, std::move(handler), std::move(tls), metrics);
    FIELDWATCH_TRY(impl->listen());
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

void HttpServer::start() {
    impl_->start();
}

void HttpServer::stop() {
    impl_->stop();
}

std::uint16_t HttpServer::port() const {
    return impl_->port();
}

}  // namespace fieldwatch::net
