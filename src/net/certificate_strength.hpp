// How strong a certificate is, as the log and detection tell it: its key, its signature, and whether its key
// has the structure of a known faulty generator. Source: spec/aws-device-defender.md section 5.
#pragma once

#include <string>

#include "base/bytes.hpp"

struct x509_st;

namespace fieldwatch::net {

struct CertificateStrength {
    std::string key;        ///< "RSA 2048", "EC 256", "ED25519 256"; "" when it cannot be read
    std::string signature;  ///< as OpenSSL names it: "sha256WithRSAEncryption", "ecdsa-with-SHA256"
    std::string flaw;       ///< "CVE-2017-15361" for a key of the ROCA generator, else ""
};
CertificateStrength strength_of(const x509_st* certificate);

/// Whether a modulus, big-endian, is a product of primes of the form k * M + (65537^a mod M), M being the
/// product of the first primes, which a faulty library made ("The Return of Coppersmith's Attack", CCS 2017,
/// section 2). Of moduli that are not, one in 2^30 looks so.
bool has_roca_structure(ByteView modulus);

}  // namespace fieldwatch::net
