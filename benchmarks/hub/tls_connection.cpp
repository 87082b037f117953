#include "hub/tls_connection.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "hub/conversation.hpp"

namespace load {

void die(const std::string& what) {
    std::fprintf(stderr, "hub_load: %s\n", what.c_str());
    std::exit(1);
}

void FreeContext::operator()(ssl_ctx_st* context) const {
    SSL_CTX_free(context);
}
void FreeSession::operator()(ssl_session_st* session) const {
    SSL_SESSION_free(session);
}

Context client_context(const std::string& ca_file) {
    Context context(SSL_CTX_new(TLS_client_method()));
    if (!ca_file.empty() && SSL_CTX_load_verify_locations(context.get(), ca_file.c_str(), nullptr) != 1)
        die("cannot read " + ca_file);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    return context;
}

TlsConnection::TlsConnection(ssl_ctx_st* context, const std::string& host, const std::string& port,
                             const Session& session) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) die("no address for " + host);
    socket_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket_ < 0) die(std::string("socket: ") + std::strerror(errno));
    const int one = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (::connect(socket_, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS)
        die(std::string("connect: ") + std::strerror(errno));
    ::freeaddrinfo(found);
    ssl_ = SSL_new(context);
    SSL_set_fd(ssl_, socket_);
    SSL_set_connect_state(ssl_);
    if (session) SSL_set_session(ssl_, session.get());
}

TlsConnection::~TlsConnection() {
    SSL_free(ssl_);
    ::close(socket_);
}

bool TlsConnection::resumed() const {
    return SSL_session_reused(ssl_) == 1;
}

Session TlsConnection::session() const {
    return Session(SSL_get1_session(ssl_));
}

bool TlsConnection::waits(int result) const {
    const int why = SSL_get_error(ssl_, result);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

bool TlsConnection::advance(std::string& in) {
    if (!established_) {
        const int done = SSL_do_handshake(ssl_);
        if (done != 1) return waits(done);
        established_ = true;
    }
    char chunk[16384];
    for (;;) {
        const int got = SSL_read(ssl_, chunk, sizeof(chunk));
        if (got <= 0) return waits(got);
        in.append(chunk, static_cast<std::size_t>(got));
    }
}

bool TlsConnection::flush() {
    while (!output_.empty()) {
        const int done = SSL_write(ssl_, output_.data(), static_cast<int>(output_.size()));
        if (done <= 0) return waits(done);
        output_.erase(0, static_cast<std::size_t>(done));
    }
    return true;
}

void TlsConnection::say_goodbye() {
    static_cast<void>(flush());
    SSL_shutdown(ssl_);
}

double cpu_seconds() {
    rusage use{};
    getrusage(RUSAGE_SELF, &use);
    return static_cast<double>(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           static_cast<double>(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

double percentile(std::vector<float>& values, double share) {
    if (values.empty()) return 0;
    const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
    return values[at];
}

}  // namespace load
