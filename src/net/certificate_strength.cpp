#include "net/certificate_strength.hpp"

#include <array>
#include <bitset>
#include <memory>

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

namespace fieldwatch::net {

namespace {

constexpr unsigned kGenerator = 65'537;
/// The odd ones of the 39 primes whose product the generator used for keys of 512 to 960 bits: those of
/// larger keys contain them.
constexpr std::array<unsigned, 38> kPrimes{3,   5,   7,   11,  13,  17,  19,  23,  29,  31,  37,  41,  43,
                                           47,  53,  59,  61,  67,  71,  73,  79,  83,  89,  97,  101, 103,
                                           107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};

struct NumberDeleter {
    void operator()(BIGNUM* number) const { BN_free(number); }
};
using Number = std::unique_ptr<BIGNUM, NumberDeleter>;

/// Whether a power of the generator leaves this remainder.
bool is_power_of_generator(unsigned long remainder, unsigned prime) {
    std::bitset<168> powers;
    for (unsigned power = 1; !powers.test(power); power = power * (kGenerator % prime) % prime)
        powers.set(power);
    return powers.test(remainder);
}

bool has_structure(const BIGNUM* modulus) {
    for (const auto prime : kPrimes) {
        const auto remainder = BN_mod_word(modulus, prime);
        if (remainder >= prime || !is_power_of_generator(remainder, prime)) return false;
    }
    return true;
}

bool is_of_faulty_generator(const EVP_PKEY* key) {
    BIGNUM* modulus = nullptr;
    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus) != 1) return false;
    return has_structure(Number(modulus).get());
}

}  // namespace

bool has_roca_structure(ByteView modulus) {
    const Number number(BN_bin2bn(reinterpret_cast<const unsigned char*>(modulus.data()),
                                  static_cast<int>(modulus.size()), nullptr));
    return number && has_structure(number.get());
}

CertificateStrength strength_of(const x509_st* certificate) {
    CertificateStrength out;
    if (const char* const name = OBJ_nid2ln(X509_get_signature_nid(certificate)); name != nullptr)
        out.signature = name;
    const EVP_PKEY* const key = X509_get0_pubkey(certificate);
    if (key == nullptr) return out;
    const int type = EVP_PKEY_get_base_id(key);
    const char* const name = OBJ_nid2sn(type);
    out.key = fmt::format("{} {}",
                          type == EVP_PKEY_RSA  ? "RSA"
                          : type == EVP_PKEY_EC ? "EC"
                          : name == nullptr     ? "unknown"
                                                : name,
                          EVP_PKEY_get_bits(key));
    if (type == EVP_PKEY_RSA && is_of_faulty_generator(key)) out.flaw = "CVE-2017-15361";
    return out;
}

}  // namespace fieldwatch::net
