// Signing in with a name and a password: a browser gets a cookie that scripts cannot read, and the word that
// must come with it on every request that changes something.
#include <array>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "portal/context.hpp"
#include "portal/password.hpp"
#include "portal/reply.hpp"
#include "portal/sign_in.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::chrono::hours kSessionLasts{12};  ///< a working day
constexpr Route kSignIn{"POST", "/api/v1/session", Role::Public, nullptr};

/// Only this machine may speak plain HTTP, over which a cookie that is Secure would not come back.
bool is_plain(const net::HttpRequest& request) {
    const auto peer = parse_ip(request.peer);
    return peer && peer->is_loopback();
}

/// Lax would send it along a link from elsewhere; the page needs no session to load.
std::string cookie_header(const net::HttpRequest& request, std::string_view value, std::int64_t seconds) {
    return fmt::format("{}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}{}", kSessionCookie, value,
                       seconds, is_plain(request) ? "" : "; Secure");
}

/// The user whose password this is. Everybody else waits as long for the same answer. Errors: Unauthorized;
/// Exhausted when nothing was looked at.
Result<registry::User> checked(const Context& context, const std::string& name, const std::string& password) {
    auto user = context.parts.accounts.user(name);
    if (!user && user.error().code != Errc::NotFound) return user;
    // Who signs in elsewhere has no password here, and is told so no faster.
    const bool has_password = user && !user->is_external();
    if (!FIELDWATCH_TRY(password_fits(password, has_password ? user->password_hash : hash_of_nobody())) ||
        !user || !user->enabled)
        return fail(Errc::Unauthorized, "this name and password do not fit together");
    return user;
}

/// The password was right, and is not enough: the page asks for the code.
net::HttpResponse code_wanted() {
    return net::error_response(401, "SecondFactorRequiredError",
                               "\"code\" is required: of the authenticator, or a recovery code");
}

/// Everything that a person signs in with ends here.
Answer signed_in(const Context& context, const Call& call, const registry::User& user) {
    const auto opened = FIELDWATCH_TRY(open_session(context, call, user.name));
    auto reply = json_reply(200, {{"name", user.name},
                                  {"role", user.role},
                                  {"csrf", csrf_of(opened.cookie)},
                                  {"expires", to_iso8601(opened.expires)}});
    reply.headers.emplace_back("set-cookie", opened.set_cookie);
    return reply;
}

void tell_attempt(const Context& context, const Call& call, const std::string& name, const Attempt& tried) {
    // A name that nobody has may be a password that slipped: it is not written down.
    tell_sign_in(context, call, context.parts.accounts.user(name).has_value() ? name : "(unknown)",
                 tried.user ? 200 : problem(tried.user.error()).status);
}

Answer sign_in(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"user", "password", "code"}));
    if (!from_our_page(call.request))
        return fail(Errc::Forbidden, "signing in is for the page of this server");
    std::string name, password, code;
    FIELDWATCH_TRY(read_member(body, "user", name));
    FIELDWATCH_TRY(read_member(body, "password", password));
    FIELDWATCH_TRY(read_member(body, "code", code));
    if (name.empty() || name.size() > 64 || password.empty() || password.size() > kPasswordBytesMax)
        return fail(Errc::InvalidArgument,
                    "\"user\" and \"password\" are required, of at most 64 and 256 bytes");
    const auto tried = prove(context, call, {name, password, code}, Factors::All);
    // Of those that the guard refuses, the first of a window tells enough: strangers do not fill the log.
    if (tried.verdict != LoginGuard::Verdict::Refused) tell_attempt(context, call, name, tried);
    if (tried.verdict != LoginGuard::Verdict::Admitted) return too_many_attempts();
    if (tried.code_wanted) return code_wanted();
    return signed_in(context, call, FIELDWATCH_TRY(Result<registry::User>(tried.user)));
}

Answer get_session(const Context& context, const Call& call) {
    const auto cookie = session_cookie(call.request);
    const bool of_person = !call.who.session_hash.empty();
    const auto factor = of_person ? FIELDWATCH_TRY(context.parts.accounts.second_factor(call.who.name))
                                  : std::optional<registry::SecondFactor>();
    return json_reply(200, {{"name", call.who.name},
                            {"role", to_string(call.who.role)},
                            {"secondFactor", factor && factor->confirmed},
                            {"recoveryCodes", factor ? factor->recovery_codes : 0},
                            {"csrf", call.who.session_hash.empty() ? Json(nullptr) : Json(csrf_of(cookie))}});
}

Answer sign_out(const Context& context, const Call& call) {
    if (!call.who.session_hash.empty())
        FIELDWATCH_TRY(context.parts.accounts.end_session(call.who.session_hash));
    return net::HttpResponse{
        .status = 204, .headers = {{"set-cookie", cookie_header(call.request, "", 0)}}, .body = {}};
}

/// One's own; every session of the user ends, this one too.
Answer change_password(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"old", "new"}));
    if (call.who.session_hash.empty())
        return fail(Errc::Forbidden, "a token has no password: sign in with a name first");
    std::string before, after;
    FIELDWATCH_TRY(read_member(body, "old", before));
    FIELDWATCH_TRY(read_member(body, "new", after));
    auto tried = prove(context, call, {call.who.name, before, {}}, Factors::Password);
    if (tried.verdict != LoginGuard::Verdict::Admitted) return too_many_attempts();
    const auto user = FIELDWATCH_TRY(std::move(tried.user));
    auto hash = FIELDWATCH_TRY(hash_password(after, context.parts.random));
    FIELDWATCH_TRY(context.parts.accounts.change(user.name, {.role = {},
                                                             .password_hash = std::move(hash),
                                                             .enabled = {},
                                                             .password_changed = context.parts.clock.now(),
                                                             .if_password_hash = user.password_hash}));
    return net::HttpResponse{
        .status = 204, .headers = {{"set-cookie", cookie_header(call.request, "", 0)}}, .body = {}};
}

}  // namespace

Result<OpenedSession> open_session(const Context& context, const Call& call, const std::string& user) {
    // Always a new one: a cookie that somebody placed before is worth nothing afterwards.
    if (const auto before = session_cookie(call.request); !before.empty())
        FIELDWATCH_TRY(context.parts.accounts.end_session(session_hash(before)));
    std::array<std::byte, 32> secret{};
    context.parts.random.fill(secret);
    const auto now = context.parts.clock.now();
    OpenedSession out{.cookie = hex(secret),
                      .set_cookie = {},
                      .expires = now + std::chrono::duration_cast<Ticks>(kSessionLasts)};
    FIELDWATCH_TRY(context.parts.accounts.open_session(
        {.hash_hex = session_hash(out.cookie), .user = user, .created = now, .expires = out.expires}));
    out.set_cookie = cookie_header(call.request, out.cookie,
                                   std::chrono::duration_cast<std::chrono::seconds>(kSessionLasts).count());
    return out;
}

void tell_sign_in(const Context& context, const Call& call, const std::string& name, int status) {
    Call told{.request = call.request, .who = {}, .names = {}};
    told.who.name = name;
    audit(context, kSignIn, told, status);
}

Attempt prove(const Context& context, const Call& call, const Proof& proof, Factors factors) {
    const auto& peer = call.request.peer;
    Attempt out{.verdict = context.logins.admit(proof.user, peer, context.parts.clock.now()),
                .user = fail(Errc::Exhausted, "too many wrong passwords")};
    if (out.verdict != LoginGuard::Verdict::Admitted) return out;
    out.user = checked(context, proof.user, proof.password);
    if (out.user && factors == Factors::All) {
        const auto fits = second_factor_fits(context, proof.user, proof.code);
        out.code_wanted = fits && !*fits && proof.code.empty();
        if (!fits) out.user = std::unexpected(fits.error());
        if (fits && !*fits)
            out.user = fail(Errc::Unauthorized, "this code is none of now, or was used already");
    }
    if (out.user) context.logins.forgive(proof.user, peer);
    const bool was_wrong = !out.user && out.user.error().code == Errc::Unauthorized && !out.code_wanted;
    if (!out.user && !was_wrong) context.logins.take_back(proof.user, peer);
    return out;
}

net::HttpResponse too_many_attempts() {
    auto refused = problem({Errc::Exhausted, "too many wrong passwords: try again in some minutes"});
    for (auto& [header, value] : refused.headers) {
        if (header == "retry-after")
            value =
                std::to_string(std::chrono::duration_cast<std::chrono::seconds>(LoginGuard::kWindow).count());
    }
    return refused;
}

std::vector<Route> session_routes() {
    std::vector<Route> out{{"POST", "/api/v1/session", Role::Public, sign_in},
                           {"GET", "/api/v1/session", Role::Reader, get_session},
                           {"DELETE", "/api/v1/session", Role::Reader, sign_out},
                           {"PUT", "/api/v1/session/password", Role::Reader, change_password}};
    for (const auto& part : {second_factor_routes(), provider_routes()})
        out.insert(out.end(), part.begin(), part.end());
    return out;
}

}  // namespace fieldwatch::portal
