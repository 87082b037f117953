// HTTP/1.1 and WebSocket as the protocol of a StreamServer's connection: thousands of devices on the hub's
// own loops, answers from any thread, an upgrade to a binary protocol's handler. The page's server is another
// (net/http_server.hpp): it streams events and runs queries on threads of its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <string_view>

#include "net/http.hpp"
#include "net/runtime.hpp"
#include "net/stream_server.hpp"

namespace fieldwatch::net {

/// Bytes that all connections of a server may hold at once. Any thread.
class ByteBudget {
  public:
    explicit ByteBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    bool take(std::size_t bytes) {
        if (held_.fetch_add(bytes) + bytes <= bytes_max_) return true;
        held_.fetch_sub(bytes);
        return false;
    }
    void give(std::size_t bytes) { held_.fetch_sub(bytes); }
    std::size_t held() const { return held_; }

  private:
    std::size_t bytes_max_;
    std::atomic<std::size_t> held_ = 0;
};

struct WebHandlers {
    using Respond = std::move_only_function<void(HttpResponse)>;
    /// A whole request, on the connection's core: it must not block. `respond` is called once, from any
    /// thread; requests of one connection come one after another.
    std::function<void(HttpRequest request, const Connection& connection, Respond respond)> request;
    /// How large the body of a request with this head may be, or what refuses it before its body is taken.
    std::function<std::expected<std::size_t, HttpResponse>(const HttpRequest& head)> body_bytes_max;
    /// The protocol behind an upgrade, or null to refuse it (another path, another sub-protocol). The
    /// connection it is given carries the messages' payload.
    std::function<std::unique_ptr<Handler>(std::string_view path, std::string_view sub_protocol,
                                           Connection& connection)>
        websocket;
    std::size_t header_bytes_max = 32u << 10;
    std::size_t body_bytes_limit = 64u << 20;  ///< whatever body_bytes_max says
    /// Of bodies that have come and are not answered, over all connections; above it answers are 503.
    std::shared_ptr<ByteBudget> bodies = std::make_shared<ByteBudget>(128u << 20);
    /// What may wait for a slow peer once the connection is a WebSocket's: an answer of HTTP may be larger.
    std::size_t websocket_output_bytes_max = StreamServer::kOutputBytesMax;
    std::chrono::milliseconds request_timeout{60'000};  ///< for the head, and for each kBodyStep of a body
    std::chrono::milliseconds idle_timeout{120'000};
};

inline constexpr std::size_t kBodyStep = 256u << 10;

/// `runtime` and `handlers` outlive the server that the connection belongs to.
std::unique_ptr<Handler> make_web_stream(Runtime& runtime, Connection& connection,
                                         const WebHandlers& handlers);

}  // namespace fieldwatch::net
