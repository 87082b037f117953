// HTTP/1.1 over TLS for the rest of the tree: requests in, responses out, server-sent events. Beast stays
// behind this header.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace fieldwatch::net {

struct HttpRequest {
    std::string method;                                        ///< upper case
    std::string target;                                        ///< as sent: path and query
    std::string path;                                          ///< percent-decoded, without query
    std::vector<std::pair<std::string, std::string>> query;    ///< decoded, in order
    std::vector<std::pair<std::string, std::string>> headers;  ///< names lower case
    std::string body;
    std::string peer;  ///< address without port

    std::string_view header(std::string_view lower_case_name) const;  ///< "" when absent
    std::optional<std::string_view> parameter(std::string_view name) const;
};

struct HttpResponse {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
};

/// Server-sent events: write() returns false when the client is gone or too slow (its queue is bounded).
class EventStream {
  public:
    virtual ~EventStream() = default;
    virtual bool write(std::string_view event, std::string_view data) = 0;  ///< any thread
    virtual bool open() const = 0;
    virtual void end() = 0;  ///< cuts the client off, with what it has not read yet; any thread
};

/// Handlers run on a worker pool and may block (queries do); they decide, the server moves bytes.
struct HttpHandler {
    std::function<HttpResponse(const HttpRequest&)> respond;
    /// Asked first: true = this target is an event stream, which `subscribe` then owns until it closes.
    std::function<bool(const HttpRequest&)> is_stream;
    std::function<std::optional<HttpResponse>(const HttpRequest&, std::shared_ptr<EventStream>)> subscribe;
};

struct HttpServerOptions {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;
    /// With TLS: whether who connects from this machine may speak plain HTTP as well.
    bool plain_from_here = false;
    std::size_t body_bytes_max = 32u << 20;  ///< Data Collector's 30 MB and a little
    std::size_t header_bytes_max = 32u << 10;
    std::size_t connections_max = 2'000;
    unsigned workers = 4;
    /// Host names a request may be addressed to, besides the addresses of loopback and `localhost`. A page of
    /// another site that points its own name at 127.0.0.1 (DNS rebinding) is refused by this list.
    std::vector<std::string> host_names;
    std::chrono::milliseconds header_timeout{10'000};  ///< from a request's first byte to its empty line
    std::chrono::milliseconds body_timeout{60'000};    ///< 32 MiB at 5 Mbit/s
    std::chrono::milliseconds idle_timeout{75'000};    ///< kept-alive, nothing asked
    std::chrono::milliseconds write_timeout{60'000};   ///< a whole response, or one batch of events
    std::chrono::milliseconds stop_timeout{5'000};     ///< what running requests get when the server stops
};

/// Splits `target` (RFC 9112 section 3.2, origin form) into the decoded path and parameters of `request`.
/// Errors: Malformed unless it starts with '/' and decodes to UTF-8 without control characters.
Result<void> read_target(HttpRequest& request);

/// Whether the Host header value `host`, with or without port, names this server: see
/// HttpServerOptions::host_names. RFC 9110 section 7.2.
bool host_is_ours(std::string_view host, const std::vector<std::string>& host_names);

/// The body of every refusal: {"error":{"code","message"}}.
HttpResponse error_response(int status, std::string_view code, std::string_view message);

}  // namespace fieldwatch::net
