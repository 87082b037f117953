#include "portal/access.hpp"

#include <array>
#include <utility>

#include "base/bytes.hpp"
#include "base/hash.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::array kRoles{std::pair{Role::Forwarder, std::string_view{"forwarder"}},
                            std::pair{Role::Reader, std::string_view{"reader"}},
                            std::pair{Role::Analyst, std::string_view{"analyst"}},
                            std::pair{Role::Operator, std::string_view{"operator"}},
                            std::pair{Role::Administrator, std::string_view{"administrator"}}};
constexpr std::size_t kTokenBytesMax = 512;  ///< ours have 43 characters

bool is_bearer(std::string_view scheme) {
    return scheme == "Bearer" || scheme == "bearer" || scheme == "BEARER";
}

}  // namespace

std::optional<Role> role_from(std::string_view name) {
    const auto role = token_role_from(name);
    return role == Role::Forwarder ? std::nullopt : role;
}

std::optional<Role> token_role_from(std::string_view name) {
    for (const auto& [role, text] : kRoles) {
        if (text == name) return role;
    }
    return std::nullopt;
}

std::string_view to_string(Role role) {
    for (const auto& [known, text] : kRoles) {
        if (known == role) return text;
    }
    return "public";
}

bool suffices(Role has, Role asked) {
    if (asked == Role::Forwarder) return has == Role::Forwarder || has == Role::Administrator;
    return has >= asked;  // a forwarder stands below a reader
}

std::string cookie_of(const net::HttpRequest& request, std::string_view name) {
    // RFC 6265 section 4.2: name=value, parted by "; ".
    for (auto rest = request.header("cookie"); !rest.empty();) {
        const auto end = rest.find(';');
        auto pair = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        while (pair.starts_with(' '))
            pair.remove_prefix(1);
        if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
            return std::string(pair.substr(name.size() + 1));
    }
    return {};
}

std::string session_cookie(const net::HttpRequest& request) {
    return cookie_of(request, kSessionCookie);
}

bool from_our_page(const net::HttpRequest& request) {
    const auto origin = request.header("origin");
    if (origin.empty()) return true;
    const auto scheme = origin.find("://");
    return scheme != std::string_view::npos && origin.substr(scheme + 3) == request.header("host");
}

std::string csrf_of(std::string_view cookie) {
    return hex(sha256(as_bytes("csrf " + std::string(cookie))));
}
std::string session_hash(std::string_view cookie) {
    return hex(sha256(as_bytes(cookie)));
}

namespace {

Result<Principal> of_session(const net::HttpRequest& request, const std::string& cookie,
                             registry::Accounts& accounts, const Clock& clock) {
    const auto hash = session_hash(cookie);
    const auto session = FIELDWATCH_TRY(accounts.session(hash));
    if (!session || session->expires <= clock.now())
        return fail(Errc::Unauthorized, "the session has ended: sign in again");
    const auto user = accounts.user(session->user);
    if (!user || !user->enabled) return fail(Errc::Unauthorized, "the session has ended: sign in again");
    const bool changes = request.method != "GET" && request.method != "HEAD";
    if (changes && (request.header(kCsrfHeader) != csrf_of(cookie) || !from_our_page(request)))
        return fail(Errc::Forbidden,
                    "a request of a session needs the header X-Fieldwatch-Csrf, and comes from "
                    "the page of this server");
    const auto role = role_from(user->role);
    if (!role) return fail(Errc::Internal, "user " + user->name + " has the unknown role " + user->role);
    return Principal{
        .name = user->name, .role = *role, .hubs = {}, .session_hash = hash, .expires = session->expires};
}

}  // namespace

bool still_known(const Principal& who, registry::Accounts& accounts, const Clock& clock) {
    if (who.expires && *who.expires <= clock.now()) return false;
    if (who.session_hash.empty()) return accounts.token(who.token_hash).value_or(std::nullopt).has_value();
    const auto session = accounts.session(who.session_hash).value_or(std::nullopt);
    const auto user = session ? accounts.user(session->user) : Result<registry::User>();
    return session && user && user->enabled;
}

Result<Principal> authenticate(const net::HttpRequest& request, registry::Accounts& accounts,
                               const Clock& clock) {
    const auto header = request.header("authorization");
    if (header.empty()) {
        const auto cookie = session_cookie(request);
        if (!cookie.empty() && cookie.size() <= kTokenBytesMax)
            return of_session(request, cookie, accounts, clock);
        return fail(Errc::Unauthorized, "an access token is required: Authorization: Bearer TOKEN");
    }
    const auto blank = header.find(' ');
    if (blank == std::string_view::npos || !is_bearer(header.substr(0, blank))) {
        return fail(Errc::Unauthorized, "the Authorization header must be: Bearer TOKEN");
    }
    const auto token = header.substr(blank + 1);
    if (token.empty() || token.size() > kTokenBytesMax) {
        return fail(Errc::Unauthorized, "the access token is not known here");
    }
    const auto found = FIELDWATCH_TRY(accounts.token(hex(sha256(as_bytes(token)))));
    if (!found) return fail(Errc::Unauthorized, "the access token is not known here");
    if (found->expires && *found->expires <= clock.now()) {
        return fail(Errc::Unauthorized, "the access token expired at " + to_iso8601(*found->expires, 0));
    }
    const auto role = token_role_from(found->role);
    if (!role) return fail(Errc::Internal, "token " + found->name + " has the unknown role " + found->role);
    return Principal{.name = found->name,
                     .role = *role,
                     .hubs = found->hubs,
                     .session_hash = {},
                     .token_hash = found->hash_hex,
                     .expires = found->expires};
}

}  // namespace fieldwatch::portal
