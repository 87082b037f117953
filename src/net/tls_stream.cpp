#include "net/tls_stream.hpp"

#include <algorithm>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <cerrno>
#include <ctime>
#include <new>

#include "base/assert.hpp"

namespace fieldwatch::net {

namespace {

std::string openssl_error(std::string_view what) {
    char text[256] = "unknown";
    if (const auto code = ERR_peek_last_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return std::string(what) + ": " + text;
}

// A BIO over a connected socket. OpenSSL's own would raise SIGPIPE, and needs the socket non-blocking.
int socket_of(BIO* bio) {
    return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

bool would_block(int error) {
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

int bio_read(BIO* bio, char* data, int size) {
    BIO_clear_retry_flags(bio);
    const auto count = ::recv(socket_of(bio), data, static_cast<std::size_t>(size), MSG_DONTWAIT);
    if (count < 0 && would_block(errno)) BIO_set_retry_read(bio);
    return static_cast<int>(count);
}

int bio_write(BIO* bio, const char* data, int size) {
    BIO_clear_retry_flags(bio);
    const auto count =
        ::send(socket_of(bio), data, static_cast<std::size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && would_block(errno)) BIO_set_retry_write(bio);
    return static_cast<int>(count);
}

long bio_control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* socket_method() {
    static const BIO_METHOD* const method = [] {
        auto* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without signals");
        BIO_meth_set_read(made, bio_read);
        BIO_meth_set_write(made, bio_write);
        BIO_meth_set_ctrl(made, bio_control);
        return made;
    }();
    return method;
}

struct BioDeleter {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
struct X509Deleter {
    void operator()(X509* certificate) const { X509_free(certificate); }
};
struct KeyDeleter {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

Result<void> use_chain(SSL_CTX* context, const std::string& pem) {
    const std::unique_ptr<BIO, BioDeleter> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    const std::unique_ptr<X509, X509Deleter> leaf(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
        return fail(Errc::Malformed, openssl_error("the server certificate cannot be used"));
    }
    while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
        if (SSL_CTX_add0_chain_cert(context, next) != 1) {
            X509_free(next);
            return fail(Errc::Malformed, openssl_error("the server's certificate chain cannot be used"));
        }
    }
    ERR_clear_error();  // the end of the PEM text is reported as an error
    return {};
}

Result<void> use_key(SSL_CTX* context, const std::string& pem) {
    const std::unique_ptr<BIO, BioDeleter> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    const std::unique_ptr<EVP_PKEY, KeyDeleter> key(
        PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    if (!key || SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
        return fail(Errc::Malformed, openssl_error("the server's private key does not fit its certificate"));
    }
    return {};
}

Timestamp timestamp_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
    return Timestamp::from_unix_seconds(::timegm(&parts));
}

/// The first of what the client offers that is ours. RFC 7301 section 3.1: each has a byte of length before
/// it; OpenSSL has checked that they fit.
int select_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned int offered_size, void* ours) {
    const auto& known = *static_cast<const std::vector<std::string>*>(ours);
    for (unsigned int at = 0; at < offered_size; at += 1u + offered[at]) {
        const std::string_view name(reinterpret_cast<const char*>(offered + at + 1), offered[at]);
        if (std::find(known.begin(), known.end(), name) == known.end()) continue;
        *out = offered + at + 1;
        *out_size = offered[at];
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

struct ContextDeleter {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Context = std::unique_ptr<SSL_CTX, ContextDeleter>;

// A ticket carries the client's own certificate, but not those it sent besides: a device whose certificate
// leads to its authority over others would be a stranger when it resumes. So they ride along: each with four
// bytes of length before it, or one byte alone when they are too many for a ticket.

constexpr int kChainMax = 8;
constexpr std::size_t kChainBytesMax = 16u << 10;

/// What a client sent besides its own certificate.
std::vector<Bytes> shown_chain(SSL* ssl) {
    std::vector<Bytes> out;
    const auto* const chain = SSL_get_peer_cert_chain(ssl);  // without the leaf, as a server sees it
    const int count = chain == nullptr ? 0 : std::min(sk_X509_num(chain), kChainMax);
    for (int i = 0; i < count; ++i) {
        unsigned char* one = nullptr;
        const int length = i2d_X509(sk_X509_value(chain, i), &one);
        if (length <= 0) continue;
        const auto* begin = reinterpret_cast<const std::byte*>(one);
        out.emplace_back(begin, begin + length);
        OPENSSL_free(one);
    }
    return out;
}

int before_ticket(SSL* ssl, void*) {
    if (SSL_session_reused(ssl) == 1) return 1;  // it has them from its ticket
    Bytes text;
    for (const auto& one : shown_chain(ssl)) {
        for (int shift = 24; shift >= 0; shift -= 8)
            text.push_back(static_cast<std::byte>(one.size() >> shift));
        text.insert(text.end(), one.begin(), one.end());
    }
    if (text.empty()) return 1;
    if (text.size() > kChainBytesMax) text.resize(1);
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), text.data(), text.size());
}

ByteView ticket_chain(SSL_SESSION* session) {
    void* data = nullptr;
    std::size_t size = 0;
    if (session == nullptr || SSL_SESSION_get0_ticket_appdata(session, &data, &size) != 1) return {};
    return {static_cast<const std::byte*>(data), size};
}

SSL_TICKET_RETURN after_ticket(SSL*, SSL_SESSION* session, const unsigned char*, std::size_t,
                               SSL_TICKET_STATUS status, void*) {
    const bool cannot_tell_all = ticket_chain(session).size() == 1;
    switch (status) {
        case SSL_TICKET_SUCCESS:
            return cannot_tell_all ? SSL_TICKET_RETURN_IGNORE_RENEW : SSL_TICKET_RETURN_USE;
        case SSL_TICKET_SUCCESS_RENEW:
            return cannot_tell_all ? SSL_TICKET_RETURN_IGNORE_RENEW : SSL_TICKET_RETURN_USE_RENEW;
        case SSL_TICKET_EMPTY:
        case SSL_TICKET_NO_DECRYPT:
            return SSL_TICKET_RETURN_IGNORE_RENEW;
        default:
            return SSL_TICKET_RETURN_ABORT;
    }
}

std::vector<Bytes> resumed_chain(SSL* ssl) {
    std::vector<Bytes> out;
    for (auto rest = ticket_chain(SSL_get_session(ssl)); rest.size() > 4;) {
        std::size_t size = 0;
        for (std::size_t at = 0; at < 4; ++at)
            size = size << 8 | std::to_integer<std::size_t>(rest[at]);
        rest = rest.subspan(4);
        if (size > rest.size()) break;
        out.emplace_back(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(size));
        rest = rest.subspan(size);
    }
    return out;
}

/// Without a certificate. `options` and `keys` outlive it and every connection of it.
Context make_context(TlsServerOptions& options, TicketKeys& keys) {
    Context made(SSL_CTX_new(TLS_server_method()));
    auto* const context = made.get();
    if (context == nullptr) return made;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);  // one recv for many records, not two for each
    SSL_CTX_set_options(context,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    // Resumption by tickets only: a cache on this side would grow with what strangers do.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);
    keys.attach(context);
    SSL_CTX_set_session_ticket_cb(context, before_ticket, after_ticket, nullptr);
    static constexpr unsigned char kSessionContext[] = "fieldwatch";
    SSL_CTX_set_session_id_context(context, kSessionContext, sizeof kSessionContext - 1);
    if (options.request_client_certificate) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
        SSL_CTX_set_cert_verify_callback(context, [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
    }
    if (!options.application_protocols.empty())
        SSL_CTX_set_alpn_select_cb(context, select_protocol, &options.application_protocols);
    return made;
}

}  // namespace

Result<std::shared_ptr<TlsServerContext>> TlsServerContext::create(const TlsServerOptions& options) {
    std::shared_ptr<TlsServerContext> made(
        new TlsServerContext({.chain_pem = {},
                              .key_pem = {},
                              .request_client_certificate = options.request_client_certificate,
                              .application_protocols = options.application_protocols}));
    FIELDWATCH_TRY(made->renew(options.chain_pem, options.key_pem));
    return made;
}

Result<void> TlsServerContext::renew(const std::string& chain_pem, const std::string& key_pem) {
    auto fresh = make_context(options_, ticket_keys_);
    if (!fresh) return fail(Errc::Internal, openssl_error("no TLS context"));
    FIELDWATCH_TRY(use_chain(fresh.get(), chain_pem));
    FIELDWATCH_TRY(use_key(fresh.get(), key_pem));
    Context before;  // connections hold it too, and free it with the last of them
    const std::lock_guard lock(mutex_);
    before.reset(std::exchange(context_, fresh.release()));
    return {};
}

ssl_st* TlsServerContext::new_session() const {
    const std::lock_guard lock(mutex_);
    return SSL_new(context_);
}

TlsServerContext::~TlsServerContext() {
    SSL_CTX_free(context_);
}

TlsStream::TlsStream(asio::ip::tcp::socket socket, std::shared_ptr<TlsServerContext> context)
    : socket_(std::move(socket)), context_(std::move(context)), ssl_(context_->new_session()) {
    if (ssl_ == nullptr) throw std::bad_alloc();
    boost::system::error_code ignored;
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    BIO* bio = BIO_new(socket_method());
    if (bio == nullptr) throw std::bad_alloc();
    BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket_.native_handle())));
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_, bio, bio);
    SSL_set_accept_state(ssl_);
}

TlsStream::TlsStream(TlsStream&& other) noexcept
    : socket_(std::move(other.socket_)),
      context_(std::move(other.context_)),
      ssl_(std::exchange(other.ssl_, nullptr)) {}

TlsStream::~TlsStream() {
    SSL_free(ssl_);
}

TlsStream::Step TlsStream::outcome_of(int result, std::size_t size) {
    if (result > 0) return {Wait::None, {}, size};
    const int saved = errno;
    const int code = SSL_get_error(ssl_, result);
    ERR_clear_error();
    switch (code) {
        case SSL_ERROR_WANT_READ:
            return {Wait::Readable, {}, 0};
        case SSL_ERROR_WANT_WRITE:
            return {Wait::Writable, {}, 0};
        case SSL_ERROR_ZERO_RETURN:
            return {Wait::None, asio::error::eof, 0};
        case SSL_ERROR_SYSCALL:
            if (saved != 0) return {Wait::None, {saved, boost::system::system_category()}, 0};
            return {Wait::None, asio::error::eof, 0};
        default:  // the peer broke the protocol, or ended without close_notify
            return {Wait::None, asio::error::connection_reset, 0};
    }
}

TlsStream::Step TlsStream::handshake_step() {
    errno = 0;
    ERR_clear_error();
    return outcome_of(SSL_do_handshake(ssl_), 0);
}

TlsStream::Step TlsStream::read_step(void* data, std::size_t size) {
    if (size == 0) return {};
    errno = 0;
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_read_ex(ssl_, data, size, &count);
    return outcome_of(result, count);
}

TlsStream::Step TlsStream::write_step(const void* data, std::size_t size) {
    if (size == 0) return {};
    errno = 0;
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_write_ex(ssl_, data, size, &count);
    return outcome_of(result, count);
}

TlsStream::Step TlsStream::shutdown_step() {
    errno = 0;
    ERR_clear_error();
    const int result = SSL_shutdown(ssl_);
    return result == 0 ? Step{} : outcome_of(result, 0);
}

bool TlsStream::has_pending() const {
    return SSL_has_pending(ssl_) == 1;
}

std::string TlsStream::version() const {
    return SSL_get_version(ssl_);
}

std::string TlsStream::cipher() const {
    return SSL_get_cipher_name(ssl_);
}

std::string TlsStream::server_name() const {
    const char* const name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
    return name == nullptr ? std::string() : std::string(name);
}

std::string TlsStream::application_protocol() const {
    const unsigned char* name = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return size == 0 ? std::string() : std::string(reinterpret_cast<const char*>(name), size);
}

std::optional<PeerCertificate> TlsStream::peer_certificate() const {
    const X509* certificate = SSL_get0_peer_certificate(ssl_);
    if (certificate == nullptr) return std::nullopt;
    PeerCertificate peer;
    unsigned char* der = nullptr;
    const int size = i2d_X509(certificate, &der);
    if (size <= 0) return std::nullopt;
    const auto* first = reinterpret_cast<const std::byte*>(der);
    peer.der.assign(first, first + size);
    OPENSSL_free(der);
    peer.not_before = timestamp_of(X509_get0_notBefore(certificate));
    peer.not_after = timestamp_of(X509_get0_notAfter(certificate));
    char name[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
    peer.common_name = name;
    peer.strength = strength_of(certificate);
    peer.chain = SSL_session_reused(ssl_) == 1 ? resumed_chain(ssl_) : shown_chain(ssl_);
    return peer;
}

}  // namespace fieldwatch::net
