// What signing in and changing what one signs in with share: proving to be a user, within bounds. Internal to
// portal.
#pragma once

#include <string>

#include "portal/context.hpp"
#include "registry/accounts.hpp"

namespace fieldwatch::portal {

/// What somebody shows: `code` of a second factor, or one of its recovery codes; "" = none.
struct Proof {
    std::string user, password, code;
};
struct Attempt {
    LoginGuard::Verdict verdict;
    Result<registry::User> user;  ///< of one that was admitted. Errors: Unauthorized; Exhausted
    bool code_wanted = false;     ///< all else was right
};
enum class Factors : std::uint8_t { Password, All };
/// Within the bounds of the guard; a code that fits is taken, and fits no more.
Attempt prove(const Context& context, const Call& call, const Proof& proof, Factors factors);

net::HttpResponse too_many_attempts();

/// Whether `code` is one of the user's second factor, or the user has none. A code is taken.
Result<bool> second_factor_fits(const Context& context, const std::string& user, const std::string& code);

struct OpenedSession {
    std::string cookie, set_cookie;  ///< the secret; the header that gives it to the browser
    Timestamp expires;
};
/// A new session of that user, in the place of the one that the browser had.
Result<OpenedSession> open_session(const Context& context, const Call& call, const std::string& user);
/// Into the activity log; `name` is never what somebody only typed.
void tell_sign_in(const Context& context, const Call& call, const std::string& name, int status);

std::vector<Route> second_factor_routes();
std::vector<Route> provider_routes();

}  // namespace fieldwatch::portal
