#include "portal/access.hpp"

#include <array>
#include <utility>

#include "base/bytes.hpp"
#include "base/hash.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::array kRoles{std::pair{Role::Reader, std::string_view{"reader"}},
                            std::pair{Role::Analyst, std::string_view{"analyst"}},
                            std::pair{Role::Operator, std::string_view{"operator"}},
                            std::pair{Role::Administrator, std::string_view{"administrator"}}};
constexpr std::size_t kTokenBytesMax = 512;  ///< ours have 43 characters

bool is_bearer(std::string_view scheme) {
    return scheme == "Bearer" || scheme == "bearer" || scheme == "BEARER";
}

}  // namespace

std::optional<Role> role_from(std::string_view name) {
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

Result<Principal> authenticate(const net::HttpRequest& request, registry::Registry& registry,
                               const Clock& clock) {
    const auto header = request.header("authorization");
    if (header.empty()) {
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
    const auto found = FIELDWATCH_TRY(registry.token_by_hash(hex(sha256(as_bytes(token)))));
    if (!found) return fail(Errc::Unauthorized, "the access token is not known here");
    if (found->expires && *found->expires <= clock.now()) {
        return fail(Errc::Unauthorized, "the access token expired at " + to_iso8601(*found->expires, 0));
    }
    const auto role = role_from(found->role);
    if (!role) return fail(Errc::Internal, "token " + found->name + " has the unknown role " + found->role);
    return Principal{.name = found->name, .role = *role};
}

}  // namespace fieldwatch::portal
