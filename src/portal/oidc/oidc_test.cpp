// Tokens of an identity provider: with real keys of this test's own, good ones and every kind of bad one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <array>

#include "base/bytes.hpp"
#include "portal/oidc/id_token.hpp"
#include "portal/oidc/keys.hpp"

namespace fieldwatch::portal::oidc {
namespace {

using ::testing::HasSubstr;

struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

/// A key pair of a provider.
class Signer {
  public:
    static Signer rsa(std::string id, unsigned bits = 2'048) {
        return {std::move(id), "RS256", EVP_RSA_gen(bits)};
    }
    static Signer ec(std::string id, const char* curve = "P-256") {
        return {std::move(id), "ES256", EVP_EC_gen(curve)};
    }

    Json jwk() const {
        Json out{{"kid", id_}, {"use", "sig"}, {"alg", algorithm_}};
        const bool rsa = algorithm_ == "RS256";
        out["kty"] = rsa ? "RSA" : "EC";
        if (!rsa) out["crv"] = "P-256";
        out[rsa ? "n" : "x"] = number(rsa ? OSSL_PKEY_PARAM_RSA_N : OSSL_PKEY_PARAM_EC_PUB_X, rsa ? 0 : 32);
        out[rsa ? "e" : "y"] = number(rsa ? OSSL_PKEY_PARAM_RSA_E : OSSL_PKEY_PARAM_EC_PUB_Y, rsa ? 0 : 32);
        return out;
    }
    std::string token(const Json& claims, Json header = Json::object()) const {
        Json head{{"alg", algorithm_}, {"kid", id_}};
        head.update(header);
        const auto text = base64url(as_bytes(head.dump())) + "." + base64url(as_bytes(claims.dump()));
        return text + "." + base64url(signature(text));
    }
    /// As OpenSSL writes it, which a token may not have for ES256.
    Bytes der(const std::string& text) const {
        EVP_MD_CTX* context = EVP_MD_CTX_new();
        std::array<unsigned char, 1'024> out{};
        std::size_t size = out.size();
        EXPECT_EQ(EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key_.get()), 1);
        EXPECT_EQ(EVP_DigestSign(context, out.data(), &size,
                                 reinterpret_cast<const unsigned char*>(text.data()), text.size()),
                  1);
        EVP_MD_CTX_free(context);
        const auto* const begin = reinterpret_cast<const std::byte*>(out.data());
        return {begin, begin + size};
    }

  private:
    Signer(std::string id, std::string algorithm, EVP_PKEY* key)
        : id_(std::move(id)), algorithm_(std::move(algorithm)), key_(key) {}

    std::string number(const char* name, int bytes) const {
        BIGNUM* value = nullptr;
        EXPECT_EQ(EVP_PKEY_get_bn_param(key_.get(), name, &value), 1);
        Bytes out(static_cast<std::size_t>(bytes > 0 ? bytes : BN_num_bytes(value)));
        BN_bn2binpad(value, reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size()));
        BN_free(value);
        return base64url(out);
    }
    Bytes signature(const std::string& text) const {
        const auto plain = der(text);
        if (algorithm_ == "RS256") return plain;
        const auto* at = reinterpret_cast<const unsigned char*>(plain.data());
        ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(plain.size()));
        Bytes out(64);
        BN_bn2binpad(ECDSA_SIG_get0_r(pair), reinterpret_cast<unsigned char*>(out.data()), 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(pair), reinterpret_cast<unsigned char*>(out.data()) + 32, 32);
        ECDSA_SIG_free(pair);
        return out;
    }

    std::string id_, algorithm_;
    std::unique_ptr<EVP_PKEY, FreeKey> key_;
};

KeySet keys_of(std::initializer_list<const Signer*> signers) {
    Json keys = Json::array();
    for (const auto* const signer : signers)
        keys.push_back(signer->jwk());
    auto set = KeySet::parse(Json{{"keys", std::move(keys)}}.dump());
    EXPECT_TRUE(set);
    return std::move(*set);
}

Errc refused(const KeySet& keys, const std::string& token) {
    const auto claims = keys.claims(token);
    EXPECT_FALSE(claims) << token;
    return claims ? Errc::Internal : claims.error().code;
}

TEST(OidcKeys, TokensOfBothKindsAreTheProvidersAndNobodyElses) {
    const auto rsa = Signer::rsa("r"), ec = Signer::ec("e"), other = Signer::rsa("r"),
               stranger = Signer::ec("x");
    const auto keys = keys_of({&rsa, &ec});
    ASSERT_EQ(keys.size(), 2u);
    const Json claims{{"sub", "ann"}};
    EXPECT_EQ(keys.claims(rsa.token(claims)), claims.dump());
    EXPECT_EQ(keys.claims(ec.token(claims)), claims.dump());
    EXPECT_EQ(keys.claims(ec.token(claims, {{"kid", nullptr}})), claims.dump()) << "a token without kid";
    EXPECT_EQ(refused(keys, other.token(claims)), Errc::Unauthorized);
    EXPECT_EQ(refused(keys, stranger.token(claims)), Errc::NotFound);
    EXPECT_EQ(refused(keys, rsa.token(claims, {{"kid", "e"}})), Errc::NotFound) << "another kind of key";
}

TEST(OidcKeys, AlgorithmsThatATokenChoosesForItselfAreRefused) {
    const auto rsa = Signer::rsa("r"), ec = Signer::ec("e");
    const auto keys = keys_of({&rsa, &ec});
    const Json claims{{"sub", "ann"}};
    for (const auto* const name : {"none", "None", "HS256", "RS512", "PS256", ""})
        EXPECT_EQ(refused(keys, rsa.token(claims, {{"alg", name}})), Errc::Unauthorized) << name;
    EXPECT_EQ(refused(keys, rsa.token(claims, {{"crit", {"b64"}}})), Errc::Unauthorized);
    const auto unsigned_token = base64url(as_bytes(std::string_view(R"({"alg":"none"})"))) + "." +
                                base64url(as_bytes(claims.dump())) + ".";
    EXPECT_EQ(refused(keys, unsigned_token), Errc::Unauthorized);
    const auto token = ec.token(claims);
    const auto text = token.substr(0, token.rfind('.'));
    EXPECT_EQ(refused(keys, text + "." + base64url(ec.der(text))), Errc::Unauthorized) << "a DER signature";
    EXPECT_EQ(refused(keys, text + "." + base64url(Bytes(64))), Errc::Unauthorized) << "all zeros";
}

TEST(OidcKeys, NoChangedCharacterOfATokenIsTaken) {
    const auto ec = Signer::ec("e");
    const auto keys = keys_of({&ec});
    const auto token = ec.token({{"sub", "ann"}, {"role", "reader"}});
    for (std::size_t at = 0; at < token.size(); ++at) {
        auto changed = token;
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        const auto claims = keys.claims(changed);
        // The last character of base64 has bits that say nothing: those alone may differ.
        const bool same_bytes =
            from_base64url(token.substr(token.rfind('.') + 1)) ==
            from_base64url(changed.substr(std::min(changed.rfind('.'), changed.size() - 1) + 1));
        EXPECT_TRUE(!claims || (at > token.rfind('.') && same_bytes)) << at;
    }
    for (const auto* const text : {"", ".", "..", "...", "a.b.c", "a.b", "====.====.===="})
        EXPECT_FALSE(keys.claims(text)) << text;
    EXPECT_FALSE(keys.claims(token + "="));
    EXPECT_FALSE(keys.claims(std::string(kTokenBytesMax + 1, 'A')));
}

TEST(OidcKeys, WeakAndForeignKeysArePassedOver) {
    const auto weak = Signer::rsa("w", 1'024), good = Signer::rsa("g");
    auto off_curve = Signer::ec("o").jwk();
    off_curve["y"] = off_curve["x"];
    auto encryption = good.jwk();
    encryption["use"] = "enc";
    auto secret = Json{{"kty", "oct"}, {"kid", "s"}, {"k", "c2VjcmV0"}};
    const Json set{{"keys", {weak.jwk(), off_curve, encryption, secret, Json("x"), Json::object()}}};
    const auto keys = KeySet::parse(set.dump());
    ASSERT_TRUE(keys);
    EXPECT_EQ(keys->size(), 0u);
    EXPECT_FALSE(KeySet::parse("[]"));
    EXPECT_FALSE(KeySet::parse(R"({"keys":{}})"));
    EXPECT_FALSE(KeySet::parse(Json{{"keys", Json::array_t(kKeysMax + 1)}}.dump()));
}

constexpr Timestamp kNow = Timestamp::from_unix_seconds(1'795'392'000);
constexpr Wanted kWanted{.issuer = "https://login.example", .client_id = "us", .nonce = "n-1", .now = kNow};

Json good_claims() {
    return {{"iss", "https://login.example"},
            {"aud", "us"},
            {"nonce", "n-1"},
            {"sub", "248289761001"},
            {"iat", kNow.unix_seconds()},
            {"exp", kNow.unix_seconds() + 300}};
}

TEST(OidcClaims, WhatTheStandardAsksForIsAsked) {
    ASSERT_TRUE(checked_claims(good_claims().dump(), kWanted));
    const auto now = kNow.unix_seconds();
    const std::vector<std::pair<Json, std::string>> wrong{
        {{{"iss", "https://login.example/"}}, "another issuer"},
        {{{"iss", nullptr}}, "another issuer"},
        {{{"aud", "them"}}, "another client"},
        {{{"aud", {"us", "them"}}}, "another client"},
        {{{"aud", {"us", "them"}}, {"azp", "them"}}, "another client"},
        {{{"azp", "them"}}, "another client"},
        {{{"aud", Json::array()}}, "another client"},
        {{{"nonce", "n-2"}}, "nonce"},
        {{{"nonce", nullptr}}, "nonce"},
        {{{"exp", now - 60}}, "expired"},
        {{{"exp", nullptr}}, "expired"},
        {{{"exp", "soon"}}, "expired"},
        {{{"iat", now + 61}}, "future"},
        {{{"iat", nullptr}}, "future"},
        {{{"nbf", now + 61}}, "not valid yet"},
        {{{"sub", ""}}, "nobody"},
        {{{"sub", 7}}, "nobody"}};
    for (const auto& [change, why] : wrong) {
        auto claims = good_claims();
        claims.update(change);
        const auto refused = checked_claims(claims.dump(), kWanted);
        ASSERT_FALSE(refused) << change;
        EXPECT_EQ(refused.error().code, Errc::Unauthorized);
        EXPECT_THAT(refused.error().message, HasSubstr(why)) << change;
    }
    for (const Json& change : {Json{{"aud", {"us"}}}, Json{{"aud", {"us", "them"}}, {"azp", "us"}},
                               Json{{"exp", now - 59}}, Json{{"iat", now + 60}}}) {
        auto claims = good_claims();
        claims.update(change);
        EXPECT_TRUE(checked_claims(claims.dump(), kWanted)) << change;
    }
    EXPECT_FALSE(checked_claims("[]", kWanted));
    EXPECT_FALSE(checked_claims(std::string(10'000, '['), kWanted));
    auto unasked = kWanted;
    unasked.nonce = "";
    auto claims = good_claims();
    claims["nonce"] = "";
    EXPECT_FALSE(checked_claims(claims.dump(), unasked));
}

Settings settings_with(const Json& change) {
    Json json{{"issuer", "https://login.example"},
              {"clientId", "us"},
              {"page", "https://fieldwatch.example:7780/"},
              {"otherwise", "reader"}};
    json.update(change);
    const auto settings = parse_settings(json.dump());
    EXPECT_TRUE(settings) << settings.error().message;
    return settings.value_or(Settings{});
}

TEST(OidcPerson, HasTheHighestRoleOfItsGroups) {
    const auto settings =
        settings_with({{"roles", {{"soc", "operator"}, {"staff", "analyst"}}}, {"otherwise", nullptr}});
    const auto role = [&](const Json& groups) {
        const auto person = person_of(settings, {{"preferred_username", "ann"}, {"groups", groups}});
        return person ? person->role : "refused";
    };
    EXPECT_EQ(role({"staff"}), "analyst");
    EXPECT_EQ(role({"staff", "soc"}), "operator");
    EXPECT_EQ(role("soc"), "operator");
    EXPECT_EQ(role({"Soc", 7, nullptr}), "refused");
    EXPECT_EQ(role(nullptr), "refused");
    EXPECT_EQ(person_of(settings_with(Json::object()), {{"preferred_username", "ann"}})->role, "reader");
    for (const auto* const name : {"", "a b", "ann<script>", "ann'--", "ann\n"})
        EXPECT_FALSE(person_of(settings_with(Json::object()), {{"preferred_username", name}})) << name;
    const Json nested{{"realm_access", {{"roles", {"soc", "x"}}}}, {"a.b", {"c"}}};
    EXPECT_EQ(groups_of(nested, "realm_access.roles"), (std::vector<std::string>{"soc", "x"}));
    EXPECT_EQ(groups_of(nested, "a.b"), std::vector<std::string>{"c"});
    EXPECT_TRUE(groups_of(nested, "realm_access.roles.x").empty());
    EXPECT_TRUE(groups_of(nested, "nothing.here").empty());
    EXPECT_NE(mark_of("https://a", "b"), mark_of("https://b", "b"));
}

TEST(OidcSettings, SayWhatIsWrongAndNeverShowTheSecret) {
    EXPECT_EQ(settings_with(Json::object()).redirect(),
              "https://fieldwatch.example:7780/api/v1/session/provider/callback");
    const auto wrong = [](const Json& change) {
        Json json{{"issuer", "https://login.example"},
                  {"clientId", "us"},
                  {"page", "https://p"},
                  {"otherwise", "reader"}};
        json.update(change);
        const auto settings = parse_settings(json.dump());
        return settings ? std::string("taken") : settings.error().message;
    };
    EXPECT_THAT(wrong({{"issuer", "http://login.example"}}), HasSubstr("plain http"));
    EXPECT_THAT(wrong({{"issuer", "https://a@b"}}), HasSubstr("\"issuer\""));
    EXPECT_THAT(wrong({{"page", "ftp://x"}}), HasSubstr("\"page\""));
    EXPECT_THAT(wrong({{"clientId", ""}}), HasSubstr("\"clientId\" is required"));
    EXPECT_THAT(wrong({{"clientId", "a\r\nb"}}), HasSubstr("control characters"));
    EXPECT_THAT(wrong({{"otherwise", "king"}}), HasSubstr("\"otherwise\" must be one of reader"));
    EXPECT_THAT(wrong({{"roles", {{"soc", "king"}}}}), HasSubstr("roles.soc"));
    EXPECT_THAT(wrong({{"otherwise", nullptr}}), HasSubstr("nobody gets a role"));
    EXPECT_THAT(wrong({{"scopes", {"profile"}}}), HasSubstr("must hold openid"));
    EXPECT_THAT(wrong({{"scopes", {"openid", "a b"}}}), HasSubstr("must hold words"));
    EXPECT_THAT(wrong({{"moon", 1}}), HasSubstr("allowed are"));
    const auto settings = settings_with({{"clientSecret", "hush"}});
    EXPECT_THAT(to_json(settings, Secrets::Hidden), ::testing::Not(HasSubstr("hush")));
    const auto again = parse_settings(to_json(settings, Secrets::Shown));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->client_secret, "hush");
}

}  // namespace
}  // namespace fieldwatch::portal::oidc
