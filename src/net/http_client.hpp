// A small blocking HTTP/1.1 client for the command line: one request at a time, JSON bodies, and server-sent
// events.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

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
};

struct HttpClientOptions {
    Url url;
    std::string bearer_token;
    std::string ca_file;                      ///< PEM; "" = the system's
    std::chrono::seconds timeout{200};        ///< of one read; above the server's own query limit
    std::size_t body_bytes_max = 256u << 20;  ///< a whole query answer and some
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
