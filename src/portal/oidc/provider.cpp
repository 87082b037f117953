#include "portal/oidc/provider.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "net/http_client.hpp"

namespace fieldwatch::portal::oidc {
namespace {

constexpr std::chrono::seconds kAnswerWait{10};
constexpr std::chrono::hours kKept{1};
constexpr std::chrono::seconds kAskedAgainAfter{30};
constexpr std::size_t kDocumentBytesMax = 256u << 10;

struct Asked {
    std::string_view method, address;
    std::string body;  ///< a form
    std::vector<std::pair<std::string, std::string>> headers;
};

Result<net::HttpReply> ask_provider(const Settings& settings, Asked asked) {
    const auto scheme = asked.address.find("://") + 3;
    const auto slash = std::min(asked.address.find('/', scheme), asked.address.size());
    const auto rest = asked.address.substr(slash);
    net::HttpClientOptions options;
    options.url = FIELDWATCH_TRY(net::parse_url(asked.address.substr(0, slash)));
    options.ca_pem = settings.ca_pem;
    options.body_bytes_max = kDocumentBytesMax;
    options.total = kAnswerWait;
    options.headers = std::move(asked.headers);
    options.headers.emplace_back("Accept", "application/json");
    if (!asked.body.empty())
        options.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    auto reply =
        net::HttpClient(std::move(options)).request(asked.method, rest.empty() ? "/" : rest, asked.body);
    if (!reply) return fail(Errc::Unavailable, "the identity provider: " + std::move(reply).error().message);
    return std::move(*reply);
}

Result<Json> document_of(const net::HttpReply& reply, std::string_view what) {
    if (reply.status != 200)
        return fail(Errc::Unavailable,
                    fmt::format("the identity provider's {}: status {}", what, reply.status));
    auto json =
        nests_deeper_than(limits::json_depth, reply.body) ? Json() : Json::parse(reply.body, nullptr, false);
    if (!json.is_object())
        return fail(Errc::Unavailable, fmt::format("the identity provider's {}: no JSON object", what));
    return json;
}

std::string text_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string derived(std::string_view what, std::string_view cookie) {
    return base64url(sha256(as_bytes(fmt::format("{} {}", what, cookie))));
}

}  // namespace

Attempt::Attempt(std::string_view cookie)
    : state(derived("state", cookie)),
      nonce(derived("nonce", cookie)),
      verifier(derived("verifier", cookie)),
      challenge(base64url(sha256(as_bytes(verifier)))) {}

Result<Provider::Documents> Provider::discover(const Settings& settings) {
    auto address = settings.issuer;
    while (address.ends_with('/'))
        address.pop_back();
    address += "/.well-known/openid-configuration";
    const auto reply = FIELDWATCH_TRY(ask_provider(settings, {"GET", address, {}, {}}));
    const auto json = FIELDWATCH_TRY(document_of(reply, "configuration"));
    // Discovery section 4.3: a document that names another issuer is somebody else's.
    if (text_of(json, "issuer") != settings.issuer)
        return fail(Errc::Unavailable, fmt::format("the identity provider calls itself \"{}\", not \"{}\"",
                                                   text_of(json, "issuer"), settings.issuer));
    Documents out{.issuer = settings.issuer,
                  .authorization = text_of(json, "authorization_endpoint"),
                  .token = text_of(json, "token_endpoint"),
                  .keys = text_of(json, "jwks_uri"),
                  .user_info = text_of(json, "userinfo_endpoint"),
                  .read = clock_.now()};
    for (const auto& [name, value] :
         {std::pair{"authorization_endpoint", &out.authorization}, std::pair{"token_endpoint", &out.token},
          std::pair{"jwks_uri", &out.keys}})
        FIELDWATCH_TRY(check_address(fmt::format("the identity provider's {}", name), *value));
    if (!out.user_info.empty())
        FIELDWATCH_TRY(check_address("the identity provider's userinfo_endpoint", out.user_info));
    const auto methods = json.value("token_endpoint_auth_methods_supported", Json());
    out.secret_in_body = methods.is_array() &&
                         std::ranges::find(methods, Json("client_secret_basic")) == methods.end() &&
                         std::ranges::find(methods, Json("client_secret_post")) != methods.end();
    const std::lock_guard lock(mutex_);
    documents_ = out;
    return out;
}

Result<Provider::Documents> Provider::documents(const Settings& settings) {
    {
        const std::lock_guard lock(mutex_);
        if (documents_ && documents_->issuer == settings.issuer && clock_.now() - documents_->read < kKept)
            return *documents_;
    }
    return discover(settings);
}

Result<KeySet> Provider::keys(const Settings& settings, const Documents& documents, bool again) {
    {
        const std::lock_guard lock(mutex_);
        const bool same = keys_ && keys_->address == documents.keys;
        const auto age = same ? clock_.now() - keys_->read : Ticks{};
        const bool asked_lately = same && clock_.now() - keys_->read_again < kAskedAgainAfter;
        if (same && (again ? asked_lately : age < kKept)) return keys_->set;
    }
    const auto reply = FIELDWATCH_TRY(ask_provider(settings, {"GET", documents.keys, {}, {}}));
    if (reply.status != 200)
        return fail(Errc::Unavailable, fmt::format("the identity provider's keys: status {}", reply.status));
    auto set = FIELDWATCH_TRY(KeySet::parse(reply.body));
    const std::lock_guard lock(mutex_);
    const auto before = keys_ && keys_->address == documents.keys ? keys_->read_again : Timestamp{};
    keys_ = Keys{documents.keys, set, clock_.now(), again ? clock_.now() : before};
    return set;
}

Result<std::string> Provider::authorization_address(const Settings& settings, const Attempt& attempt) {
    const auto known = FIELDWATCH_TRY(documents(settings));
    return fmt::format(
        "{}{}response_type=code&client_id={}&redirect_uri={}&scope={}&state={}&nonce={}&code_challenge={}&"
        "code_challenge_method=S256",
        known.authorization, known.authorization.find('?') == std::string::npos ? "?" : "&",
        percent_encode(settings.client_id), percent_encode(settings.redirect()),
        percent_encode(fmt::format("{}", fmt::join(settings.scopes, " "))), attempt.state, attempt.nonce,
        attempt.challenge);
}

Result<Json> Provider::exchange(const Settings& settings, const Documents& documents, const Attempt& attempt,
                                std::string_view code) const {
    Asked asked{.method = "POST", .address = documents.token, .body = {}, .headers = {}};
    asked.body =
        fmt::format("grant_type=authorization_code&code={}&redirect_uri={}&client_id={}&code_verifier={}",
                    percent_encode(code), percent_encode(settings.redirect()),
                    percent_encode(settings.client_id), attempt.verifier);
    if (!settings.client_secret.empty() && documents.secret_in_body) {
        asked.body += "&client_secret=" + percent_encode(settings.client_secret);
    } else if (!settings.client_secret.empty()) {
        // RFC 6749 section 2.3.1: both parts are encoded as in a form first.
        const auto both = percent_encode(settings.client_id) + ":" + percent_encode(settings.client_secret);
        asked.headers.emplace_back("Authorization", "Basic " + base64(as_bytes(both)));
    }
    const auto reply = FIELDWATCH_TRY(ask_provider(settings, std::move(asked)));
    if (reply.status >= 400 && reply.status < 500) {
        const auto json = Json::parse(reply.body, nullptr, false);
        return fail(Errc::Unauthorized, fmt::format("the identity provider does not take the code: {}",
                                                    json.is_object() ? text_of(json, "error") : "no reason"));
    }
    return document_of(reply, "answer");
}

Result<std::string> Provider::verified(const Settings& settings, const Documents& documents,
                                       std::string_view token) {
    auto claims = FIELDWATCH_TRY(keys(settings, documents, false)).claims(token);
    if (!claims && claims.error().code == Errc::NotFound)
        claims = FIELDWATCH_TRY(keys(settings, documents, true)).claims(token);
    if (!claims) return fail(Errc::Unauthorized, claims.error().message);
    return claims;
}

/// Some providers say groups and names there only; its answer counts for the same person (section 5.3.2).
Result<Json> Provider::with_user_info(const Settings& settings, const Documents& documents, Json claims,
                                      const Json& tokens) const {
    const bool complete = claims.contains(settings.name_claim) &&
                          (settings.roles.empty() || !groups_of(claims, settings.groups_claim).empty());
    const auto access = text_of(tokens, "access_token");
    if (complete || documents.user_info.empty() || access.empty()) return claims;
    const bool printable = std::ranges::all_of(access, [](char c) { return c > 32 && c < 127; });
    if (!printable) return fail(Errc::Unauthorized, "the identity provider's access token is none");
    const auto reply = FIELDWATCH_TRY(
        ask_provider(settings, {"GET", documents.user_info, {}, {{"Authorization", "Bearer " + access}}}));
    const auto more = FIELDWATCH_TRY(document_of(reply, "userinfo"));
    if (text_of(more, "sub") != text_of(claims, "sub"))
        return fail(Errc::Unauthorized, "the identity provider's userinfo is of another person");
    for (const auto& [name, value] : more.items()) {
        if (!claims.contains(name)) claims[name] = value;
    }
    return claims;
}

Result<Json> Provider::redeem(const Settings& settings, const Attempt& attempt, std::string_view code) {
    struct Turn {
        std::atomic<int>& count;
        bool admitted = ++count <= kAtOnce;
        ~Turn() { --count; }
    } turn{redeeming_};
    if (!turn.admitted) return fail(Errc::Exhausted, "others are signing in: try again in a moment");
    const auto known = FIELDWATCH_TRY(documents(settings));
    const auto tokens = FIELDWATCH_TRY(exchange(settings, known, attempt, code));
    const auto token = text_of(tokens, "id_token");
    if (token.empty()) return fail(Errc::Unauthorized, "the identity provider gave no id_token");
    const auto text = FIELDWATCH_TRY(verified(settings, known, token));
    auto claims = FIELDWATCH_TRY(checked_claims(text, {.issuer = settings.issuer,
                                                       .client_id = settings.client_id,
                                                       .nonce = attempt.nonce,
                                                       .now = clock_.now()}));
    return with_user_info(settings, known, std::move(claims), tokens);
}

Result<std::size_t> Provider::try_out(const Settings& settings) {
    const auto known = FIELDWATCH_TRY(discover(settings));
    {
        const std::lock_guard lock(mutex_);
        keys_.reset();
    }
    const auto set = FIELDWATCH_TRY(keys(settings, known, false));
    if (set.size() == 0)
        return fail(Errc::Unavailable, "the identity provider publishes no key for RS256 or ES256");
    return set.size();
}

}  // namespace fieldwatch::portal::oidc
