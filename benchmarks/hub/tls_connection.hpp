// A TLS connection of the load generator: non-blocking, driven by epoll's edges. And what a run is measured
// by.
#pragma once

#include <memory>
#include <string>
#include <vector>

struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;

namespace load {

struct FreeContext {
    void operator()(ssl_ctx_st* context) const;
};
using Context = std::unique_ptr<ssl_ctx_st, FreeContext>;
struct FreeSession {
    void operator()(ssl_session_st* session) const;
};
using Session = std::unique_ptr<ssl_session_st, FreeSession>;

/// Trusts the authorities of `ca_file`, and verifies.
Context client_context(const std::string& ca_file);

class TlsConnection {
  public:
    /// Begins to connect; `session` is resumed if the server will.
    TlsConnection(ssl_ctx_st* context, const std::string& host, const std::string& port,
                  const Session& session = {});
    ~TlsConnection();
    TlsConnection(const TlsConnection&) = delete;
    TlsConnection& operator=(const TlsConnection&) = delete;

    int socket() const { return socket_; }
    bool established() const { return established_; }
    bool resumed() const;
    Session session() const;  ///< to resume later

    /// Goes on with the handshake, and appends what has come; false: the connection is over.
    bool advance(std::string& in);
    std::string& output() { return output_; }
    bool flush();  ///< as much as the socket takes; false likewise
    void say_goodbye();

  private:
    bool waits(int result) const;
    int socket_ = -1;
    ssl_st* ssl_ = nullptr;
    std::string output_;
    bool established_ = false;
};

double cpu_seconds();  ///< of this process so far, user and system
double percentile(std::vector<float>& values, double share);

}  // namespace load
