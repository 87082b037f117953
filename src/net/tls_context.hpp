// What all TLS connections of one listener share: the certificate, the versions, how clients are asked for
// theirs.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "net/certificate_strength.hpp"
#include "net/ticket_keys.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace fieldwatch::net {

struct TlsServerOptions {
    std::string chain_pem;  ///< leaf first, then intermediates
    std::string key_pem;
    /// Ask for a client certificate, but neither require nor verify one: a device with a self-signed
    /// certificate is judged when its identity is known (spec/iot-hub-protocols.md section 1.1).
    bool request_client_certificate = false;
    /// Agreed on when a client offers one of them (RFC 7301); an offer without any of them is passed over.
    std::vector<std::string> application_protocols;
};

/// TLS 1.2 at least. Shared by streams of any core; only its certificate ever changes.
class TlsServerContext {
  public:
    static Result<std::shared_ptr<TlsServerContext>> create(const TlsServerOptions& options);
    ~TlsServerContext();
    TlsServerContext(const TlsServerContext&) = delete;
    TlsServerContext& operator=(const TlsServerContext&) = delete;

    /// Whoever connects from now on is shown this certificate; connections that stand go on, and sessions of
    /// before are still resumed: a fleet is not made to shake hands in full by it. Errors: Malformed; the
    /// certificate of before stays then.
    Result<void> renew(const std::string& chain_pem, const std::string& key_pem);

    /// The state of one connection; null when there is no memory for it.
    ssl_st* new_session() const;

  private:
    explicit TlsServerContext(TlsServerOptions options) : options_(std::move(options)) {}

    TlsServerOptions options_;  ///< without its certificate
    TicketKeys ticket_keys_;
    mutable std::mutex mutex_;
    ssl_ctx_st* context_ = nullptr;
};

/// The certificate a client showed, if it did, on this connection or on the one that it resumes. Nothing
/// about it is verified but that the client holds its key.
struct PeerCertificate {
    Bytes der;
    Timestamp not_before, not_after;
    std::string common_name;
    CertificateStrength strength;
    std::vector<Bytes> chain;  ///< what it sent besides, DER; at most 8
};

}  // namespace fieldwatch::net
