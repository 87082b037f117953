#include "net/tls_client.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.hpp"
#include "net/private_key_held.hpp"

namespace fieldwatch::net {

namespace {

struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

std::string openssl_reason() {
    const auto code = ERR_get_error();
    const char* reason = code ? ERR_reason_error_string(code) : nullptr;
    ERR_clear_error();
    return reason ? reason : "the connection broke";
}

struct FreePem {
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

/// Refuses every passphrase: there is nobody to ask.
int no_passphrase(char*, int, int, void*) {
    return -1;
}

Result<void> use_certificate(SSL_CTX* context, const std::string& pem,
                             const std::optional<PrivateKey>& held) {
    const auto open = [&] {
        return std::unique_ptr<BIO, FreePem>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    };
    const auto wrong = [](const char* what) {
        return fail(Errc::InvalidArgument, std::string(what) + ": " + openssl_reason());
    };
    const auto certificates = open();
    const std::unique_ptr<X509, FreePem> own(
        PEM_read_bio_X509(certificates.get(), nullptr, no_passphrase, nullptr));
    if (!own || SSL_CTX_use_certificate(context, own.get()) != 1) return wrong("our certificate");
    while (auto* above = PEM_read_bio_X509(certificates.get(), nullptr, no_passphrase, nullptr)) {
        if (SSL_CTX_add0_chain_cert(context, above) != 1) {
            X509_free(above);
            return wrong("our certificate's chain");
        }
    }
    ERR_clear_error();  // the end of the text is no error
    if (held) {
        if (SSL_CTX_use_PrivateKey(context, held->held().key) != 1) return wrong("our private key");
        return {};
    }
    const auto keys = open();
    const std::unique_ptr<EVP_PKEY, FreePem> key(
        PEM_read_bio_PrivateKey(keys.get(), nullptr, no_passphrase, nullptr));
    if (!key || SSL_CTX_use_PrivateKey(context, key.get()) != 1) return wrong("our private key");
    return {};
}

/// The authorities of a PEM text, and nobody else.
Result<void> trust(SSL_CTX* context, const std::string& pem) {
    const std::unique_ptr<BIO, FreePem> text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    std::size_t count = 0;
    for (;; ++count) {
        const std::unique_ptr<X509, FreePem> one(
            PEM_read_bio_X509(text.get(), nullptr, no_passphrase, nullptr));
        if (!one) break;
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), one.get()) != 1)
            return fail(Errc::InvalidArgument, "a trusted certificate: " + openssl_reason());
    }
    ERR_clear_error();  // the end of the text is no error
    if (count == 0)
        return fail(Errc::InvalidArgument, "the text of trusted authorities holds no certificate");
    return {};
}

bool is_address(const std::string& host) {
    unsigned char binary[16];
    return ::inet_pton(AF_INET, host.c_str(), binary) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), binary) == 1;
}

}  // namespace

struct TlsClient::Connection {
    std::unique_ptr<SSL_CTX, FreeSsl> context;
    std::unique_ptr<SSL, FreeSsl> ssl;
    std::unique_ptr<addrinfo, FreeSsl> addresses;
    const addrinfo* next = nullptr;  // to try after the one under way
    std::string host;
    int fd = -1;
    short wanted = POLLOUT;
    bool connecting = true;
    bool established = false;

    ~Connection() {
        if (ssl && established) SSL_shutdown(ssl.get());
        ssl.reset();
        if (fd >= 0) ::close(fd);
    }

    Result<void> set_up(const TlsClientOptions& options);
    Result<void> begin_next();
    Result<void> finish_connect();
    Result<std::size_t> blocked(int result);
};

Result<void> TlsClient::Connection::set_up(const TlsClientOptions& options) {
    host = options.host;
    const auto* properties = options.private_key ? options.private_key->held().properties.c_str() : nullptr;
    context.reset(SSL_CTX_new_ex(nullptr, properties, TLS_client_method()));
    if (!context) return fail(Errc::Internal, "OpenSSL gives no context");
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (!options.ca_pem.empty()) FIELDWATCH_TRY(trust(context.get(), options.ca_pem));
    const bool trusted = !options.ca_pem.empty() ? true
                         : options.ca_file.empty()
                             ? SSL_CTX_set_default_verify_paths(context.get()) == 1
                             : SSL_CTX_load_verify_file(context.get(), options.ca_file.c_str()) == 1;
    if (!trusted) return fail(Errc::InvalidArgument, "CA file " + options.ca_file + ": " + openssl_reason());
    if (!options.certificate.empty())
        FIELDWATCH_TRY(use_certificate(context.get(), options.certificate, options.private_key));
    ssl.reset(SSL_new(context.get()));
    if (!ssl) return fail(Errc::Internal, "OpenSSL gives no connection");
    const auto& name = options.server_name.empty() ? options.host : options.server_name;
    const bool named = is_address(name)
                           ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), name.c_str()) == 1
                           : SSL_set1_host(ssl.get(), name.c_str()) == 1 &&
                                 SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                                          const_cast<char*>(name.c_str())) == 1;
    if (!named) return fail(Errc::InvalidArgument, "server name " + name);

    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const auto port = std::to_string(options.port);
    if (const int error = ::getaddrinfo(options.host.c_str(), port.c_str(), &hints, &found); error != 0) {
        return fail(Errc::NotFound, "host " + options.host + ": " + ::gai_strerror(error));
    }
    addresses.reset(found);
    next = found;
    return begin_next();
}

Result<void> TlsClient::Connection::begin_next() {
    while (next) {
        const auto* address = next;
        next = next->ai_next;
        if (fd >= 0) ::close(fd);
        fd = ::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) continue;
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (::connect(fd, address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS) return {};
    }
    return fail(Errc::Unavailable, "cannot connect to " + host + ": " + std::strerror(errno));
}

Result<void> TlsClient::Connection::finish_connect() {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) {
        connecting = false;
        SSL_set_fd(ssl.get(), fd);
        return {};
    }
    errno = error;
    return begin_next();
}

/// What an unfinished OpenSSL call waits for, or why it cannot go on.
Result<std::size_t> TlsClient::Connection::blocked(int result) {
    switch (SSL_get_error(ssl.get(), result)) {
        case SSL_ERROR_WANT_READ:
            wanted = POLLIN;
            return 0;
        case SSL_ERROR_WANT_WRITE:
            wanted = POLLOUT;
            return 0;
        case SSL_ERROR_ZERO_RETURN:
            return fail(Errc::Unavailable, host + " closed the connection");
        default:
            break;
    }
    if (const auto verified = SSL_get_verify_result(ssl.get()); verified != X509_V_OK && !established) {
        ERR_clear_error();
        return fail(Errc::Unauthorized,
                    "certificate of " + host + ": " + X509_verify_cert_error_string(verified));
    }
    return fail(established ? Errc::Unavailable : Errc::Malformed, host + ": " + openssl_reason());
}

TlsClient::TlsClient(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
TlsClient::TlsClient(TlsClient&&) noexcept = default;
TlsClient& TlsClient::operator=(TlsClient&&) noexcept = default;
TlsClient::~TlsClient() = default;

Result<TlsClient> TlsClient::start(const TlsClientOptions& options) {
    auto connection = std::make_unique<Connection>();
    FIELDWATCH_TRY(connection->set_up(options));
    return TlsClient(std::move(connection));
}

Result<bool> TlsClient::advance() {
    auto& c = *connection_;
    if (c.established) return true;
    if (c.connecting) {
        pollfd ready{c.fd, POLLOUT, 0};
        if (::poll(&ready, 1, 0) == 0) return false;
        FIELDWATCH_TRY(c.finish_connect());
        if (c.connecting) return false;
    }
    ERR_clear_error();
    const int result = SSL_connect(c.ssl.get());
    if (result == 1) {
        c.established = true;
        c.wanted = POLLIN;
        return true;
    }
    FIELDWATCH_TRY(c.blocked(result));
    return false;
}

int TlsClient::fd() const {
    return connection_->fd;
}
short TlsClient::wanted_events() const {
    return connection_->wanted;
}

Result<std::size_t> TlsClient::read_some(std::span<std::byte> out) {
    auto& c = *connection_;
    ERR_clear_error();
    std::size_t got = 0;
    const int result = SSL_read_ex(c.ssl.get(), out.data(), out.size(), &got);
    if (result == 1) return got;
    return c.blocked(result);
}

Result<std::optional<std::size_t>> TlsClient::read_or_end(std::span<std::byte> out) {
    auto& c = *connection_;
    ERR_clear_error();
    std::size_t got = 0;
    const int result = SSL_read_ex(c.ssl.get(), out.data(), out.size(), &got);
    if (result == 1) return got;
    if (SSL_get_error(c.ssl.get(), result) == SSL_ERROR_ZERO_RETURN) return std::nullopt;
    return c.blocked(result);
}

void TlsClient::end_writing() {
    if (connection_->established) SSL_shutdown(connection_->ssl.get());
    ERR_clear_error();
}

Result<std::size_t> TlsClient::write_some(ByteView data) {
    auto& c = *connection_;
    if (data.empty()) return 0;
    ERR_clear_error();
    std::size_t taken = 0;
    const int result = SSL_write_ex(c.ssl.get(), data.data(), data.size(), &taken);
    if (result == 1) {
        c.wanted = POLLIN;
        return taken;
    }
    return c.blocked(result);
}

Result<void> TlsClient::wait(std::chrono::milliseconds timeout) {
    pollfd ready{connection_->fd, connection_->wanted, 0};
    const int count = ::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(timeout.count(), 0)));
    if (count > 0 || (count < 0 && errno == EINTR)) return {};
    return fail(Errc::Timeout, connection_->host + " does not answer");
}

Result<TlsClient> TlsClient::connect(const TlsClientOptions& options, std::chrono::milliseconds timeout) {
    auto client = FIELDWATCH_TRY(start(options));
    const auto deadline = system_clock().monotonic() + timeout;
    while (!FIELDWATCH_TRY(client.advance())) {
        FIELDWATCH_TRY(client.wait(
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - system_clock().monotonic())));
    }
    return client;
}

Result<std::size_t> TlsClient::read(std::span<std::byte> out, std::chrono::milliseconds timeout) {
    for (;;) {
        const auto got = FIELDWATCH_TRY(read_some(out));
        if (got > 0 || out.empty()) return got;
        FIELDWATCH_TRY(wait(timeout));
    }
}

Result<void> TlsClient::write_all(ByteView data, std::chrono::milliseconds timeout) {
    while (!data.empty()) {
        const auto taken = FIELDWATCH_TRY(write_some(data));
        data = data.subspan(taken);
        if (taken == 0) FIELDWATCH_TRY(wait(timeout));
    }
    return {};
}

}  // namespace fieldwatch::net
