#include "net/certificate_strength.hpp"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <memory>

#include <gtest/gtest.h>

namespace fieldwatch::net {
namespace {

/// k * M + (65537^a mod M) twice, multiplied: of the form, though its factors are no primes.
constexpr std::string_view kStructured =
    "0341f8f1ee492a2fc9c51d67cf8981bda121bc09fbc5a8ef0a45fb9c7b6cb1a8a657ff3a265a42e999341a48"
    "5a1e00ae605854c2fd5401716f23e209dc972c99";

Bytes bytes_of(std::string_view hex) {
    BIGNUM* number = nullptr;
    BN_hex2bn(&number, std::string(hex).c_str());
    Bytes out(static_cast<std::size_t>(BN_num_bytes(number)));
    BN_bn2bin(number, reinterpret_cast<unsigned char*>(out.data()));
    BN_free(number);
    return out;
}

CertificateStrength strength_with(EVP_PKEY* made, const EVP_MD* digest) {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(made, EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
    X509_set_pubkey(certificate.get(), key.get());
    EXPECT_GT(X509_sign(certificate.get(), key.get(), digest), 0);
    return strength_of(certificate.get());
}

TEST(CertificateStrength, NamesKeyAndSignature) {
    const auto small = strength_with(EVP_RSA_gen(1024), EVP_sha1());
    EXPECT_EQ(small.key, "RSA 1024");
    EXPECT_EQ(small.signature, "sha1WithRSAEncryption");
    EXPECT_EQ(small.flaw, "");
    const auto curve = strength_with(EVP_EC_gen("P-256"), EVP_sha256());
    EXPECT_EQ(curve.key, "EC 256");
    EXPECT_EQ(curve.signature, "ecdsa-with-SHA256");
    const auto edwards = strength_with(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), nullptr);
    EXPECT_EQ(edwards.key.substr(0, 7), "ED25519");
}

TEST(CertificateStrength, KnowsTheModuliOfTheFaultyGenerator) {
    auto modulus = bytes_of(kStructured);
    EXPECT_TRUE(has_roca_structure(modulus));
    modulus.back() ^= std::byte{4};
    EXPECT_FALSE(has_roca_structure(modulus));
    EXPECT_FALSE(has_roca_structure({}));
}

}  // namespace
}  // namespace fieldwatch::net
