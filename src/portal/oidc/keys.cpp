#include "portal/oidc/keys.hpp"

#include <array>

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal::oidc {
namespace {

enum class Algorithm : std::uint8_t { Rs256, Es256 };

constexpr std::size_t kRsaBytesMin = 256, kRsaBytesMax = 1'024;  ///< RFC 7518 section 3.3: 2048 bits or more
constexpr std::size_t kPointBytes = 32;                          ///< a coordinate of P-256
constexpr std::size_t kKeyIdBytesMax = 256;

template <auto Free>
struct Freed {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};
using EvpKey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using EvpKeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>>;
using BigNumber = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using EcSignature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

const unsigned char* raw(const Bytes& bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}
BigNumber number_of(std::span<const std::byte> bytes) {
    return BigNumber(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                               static_cast<int>(bytes.size()), nullptr));
}

EvpKey key_from(const char* kind, OSSL_PARAM_BLD* builder) {
    const Params params(OSSL_PARAM_BLD_to_param(builder));
    const EvpKeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
    EVP_PKEY* made = nullptr;
    if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, params.get()) != 1)
        return nullptr;
    return EvpKey(made);
}

EvpKey rsa_key(const Bytes& modulus, const Bytes& exponent) {
    const auto n = number_of(modulus), e = number_of(exponent);
    const ParamBuilder builder(OSSL_PARAM_BLD_new());
    if (!n || !e || !builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
        return nullptr;
    return key_from("RSA", builder.get());
}

/// OpenSSL refuses a point that is not on the curve.
EvpKey ec_key(const Bytes& x, const Bytes& y) {
    std::array<unsigned char, 1 + 2 * kPointBytes> point{POINT_CONVERSION_UNCOMPRESSED};
    std::copy_n(raw(x), kPointBytes, point.begin() + 1);
    std::copy_n(raw(y), kPointBytes, point.begin() + 1 + kPointBytes);
    const ParamBuilder builder(OSSL_PARAM_BLD_new());
    if (!builder ||
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size()) != 1)
        return nullptr;
    return key_from("EC", builder.get());
}

/// The signature as OpenSSL reads it: of ES256 a token has r and s behind each other (RFC 7518 section 3.4).
std::optional<Bytes> der_of(const Bytes& signature) {
    if (signature.size() != 2 * kPointBytes) return std::nullopt;
    const EcSignature pair(ECDSA_SIG_new());
    auto r = number_of({signature.data(), kPointBytes});
    auto s = number_of({signature.data() + kPointBytes, kPointBytes});
    if (!pair || !r || !s || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return std::nullopt;
    static_cast<void>(r.release());  // the pair owns both now
    static_cast<void>(s.release());
    unsigned char* text = nullptr;
    const int size = i2d_ECDSA_SIG(pair.get(), &text);
    if (size <= 0) return std::nullopt;
    Bytes out(reinterpret_cast<const std::byte*>(text), reinterpret_cast<const std::byte*>(text) + size);
    OPENSSL_free(text);
    return out;
}

bool signed_by(EVP_PKEY* key, Algorithm algorithm, std::string_view text, const Bytes& signature) {
    const auto plain = algorithm == Algorithm::Es256 ? der_of(signature) : std::optional(signature);
    const DigestContext context(EVP_MD_CTX_new());
    return plain && context &&
           EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
           EVP_DigestVerify(context.get(), raw(*plain), plain->size(),
                            reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
}

std::string text_member(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<Json> parsed_object(std::string_view text) {
    if (nests_deeper_than(limits::json_depth, text)) return fail(Errc::Malformed, "nests too deep");
    auto json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return fail(Errc::Malformed, "is no JSON object");
    return json;
}

}  // namespace

struct KeySet::Key {
    std::string id;
    Algorithm algorithm;
    EvpKey key;
};

std::string base64url(ByteView bytes) {
    auto out = base64(bytes);
    out.resize(out.find_last_not_of('=') + 1);
    for (auto& c : out)
        c = c == '+' ? '-' : c == '/' ? '_' : c;
    return out;
}

Result<Bytes> from_base64url(std::string_view text) {
    std::string plain(text);
    for (auto& c : plain) {
        if (c == '+' || c == '/' || c == '=')
            return fail(Errc::Malformed, "is not base64url without padding");
        c = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    plain.append((4 - plain.size() % 4) % 4, '=');
    return from_base64(plain);
}

Result<KeySet> KeySet::parse(std::string_view json) {
    if (json.size() > kKeySetBytesMax) return fail(Errc::TooLarge, "the provider's keys");
    const auto set = parsed_object(json);
    if (!set) return fail(Errc::Malformed, "the provider's keys: the answer " + set.error().message);
    const auto keys = set->find("keys");
    if (keys == set->end() || !keys->is_array() || keys->size() > kKeysMax)
        return fail(Errc::Malformed,
                    fmt::format("the provider's keys: \"keys\" must be an array of at most {}", kKeysMax));
    KeySet out;
    for (const auto& one : *keys) {
        if (!one.is_object()) continue;
        const auto use = text_member(one, "use"), algorithm = text_member(one, "alg");
        auto id = text_member(one, "kid");
        if ((!use.empty() && use != "sig") || id.size() > kKeyIdBytesMax) continue;
        const bool rsa = text_member(one, "kty") == "RSA";
        const bool ec = text_member(one, "kty") == "EC" && text_member(one, "crv") == "P-256";
        if ((!rsa && !ec) || (!algorithm.empty() && algorithm != (rsa ? "RS256" : "ES256"))) continue;
        const auto first = from_base64url(text_member(one, rsa ? "n" : "x"));
        const auto second = from_base64url(text_member(one, rsa ? "e" : "y"));
        if (!first || !second) continue;
        const bool fits = rsa ? first->size() >= kRsaBytesMin && first->size() <= kRsaBytesMax &&
                                    !second->empty() && second->size() <= 8
                              : first->size() == kPointBytes && second->size() == kPointBytes;
        auto key = !fits ? nullptr : rsa ? rsa_key(*first, *second) : ec_key(*first, *second);
        if (!key) continue;
        out.keys_.push_back(std::make_shared<const Key>(
            Key{std::move(id), rsa ? Algorithm::Rs256 : Algorithm::Es256, std::move(key)}));
    }
    return out;
}

Result<std::string> KeySet::claims(std::string_view token) const {
    if (token.size() > kTokenBytesMax) return fail(Errc::Malformed, "the token is over 64 KiB");
    const auto parts = split(token, '.');
    if (parts.size() != 3) return fail(Errc::Malformed, "a signed token has three parts");
    const auto header = from_base64url(parts[0]);
    const auto body = from_base64url(parts[1]);
    const auto signature = from_base64url(parts[2]);
    if (!header || !body || !signature) return fail(Errc::Malformed, "a part of the token is not base64url");
    const auto head = parsed_object(as_text(*header));
    if (!head) return fail(Errc::Malformed, "the token's header " + head.error().message);
    // RFC 7515 section 4.1.11: what must be understood and is not, is refused.
    if (head->contains("crit")) return fail(Errc::Unauthorized, "the token wants extensions: \"crit\"");
    const auto named = text_member(*head, "alg"), id = text_member(*head, "kid");
    if (named != "RS256" && named != "ES256")
        return fail(Errc::Unauthorized, "the token must be signed by RS256 or ES256");
    const auto algorithm = named == "RS256" ? Algorithm::Rs256 : Algorithm::Es256;
    const auto text = token.substr(0, parts[0].size() + 1 + parts[1].size());
    bool known = false;
    for (const auto& key : keys_) {
        // A token without the name of its key is tried under each.
        if (key->algorithm != algorithm || (!id.empty() && key->id != id)) continue;
        known = true;
        if (signed_by(key->key.get(), algorithm, text, *signature)) return std::string(as_text(*body));
    }
    if (!known) return fail(Errc::NotFound, "the provider publishes no key of this token");
    return fail(Errc::Unauthorized, "the token's signature is not the provider's");
}

}  // namespace fieldwatch::portal::oidc
