// One HTTP connection, as a coroutine on the server's network thread. Internal to net: names Beast.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "base/metrics.hpp"
#include "net/http.hpp"
#include "net/http_event_stream.hpp"
#include "net/http_message.hpp"
#include "net/task.hpp"
#include "net/tls_stream.hpp"
#include "net/worker_pool.hpp"

namespace fieldwatch::net {

namespace beast = boost::beast;
namespace http = boost::beast::http;

inline constexpr std::chrono::seconds kDrainTimeout{2};
inline constexpr std::chrono::seconds kEventStreamHeartbeat{15};  ///< proxies cut what is silent for 30 s

/// What all connections of a server share; outlives them.
struct HttpSessionContext {
    const HttpServerOptions& options;
    const HttpHandler& handler;
    WorkerPool& workers;
    Counter& requests;
    Counter& refused;
    bool stopping = false;  ///< network thread
};

/// What the server needs to know of a connection to end it.
class HttpConnection {
  public:
    virtual ~HttpConnection() = default;
    virtual void close() = 0;       ///< at once
    virtual bool idle() const = 0;  ///< no request is being answered
};

/// `Stream` is a TCP socket or net's TLS stream over one: Beast's AsyncStream. Lives on the network thread;
/// kept alive by its own coroutine.
template <class Stream>
class HttpSession final : public HttpConnection, public std::enable_shared_from_this<HttpSession<Stream>> {
  public:
    HttpSession(HttpSessionContext& context, Stream stream, std::string peer)
        : context_(context),
          stream_(std::move(stream)),
          peer_(std::move(peer)),
          deadline_(stream_.get_executor()),
          signal_(stream_.get_executor()),
          buffer_(context.options.header_bytes_max + kReadAhead) {}

    /// Requests of the connection, one after the other, until it ends.
    Task<> run() {
        bool more = co_await begin();
        while (more && !context_.stopping && !closed_)
            more = co_await one_request();
        close();
    }

    void close() override {
        if (std::exchange(closed_, true)) return;
        deadline_.cancel();
        signal_.cancel();
        beast::error_code ignored;
        auto& socket = lowest_socket(stream_);
        socket.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
        socket.close(ignored);
    }
    bool idle() const override { return idle_; }

  private:
    static constexpr bool kTls = std::is_same_v<Stream, TlsStream>;
    static constexpr std::size_t kReadAhead = 64u << 10;
    using Job = std::move_only_function<HttpResponse()>;
    using Parser = http::request_parser<http::string_body>;

    static asio::ip::tcp::socket& lowest_socket(asio::ip::tcp::socket& socket) { return socket; }
    static asio::ip::tcp::socket& lowest_socket(TlsStream& stream) { return stream.socket(); }

    /// Closes the connection when `limit` passes before the next call.
    void arm(std::chrono::milliseconds limit) {
        deadline_.expires_after(limit);
        deadline_.async_wait([self = this->shared_from_this()](const beast::error_code& error) {
            if (error || self->deadline_.expiry() > asio::steady_timer::clock_type::now()) return;
            self->close();
        });
    }

    Task<bool> begin() {
        if constexpr (kTls) {
            arm(context_.options.header_timeout);
            auto [error] = co_await stream_.async_handshake(kAsTuple);
            co_return !error;
        }
        co_return true;
    }

    Task<bool> wait_for_first_byte() {
        if (buffer_.size() > 0) co_return true;
        arm(context_.options.idle_timeout);
        auto [error, count] = co_await stream_.async_read_some(buffer_.prepare(4'096), kAsTuple);
        if (error) co_return false;
        buffer_.commit(count);
        co_return true;
    }

    /// Returns whether the connection may carry another request.
    Task<bool> one_request() {
        idle_ = true;
        const bool awake = co_await wait_for_first_byte();
        if (!awake || context_.stopping) co_return false;
        idle_ = false;
        arm(context_.options.header_timeout);
        Parser parser;
        parser.header_limit(static_cast<std::uint32_t>(context_.options.header_bytes_max));
        parser.body_limit(context_.options.body_bytes_max);
        {
            auto [error, count] = co_await http::async_read_header(stream_, buffer_, parser, kAsTuple);
            if (error) co_return co_await refuse_unreadable(error);
        }
        const auto refusal = refuse_header(parser.get());
        if (refusal) {
            context_.refused.add();
            co_await send(*refusal, {.keep_alive = false, .head = false, .version = 11});
            co_return false;
        }
        const bool body_arrived = co_await read_body(parser);
        if (!body_arrived) co_return false;
        co_return co_await answer(parser);
    }

    Task<bool> read_body(Parser& parser) {
        arm(context_.options.body_timeout);
        if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
            const std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
            auto [error, count] = co_await asio::async_write(stream_, asio::buffer(go_on), kAsTuple);
            if (error) co_return false;
        }
        auto [error, count] = co_await http::async_read(stream_, buffer_, parser, kAsTuple);
        if (error) co_return co_await refuse_unreadable(error);
        co_return true;
    }

    Task<bool> answer(Parser& parser) {
        context_.requests.add();
        deadline_.cancel();  // the handler bounds its own time
        const Delivery delivery{.keep_alive = parser.get().keep_alive(),
                                .head = parser.get().method() == http::verb::head,
                                .version = parser.get().version()};
        auto request = take(parser);
        if (auto readable = read_target(request); !readable) {
            context_.refused.add();
            const auto refusal = error_response(400, "BadRequest", readable.error().message);
            co_await send(refusal, {.keep_alive = false, .head = false, .version = 11});
            co_return false;
        }
        if (context_.handler.is_stream && context_.handler.is_stream(request)) {
            co_return co_await stream_events(std::move(request), delivery);
        }
        Job job = [handler = &context_.handler, request = std::move(request)] {
            return handler->respond(request);
        };
        const auto response = co_await on_worker(job);
        co_return co_await send(response, delivery);
    }

    /// Runs `job` on the pool, which it is moved to; the network thread goes on meanwhile. By reference
    /// because g++ 12 copies a coroutine's temporary arguments bit by bit.
    Task<HttpResponse> on_worker(Job& job) {
        struct State {
            HttpResponse response;
            bool done = false;
        };
        auto state = std::make_shared<State>();
        signal_.expires_at(asio::steady_timer::time_point::max());
        auto self = this->shared_from_this();
        const bool queued = context_.workers.submit([state, self, job = std::move(job),
                                                     executor = stream_.get_executor()]() mutable {
            HttpResponse response;
            try {
                response = job();
            } catch (const std::exception&) {  // a library's, which its adapter missed
                response = error_response(500, "InternalServerError", "the request could not be answered");
            }
            asio::post(executor, [state, self, response = std::move(response)]() mutable {
                state->response = std::move(response);
                state->done = true;
                self->signal_.cancel();
            });
        });
        if (!queued) {
            context_.refused.add();
            auto busy =
                error_response(503, "ServiceUnavailable", "the server is busy; try again in a second");
            busy.headers.emplace_back("retry-after", "1");
            co_return busy;
        }
        while (!state->done) {  // close() cancels the signal too; the job still has our request
            signal_.expires_at(asio::steady_timer::time_point::max());
            co_await signal_.async_wait(kAsTuple);
        }
        co_return std::move(state->response);
    }

    HttpRequest take(Parser& parser) const {
        auto message = parser.release();
        auto request = head_of(message, peer_);
        request.body = std::move(message.body());
        return request;
    }

    std::optional<HttpResponse> refuse_header(const Parser::value_type& message) const {
        const auto count = message.count(http::field::host);
        if (count != 1) return error_response(400, "BadRequest", "exactly one Host header is required");
        const std::string_view host(message[http::field::host].data(), message[http::field::host].size());
        if (host_is_ours(host, context_.options.host_names)) return std::nullopt;
        return error_response(421, "MisdirectedRequest",
                              "the Host header names another server; use the address that ./start printed");
    }

    Task<bool> refuse_unreadable(beast::error_code error) {
        if (closed_ || error == http::error::end_of_stream || error == http::error::partial_message ||
            error.category() != http::make_error_code(http::error::end_of_stream).category()) {
            co_return false;  // the peer is gone, or our deadline closed the connection
        }
        context_.refused.add();
        HttpResponse refusal =
            error_response(400, "BadRequest", "not an HTTP/1.1 request: " + error.message());
        if (error == http::error::body_limit) {
            refusal = error_response(413, "ContentTooLarge",
                                     "the body is over the limit of " +
                                         std::to_string(context_.options.body_bytes_max) + " bytes");
        } else if (error == http::error::header_limit || error == http::error::buffer_overflow) {
            refusal = error_response(431, "RequestHeaderFieldsTooLarge",
                                     "the header is over the limit of " +
                                         std::to_string(context_.options.header_bytes_max) + " bytes");
        }
        co_await send(refusal, {.keep_alive = false, .head = false, .version = 11});
        co_return false;
    }

    struct Delivery {
        bool keep_alive = true;
        bool head = false;
        unsigned version = 11;
    };

    template <class Message>
    void fill_header(Message& message, const HttpResponse& response, const Delivery& delivery) const {
        message.result(static_cast<unsigned>(response.status));
        message.version(delivery.version);
        for (const auto& [name, value] : response.headers)
            message.insert(name, value);
        message.keep_alive(delivery.keep_alive && !context_.stopping);
    }

    /// Returns whether the connection may carry another request.
    Task<bool> send(const HttpResponse& response, Delivery delivery) {
        if (closed_) co_return false;
        arm(context_.options.write_timeout);
        http::response<http::span_body<const char>> message;
        fill_header(message, response, delivery);
        const bool bodiless = response.status == 204 || response.status == 304;
        if (!bodiless) message.content_length(response.body.size());
        message.body() = {response.body.data(), response.body.size()};
        http::response_serializer<http::span_body<const char>> serializer(message);
        beast::error_code error;
        if (delivery.head || bodiless) {
            auto [failed, count] = co_await http::async_write_header(stream_, serializer, kAsTuple);
            error = failed;
        } else {
            auto [failed, count] = co_await http::async_write(stream_, serializer, kAsTuple);
            error = failed;
        }
        if (error) co_return false;
        const bool more = message.keep_alive();
        if (!more) co_await drain();
        co_return more;
    }

    /// Before closing on a peer that may still be sending: a reset would take our answer from its hands.
    Task<> drain() {
        arm(kDrainTimeout);
        if constexpr (kTls) {
            auto [failed] = co_await stream_.async_shutdown(kAsTuple);
            if (failed) co_return;
        }
        beast::error_code ignored;
        lowest_socket(stream_).shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
        std::size_t drained = 0;
        while (drained < context_.options.body_bytes_max) {
            buffer_.clear();
            auto [error, count] = co_await stream_.async_read_some(buffer_.prepare(16'384), kAsTuple);
            if (error) break;
            drained += count;
        }
    }

    Task<bool> stream_events(HttpRequest request, Delivery delivery) {
        auto self = this->shared_from_this();
        auto events = std::make_shared<QueuedEventStream>(
            [weak = this->weak_from_this(), executor = stream_.get_executor()] {
                asio::post(executor, [weak] {
                    if (auto session = weak.lock()) session->signal_.cancel();
                });
            });
        auto subscribed = std::make_shared<bool>(false);
        Job job = [handler = &context_.handler, request = std::move(request), events, subscribed] {
            auto answer = handler->subscribe(request, events);
            *subscribed = !answer.has_value();
            return answer.value_or(HttpResponse{});
        };
        const auto refusal = co_await on_worker(job);
        if (!*subscribed) {
            events->close();
            co_return co_await send(refusal, delivery);
        }
        idle_ = true;  // nothing is lost by closing it when the server stops
        co_await write_events(*events);
        events->close();
        co_return false;
    }

    Task<> write_events(QueuedEventStream& events) {
        std::string bytes =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
            "X-Content-Type-Options: nosniff\r\nX-Accel-Buffering: no\r\nConnection: close\r\n\r\n";
        watch_for_close();
        while (!closed_ && !context_.stopping) {
            if (bytes.empty()) {
                signal_.expires_after(kEventStreamHeartbeat);
                bytes = events.take();  // after arming: a write between the two wakes the wait below
                if (bytes.empty() && events.open()) {
                    auto [woken] = co_await signal_.async_wait(kAsTuple);
                    bytes = events.take();
                    if (bytes.empty() && !woken) bytes = ": still here\n\n";
                }
            }
            if (events.cut_off()) break;
            if (bytes.empty()) continue;
            arm(context_.options.write_timeout);
            auto [error, count] = co_await asio::async_write(stream_, asio::buffer(bytes), kAsTuple);
            deadline_.cancel();
            if (error) break;
            bytes.clear();
        }
    }

    /// A client that leaves is noticed by its end of stream, not by the next event that cannot be written.
    void watch_for_close() {
        buffer_.clear();
        stream_.async_read_some(buffer_.prepare(512), [self = this->shared_from_this()](
                                                          const beast::error_code& error, std::size_t) {
            if (error)
                self->close();
            else
                self->watch_for_close();
        });
    }

    HttpSessionContext& context_;
    Stream stream_;
    const std::string peer_;
    asio::steady_timer deadline_;
    asio::steady_timer signal_;  ///< cancelled to wake the coroutine
    beast::flat_buffer buffer_;
    bool closed_ = false;
    bool idle_ = true;
};

}  // namespace fieldwatch::net
