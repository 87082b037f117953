// Certificates that others issued: whether a device's chain leads to an authority, and what a certificate
// says.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "net/tls_context.hpp"

namespace fieldwatch::net {

struct CertificateFacts {
    std::string subject;      ///< RFC 2253
    std::string common_name;  ///< of the subject
    Timestamp not_before, not_after;
    Bytes der;
    bool is_authority = false;  ///< may sign others (basic constraints)
};

/// The first certificate of a PEM text. Errors: Malformed.
Result<CertificateFacts> read_certificate(std::string_view pem);

/// Whether the certificate leads, over what came with it, to one of the authorities at `now`. Signatures,
/// names, validity and the authorities' basic constraints are checked; revocation is by disabling identities.
/// Errors: Unauthorized with OpenSSL's reason; Malformed for an authority that is no certificate.
Result<void> verify_chain(const PeerCertificate& certificate, const std::vector<std::string>& authorities_pem,
                          Timestamp now);

/// The same for a certificate in PEM: proof of possession of an authority's key.
Result<CertificateFacts> verify_issued(std::string_view pem, const std::string& authority_pem, Timestamp now);

}  // namespace fieldwatch::net
