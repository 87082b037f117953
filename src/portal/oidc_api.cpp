// Signing in at an identity provider (OpenID Connect, authorization code with PKCE), and whom an
// administrator names as one. docs/decisions/0087-sign-in-elsewhere.md.
#include <array>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "portal/context.hpp"
#include "portal/oidc/provider.hpp"
#include "portal/reply.hpp"
#include "portal/sign_in.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::string_view kSettingsKey = "identity.provider";
constexpr std::string_view kAttemptCookie = "fieldwatch_attempt";
constexpr std::string_view kBegin = "/api/v1/session/provider/begin";
constexpr std::chrono::minutes kAttemptLasts{10};  ///< to type a password and a second factor over there
constexpr std::size_t kReturnBytesMax = 2'048, kCodeBytesMax = 4'096;

Result<std::optional<oidc::Settings>> stored_provider(const Context& context) {
    const auto text = FIELDWATCH_TRY(context.parts.registry.setting(kSettingsKey));
    if (!text || text->empty()) return std::nullopt;
    return FIELDWATCH_TRY(oidc::parse_settings(*text));
}

Result<oidc::Settings> provider_settings(const Context& context) {
    auto stored = FIELDWATCH_TRY(stored_provider(context));
    if (!stored) return fail(Errc::NotFound, "no identity provider is set here");
    return std::move(*stored);
}

/// Lax: the provider sends the browser back by a link, and Strict would stay away then.
std::string attempt_cookie(const oidc::Settings& settings, std::string_view value, std::int64_t seconds) {
    return fmt::format("{}={}; Path=/api/v1/session/provider; HttpOnly; SameSite=Lax; Max-Age={}{}",
                       kAttemptCookie, value, seconds,
                       settings.page.starts_with("https://") ? "; Secure" : "");
}

net::HttpResponse redirect_to(std::string address, std::vector<std::string> cookies) {
    net::HttpResponse out{.status = 303, .headers = {{"location", std::move(address)}}, .body = {}};
    for (auto& cookie : cookies)
        out.headers.emplace_back("set-cookie", std::move(cookie));
    return out;
}

/// A place of this server's own page, and of no other: what a browser reads as one is not always what it
/// seems.
bool is_own_place(std::string_view place) {
    const bool plain = std::ranges::all_of(place, [](char c) { return c > 32 && c < 127 && c != '\\'; });
    return plain && place.size() <= kReturnBytesMax && place.starts_with('/') && !place.starts_with("//");
}

Answer get_public_provider(const Context& context, const Call&) {
    const auto settings = FIELDWATCH_TRY(stored_provider(context));
    if (!settings) return json_reply(200, {{"enabled", false}});
    return json_reply(200, {{"enabled", true}, {"name", settings->name}, {"begin", kBegin}});
}

Answer begin_elsewhere(const Context& context, const Call& call) {
    const auto settings = FIELDWATCH_TRY(provider_settings(context));
    const auto place = std::string(call.request.parameter("return").value_or("/"));
    if (!is_own_place(place))
        return fail(Errc::InvalidArgument, "\"return\" must be a path of this page: /alerts");
    std::array<std::byte, 32> bytes{};
    context.parts.random.fill(bytes);
    // The way back is part of the secret: whoever sends somebody elsewhere would change the attempt.
    const auto secret = hex(bytes) + "." + oidc::base64url(as_bytes(place));
    const auto address =
        FIELDWATCH_TRY(context.provider.authorization_address(settings, oidc::Attempt(secret)));
    return redirect_to(
        address, {attempt_cookie(settings, secret,
                                 std::chrono::duration_cast<std::chrono::seconds>(kAttemptLasts).count())});
}

/// The registry's user of that person: made when it signs in for the first time, its role as the provider
/// says today. Errors: Forbidden, Conflict for a name that is somebody else's.
Result<registry::User> user_of(const Context& context, const oidc::Settings& settings, const Json& claims) {
    const auto person = FIELDWATCH_TRY(oidc::person_of(settings, claims));
    const auto mark = oidc::mark_of(settings.issuer, claims.at("sub").get<std::string>());
    auto& accounts = context.parts.accounts;
    auto user = accounts.user(person.name);
    if (!user && user.error().code == Errc::NotFound) {
        const auto now = context.parts.clock.now();
        registry::User made{.name = person.name,
                            .password_hash = mark,
                            .role = person.role,
                            .enabled = true,
                            .created = now,
                            .password_changed = now};
        FIELDWATCH_TRY(accounts.add(made));
        return made;
    }
    if (!user) return user;
    if (user->password_hash != mark)
        return fail(Errc::Forbidden,
                    fmt::format("the user {} is not this person of the identity provider", person.name));
    if (!user->enabled) return fail(Errc::Forbidden, fmt::format("the user {} is disabled", person.name));
    if (user->role == person.role) return user;
    return accounts.change(person.name, {.role = person.role, .password_hash = {}, .enabled = {}});
}

/// For a person: what went wrong, and a way back. Nothing in it runs.
net::HttpResponse refusal_page(const Error& error) {
    const auto status = problem(error).status;
    return {
        .status = status,
        .headers = {{"content-type", "text/html; charset=utf-8"},
                    {"content-security-policy",
                     "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}},
        .body = fmt::format("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Fieldwatch: not "
                            "signed in</title><h1>Not signed in</h1><p>{}</p><p><a href=\"/\">Back</a></p>",
                            html_text(error.message))};
}

void tell_end(const Context& context, const Call& call, const std::string& name, int status) {
    tell_sign_in(context, call, name, status);
}

Answer finish_sign_in(const Context& context, const Call& call, const oidc::Settings& settings,
                      const std::string& secret) {
    const oidc::Attempt attempt(secret);
    const auto state = call.request.parameter("state").value_or("");
    if (secret.empty() || !equal_constant_time(state, attempt.state))
        return fail(Errc::Unauthorized,
                    "this browser did not begin to sign in, or too long ago: begin again");
    if (const auto error = call.request.parameter("error"))
        return fail(Errc::Unauthorized, fmt::format("the identity provider says: {}", error->substr(0, 200)));
    const auto code = call.request.parameter("code").value_or("");
    if (code.empty() || code.size() > kCodeBytesMax)
        return fail(Errc::Unauthorized, "the identity provider gave no code");
    const auto claims = FIELDWATCH_TRY(context.provider.redeem(settings, attempt, code));
    const auto user = user_of(context, settings, claims);
    if (!user) {
        tell_end(context, call, "(unknown)", problem(user.error()).status);
        return std::unexpected(user.error());
    }
    tell_end(context, call, user->name, 200);
    const auto place = oidc::from_base64url(std::string_view(secret).substr(secret.find('.') + 1));
    const auto opened = FIELDWATCH_TRY(open_session(context, call, user->name));
    return redirect_to(place && is_own_place(as_text(*place)) ? std::string(as_text(*place)) : "/",
                       {opened.set_cookie, attempt_cookie(settings, "", 0)});
}

Answer come_back(const Context& context, const Call& call) {
    const auto settings = provider_settings(context);
    if (!settings) return refusal_page(settings.error());
    auto done = finish_sign_in(context, call, *settings, cookie_of(call.request, kAttemptCookie));
    if (done) return done;
    auto page = refusal_page(done.error());
    page.headers.emplace_back("set-cookie", attempt_cookie(*settings, "", 0));
    return page;
}

Answer get_provider(const Context& context, const Call&) {
    const auto settings = FIELDWATCH_TRY(provider_settings(context));
    return json_reply(200, Json::parse(oidc::to_json(settings, oidc::Secrets::Hidden)));
}

/// Without "clientSecret" the one that is there stays, for the same provider and client.
Answer put_provider(const Context& context, const Call& call) {
    auto settings = FIELDWATCH_TRY(oidc::parse_settings(call.request.body));
    const auto before = stored_provider(context).value_or(std::nullopt);
    const bool same = before && before->issuer == settings.issuer && before->client_id == settings.client_id;
    if (settings.client_secret.empty() && same) settings.client_secret = before->client_secret;
    FIELDWATCH_TRY(
        context.parts.registry.set_setting(kSettingsKey, oidc::to_json(settings, oidc::Secrets::Shown)));
    return json_reply(200, Json::parse(oidc::to_json(settings, oidc::Secrets::Hidden)));
}

/// Who signed in by it stays a user, whose sessions go on: disable or delete them to end that.
Answer delete_provider(const Context& context, const Call&) {
    static_cast<void>(FIELDWATCH_TRY(provider_settings(context)));
    FIELDWATCH_TRY(context.parts.registry.set_setting(kSettingsKey, ""));
    return net::HttpResponse{.status = 204};
}

/// That the provider does not answer is an answer, no refusal of ours.
Answer test_provider(const Context& context, const Call&) {
    const auto settings = FIELDWATCH_TRY(provider_settings(context));
    const auto keys = context.provider.try_out(settings);
    Json out{{"works", keys.has_value()}, {"keys", keys.value_or(0)}};
    if (!keys) out["problem"] = keys.error().message;
    return json_reply(200, out);
}

}  // namespace

std::vector<Route> provider_routes() {
    constexpr std::string_view kProvider = "/api/v1/identity-provider";
    return {{"GET", "/api/v1/session/provider", Role::Public, get_public_provider},
            {"GET", kBegin, Role::Public, begin_elsewhere},
            {"GET", "/api/v1/session/provider/callback", Role::Public, come_back},
            {"GET", kProvider, Role::Administrator, get_provider},
            {"PUT", kProvider, Role::Administrator, put_provider},
            {"DELETE", kProvider, Role::Administrator, delete_provider},
            {"POST", "/api/v1/identity-provider/test", Role::Administrator, test_provider}};
}

}  // namespace fieldwatch::portal
