#include "base/signature.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

#include "base/hash.hpp"

namespace fieldwatch {

namespace {

struct FreeSigningKey {
    void operator()(BIO* bio) const { ::BIO_free(bio); }
    void operator()(EVP_PKEY* key) const { ::EVP_PKEY_free(key); }
    void operator()(EVP_MD_CTX* context) const { ::EVP_MD_CTX_free(context); }
};
using SigningKey = std::unique_ptr<EVP_PKEY, FreeSigningKey>;
using SigningContext = std::unique_ptr<EVP_MD_CTX, FreeSigningKey>;

constexpr std::size_t kPemBytesMax = 16u << 10;

const unsigned char* octets(ByteView data) {
    return reinterpret_cast<const unsigned char*>(data.data());
}

/// A key that is encrypted is not asked a passphrase for.
int no_passphrase(char*, int, int, void*) {
    return -1;
}

SigningKey read_key(std::string_view pem, bool is_private) {
    if (pem.size() > kPemBytesMax) return nullptr;
    const std::unique_ptr<BIO, FreeSigningKey> bio(
        ::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    if (!bio) return nullptr;
    SigningKey key(is_private ? ::PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr)
                              : ::PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr));
    return key && ::EVP_PKEY_id(key.get()) == EVP_PKEY_ED25519 ? std::move(key) : nullptr;
}

}  // namespace

std::string PublicKey::id() const {
    return hex(sha256(std::as_bytes(std::span(bytes)))).substr(0, 16);
}

Result<PublicKey> public_key_of(std::string_view pem) {
    auto key = read_key(pem, false);
    if (!key) key = read_key(pem, true);
    PublicKey out;
    auto size = out.bytes.size();
    if (!key || ::EVP_PKEY_get_raw_public_key(key.get(), out.bytes.data(), &size) != 1 ||
        size != out.bytes.size())
        return fail(
            Errc::InvalidArgument,
            "no Ed25519 key in PEM; make a pair by `openssl genpkey -algorithm ed25519 -out key.pem` and "
            "`openssl pkey -in key.pem -pubout -out key.pub`");
    return out;
}

Result<Bytes> sign(std::string_view private_pem, ByteView message) {
    const auto key = read_key(private_pem, true);
    if (!key)
        return fail(
            Errc::InvalidArgument,
            "no private Ed25519 key in PEM, without a passphrase; make one by `openssl genpkey -algorithm "
            "ed25519 -out key.pem`");
    const SigningContext context(::EVP_MD_CTX_new());
    Bytes out(64);
    auto size = out.size();
    const bool done = context &&
                      ::EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
                      ::EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                                       octets(message), message.size()) == 1;
    if (!done || size != out.size()) return fail(Errc::Internal, "OpenSSL does not sign");
    return out;
}

bool is_signed_by(const PublicKey& public_key, ByteView message, ByteView signature) {
    const SigningKey key(::EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, public_key.bytes.data(),
                                                       public_key.bytes.size()));
    const SigningContext context(::EVP_MD_CTX_new());
    return key && context &&
           ::EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
           ::EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(message),
                              message.size()) == 1;
}

}  // namespace fieldwatch
