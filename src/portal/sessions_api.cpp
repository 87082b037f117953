// Signing in with a name and a password: a browser gets a cookie that scripts cannot read, and the word that
// must come with it on every request that changes something.
#include <array>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "portal/context.hpp"
#include "portal/password.hpp"
#include "portal/reply.hpp"

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
    if (!FIELDWATCH_TRY(password_fits(password, user ? user->password_hash : hash_of_nobody())) || !user ||
        !user->enabled)
        return fail(Errc::Unauthorized, "this name and password do not fit together");
    return user;
}

struct Attempt {
    LoginGuard::Verdict verdict;
    Result<registry::User> user;  ///< of one that was admitted
};

/// The same within the bounds of the guard.
Attempt guarded(const Context& context, const Call& call, const std::string& name,
                const std::string& password) {
    Attempt out{.verdict = context.logins.admit(name, call.request.peer, context.parts.clock.now()),
                .user = fail(Errc::Exhausted, "too many wrong passwords")};
    if (out.verdict != LoginGuard::Verdict::Admitted) return out;
    out.user = checked(context, name, password);
    if (out.user) context.logins.forgive(name, call.request.peer);
    if (!out.user && out.user.error().code != Errc::Unauthorized)
        context.logins.take_back(name, call.request.peer);
    return out;
}

void tell_attempt(const Context& context, const Call& call, const std::string& name, const Attempt& tried) {
    // A name that nobody has may be a password that slipped: it is not written down.
    Call told{.request = call.request, .who = {}, .names = {}};
    told.who.name = context.parts.accounts.user(name).has_value() ? name : "(unknown)";
    audit(context, kSignIn, told, tried.user ? 200 : problem(tried.user.error()).status);
}

net::HttpResponse too_many() {
    auto refused = problem({Errc::Exhausted, "too many wrong passwords: try again in some minutes"});
    for (auto& [header, value] : refused.headers) {
        if (header == "retry-after")
            value =
                std::to_string(std::chrono::duration_cast<std::chrono::seconds>(LoginGuard::kWindow).count());
    }
    return refused;
}

Answer open_session(const Context& context, const Call& call, const registry::User& user) {
    // Always a new one: a cookie that somebody placed before is worth nothing afterwards.
    if (const auto before = session_cookie(call.request); !before.empty())
        FIELDWATCH_TRY(context.parts.accounts.end_session(session_hash(before)));
    std::array<std::byte, 32> secret{};
    context.parts.random.fill(secret);
    const auto cookie = hex(secret);
    const auto now = context.parts.clock.now();
    const auto expires = now + std::chrono::duration_cast<Ticks>(kSessionLasts);
    FIELDWATCH_TRY(context.parts.accounts.open_session(
        {.hash_hex = session_hash(cookie), .user = user.name, .created = now, .expires = expires}));
    auto reply = json_reply(200, {{"name", user.name},
                                  {"role", user.role},
                                  {"csrf", csrf_of(cookie)},
                                  {"expires", to_iso8601(expires)}});
    reply.headers.emplace_back(
        "set-cookie", cookie_header(call.request, cookie,
                                    std::chrono::duration_cast<std::chrono::seconds>(kSessionLasts).count()));
    return reply;
}

Answer sign_in(const Context& context, const Call& call) {
    const auto body = FIELDWATCH_TRY(body_object(call.request, {"user", "password"}));
    if (!from_our_page(call.request))
        return fail(Errc::Forbidden, "signing in is for the page of this server");
    std::string name, password;
    FIELDWATCH_TRY(read_member(body, "user", name));
    FIELDWATCH_TRY(read_member(body, "password", password));
    if (name.empty() || name.size() > 64 || password.empty() || password.size() > kPasswordBytesMax)
        return fail(Errc::InvalidArgument,
                    "\"user\" and \"password\" are required, of at most 64 and 256 bytes");
    const auto tried = guarded(context, call, name, password);
    // Of those that the guard refuses, the first of a window tells enough: strangers do not fill the log.
    if (tried.verdict != LoginGuard::Verdict::Refused) tell_attempt(context, call, name, tried);
    if (tried.verdict != LoginGuard::Verdict::Admitted) return too_many();
    return open_session(context, call, FIELDWATCH_TRY(Result<registry::User>(tried.user)));
}

Answer get_session(const Context&, const Call& call) {
    const auto cookie = session_cookie(call.request);
    return json_reply(200, {{"name", call.who.name},
                            {"role", to_string(call.who.role)},
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
    auto tried = guarded(context, call, call.who.name, before);
    if (tried.verdict != LoginGuard::Verdict::Admitted) return too_many();
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

std::vector<Route> session_routes() {
    return {{"POST", "/api/v1/session", Role::Public, sign_in},
            {"GET", "/api/v1/session", Role::Reader, get_session},
            {"DELETE", "/api/v1/session", Role::Reader, sign_out},
            {"PUT", "/api/v1/session/password", Role::Reader, change_password}};
}

}  // namespace fieldwatch::portal
