// A small blocking HTTP/1.1 client for the command line and for what the server sends out: one request at a
// time over a connection of its own, JSON bodies, and server-sent events. Redirects are not followed.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "net/outbound_stream.hpp"

namespace fieldwatch::net {

/// `http://host:port` or `https://host[:port]`; a path behind it is a prefix of every target.
struct Url {
    bool tls = false;
    std::string host;
    std::uint16_t port = 80;
    std::string path;
};
Result<Url> parse_url(std::string_view text);

struct HttpReply {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers;  ///< names lower case
    std::string body;

    /// The first of this name, which is in lower case; "" = none.
    std::string_view header(std::string_view name) const;
};

struct HttpClientOptions {
    Url url;
    std::string bearer_token;
    std::string ca_file, ca_pem;  ///< whom to trust over TLS; both "" = the system's
    /// Further ones; no line ends in them. `Accept` takes the place of ours, which is `*/*`.
    std::vector<std::pair<std::string, std::string>> headers;
    std::chrono::seconds timeout{200};        ///< of one read; above the server's own query limit
    std::size_t body_bytes_max = 256u << 20;  ///< a whole query answer and some
    std::chrono::milliseconds total{0};    ///< of one request from connecting on; 0 = no bound but timeout's
    const Interrupt* interrupt = nullptr;  ///< ends a request from another thread
    bool only_global = false;              ///< OutboundOptions::only_global
};

class HttpClient {
  public:
    explicit HttpClient(HttpClientOptions options);
    ~HttpClient();
    HttpClient(HttpClient&&) noexcept;
    HttpClient& operator=(HttpClient&&) noexcept;

    /// Sends and waits for the whole answer. Errors: Unavailable (nobody listens), Timeout, Malformed,
    /// TooLarge.
    Result<HttpReply> request(std::string_view method, std::string_view target, std::string_view body = {});

    /// Reads server-sent events until `on_event(event, data)` says false, or the server ends the stream.
    Result<void> stream(std::string_view target,
                        const std::function<bool(std::string_view, std::string_view)>& on_event);

  private:
    class Connection;
    Result<std::unique_ptr<Connection>> connect() const;
    std::string head(std::string_view method, std::string_view target, std::size_t body_size) const;

    HttpClientOptions options_;
};

}  // namespace fieldwatch::net
