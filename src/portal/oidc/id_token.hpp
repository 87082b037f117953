// What a provider says of a person, checked (OpenID Connect Core 1.0 section 3.1.3.7), and which user with
// which role that makes. Pure. Internal to portal.
#pragma once

#include <string>
#include <string_view>

#include "base/time.hpp"
#include "portal/oidc/settings.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal::oidc {

struct Wanted {
    std::string_view issuer, client_id, nonce;
    Timestamp now;
};
/// The claims of an ID token whose signature is good. Errors: Malformed, Unauthorized, saying which claim.
Result<Json> checked_claims(std::string_view text, const Wanted& wanted);

struct Person {
    std::string name;
    std::string role;
};
/// Errors: InvalidArgument for a name that no user can have, Forbidden for somebody whom no group gives a
/// role.
Result<Person> person_of(const Settings& settings, const Json& claims);
/// The groups that `claims` names: a member, or one inside objects (`realm_access.roles`); empty = none.
std::vector<std::string> groups_of(const Json& claims, std::string_view member);

/// What the registry keeps instead of a password: who this is at the provider, and nobody's password.
std::string mark_of(std::string_view issuer, std::string_view subject);

}  // namespace fieldwatch::portal::oidc
