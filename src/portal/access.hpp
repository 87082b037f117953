// Who asks, and what they may: bearer tokens and browser sessions of the registry, four roles.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "net/http.hpp"
#include "registry/accounts.hpp"

namespace fieldwatch::portal {

/// Each role may what the ones before it may: readers see, analysts query, operators dismiss alerts and
/// enable or disable devices, administrators change everything and see keys. Public = no token asked. A
/// forwarder stands beside that ladder: it hands in records of a hub and may nothing else, and of the others
/// the administrator alone may what it may (ADR 0176).
enum class Role : std::uint8_t { Public, Forwarder, Reader, Analyst, Operator, Administrator };
std::optional<Role> role_from(std::string_view name);        ///< of people: "reader" … "administrator"
std::optional<Role> token_role_from(std::string_view name);  ///< of programs: "forwarder" too
std::string_view to_string(Role role);
/// Whether who has a role may what asks for another.
bool suffices(Role has, Role asked);

struct Principal {
    std::string name;
    Role role = Role::Public;
    std::vector<std::string> hubs;  ///< what a token is for; empty = every hub, and the server itself
    std::string session_hash;       ///< of a browser's session; "" = a token
    std::string token_hash = {};    ///< "" = a session
    std::optional<Timestamp> expires = std::nullopt;  ///< of either; nullopt = never
};

/// The cookie of a browser's session, and the header that must come with it on every request that changes
/// something: a page of another site can make a browser send the first, and never the second.
inline constexpr std::string_view kSessionCookie = "fieldwatch_session";
inline constexpr std::string_view kCsrfHeader = "x-fieldwatch-csrf";
std::string cookie_of(const net::HttpRequest& request, std::string_view name);  ///< "" = none
std::string session_cookie(const net::HttpRequest& request);                    ///< "" = none
/// Whether the page that asks, when the browser says which (RFC 6454 section 7), is this server's.
bool from_our_page(const net::HttpRequest& request);
std::string csrf_of(std::string_view cookie);       ///< what kCsrfHeader must say
std::string session_hash(std::string_view cookie);  ///< what the registry keeps of it

/// The principal behind `Authorization: Bearer …` (RFC 6750 section 2.1), or else behind the session's
/// cookie. The registry holds SHA-256 of both, in hex. Errors: Unauthorized; Forbidden for a cookie without
/// kCsrfHeader on a request that changes something.
Result<Principal> authenticate(const net::HttpRequest& request, registry::Accounts& accounts,
                               const Clock& clock);

/// Whether that session or token still lets in: for what outlives the request that it came with.
bool still_known(const Principal& who, registry::Accounts& accounts, const Clock& clock);

}  // namespace fieldwatch::portal
