// The identity provider as this server talks to it: discovery (OpenID Connect Discovery 1.0), its keys, and a
// code for a token (RFC 6749 section 4.1.3, RFC 7636). Internal to portal.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "portal/oidc/id_token.hpp"
#include "portal/oidc/keys.hpp"
#include "portal/oidc/settings.hpp"

namespace fieldwatch::portal::oidc {

/// What one attempt to sign in is known by. All of it follows from the secret of a cookie that only the
/// browser which began has: nothing waits here for people who never come back.
struct Attempt {
    explicit Attempt(std::string_view cookie);
    std::string state, nonce;
    std::string verifier;   ///< RFC 7636 section 4.1
    std::string challenge;  ///< S256 of it
};

/// Any thread; asks the provider from the thread that calls, 10 s at most a request. What it publishes is
/// kept for an hour, and its keys asked for again when a token names one that is not known, once in 30 s.
class Provider {
  public:
    explicit Provider(const Clock& clock) : clock_(clock) {}

    /// Where the browser is sent. Errors: Unavailable, Malformed: the provider's documents.
    Result<std::string> authorization_address(const Settings& settings, const Attempt& attempt);
    /// Who signed in. Errors: Unauthorized, with what was wrong; Unavailable; Exhausted while others are
    /// asked for, of whom there are at most kAtOnce.
    Result<Json> redeem(const Settings& settings, const Attempt& attempt, std::string_view code);
    /// Discovery and keys, anew; how many keys there are.
    Result<std::size_t> try_out(const Settings& settings);

    static constexpr int kAtOnce = 2;  ///< a stranger can cause these: they may not take every worker

  private:
    struct Documents {
        std::string issuer;
        std::string authorization, token, keys, user_info;
        bool secret_in_body = false;  ///< the provider takes it there only
        Timestamp read;
    };
    struct Keys {
        std::string address;
        KeySet set;
        Timestamp read;
        Timestamp read_again{};  ///< for a key that was not among them; ticks 0 = never
    };
    Result<Documents> discover(const Settings& settings);
    Result<Documents> documents(const Settings& settings);
    Result<KeySet> keys(const Settings& settings, const Documents& documents, bool again);
    Result<std::string> verified(const Settings& settings, const Documents& documents,
                                 std::string_view token);
    Result<Json> exchange(const Settings& settings, const Documents& documents, const Attempt& attempt,
                          std::string_view code) const;
    Result<Json> with_user_info(const Settings& settings, const Documents& documents, Json claims,
                                const Json& tokens) const;

    const Clock& clock_;
    std::mutex mutex_;  ///< of the two below; never held while the provider is asked
    std::optional<Documents> documents_;
    std::optional<Keys> keys_;
    std::atomic<int> redeeming_{0};
};

}  // namespace fieldwatch::portal::oidc
