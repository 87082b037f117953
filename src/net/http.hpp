// HTTP/1.1 over TLS for the rest of the tree: requests in, responses out, server-sent events. Beast stays
// behind this header.
#pragma once

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
    std::size_t body_bytes_max = 32u << 20;  ///< Data Collector's 30 MB and a little
    std::size_t header_bytes_max = 32u << 10;
    std::size_t connections_max = 2'000;
    unsigned workers = 4;
    bool tls = false;  ///< plain HTTP is refused on any address but loopback
};

}  // namespace fieldwatch::net
