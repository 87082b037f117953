// Who may use the product: people with passwords, the sessions they have opened, tokens of programs. In the
// registry's file, on a connection of its own: these change seldom, and nothing of them goes into the log by
// itself. What a role may is the portal's business.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwatch::registry {

struct User {
    std::string name;  ///< 1 to 64 of letters, digits and . _ @ -
    /// argon2id in its own text form (RFC 9106), never the password; or `external:` and who this is at an
    /// identity provider, which no password fits.
    std::string password_hash;
    std::string role;  ///< reader, analyst, operator, administrator
    bool enabled = true;
    Timestamp created, password_changed;

    bool is_external() const { return password_hash.starts_with("external:"); }
};

/// What of a user is to be another; what is not named stays, whatever somebody else makes of it meanwhile.
struct UserChange {
    std::optional<std::string> role, password_hash;
    std::optional<bool> enabled;
    Timestamp password_changed{};  ///< with password_hash
    /// The change is made only while this is the user's password: who proved to know the one before.
    std::optional<std::string> if_password_hash = std::nullopt;
};

/// What a browser's cookie stands for. The cookie itself is not kept.
struct LoginSession {
    std::string hash_hex;  ///< SHA-256 of the cookie
    std::string user;
    Timestamp created, expires;
};

/// A person's second factor: what an app on a telephone shares with us (RFC 6238).
struct SecondFactor {
    std::string user;
    std::string secret_hex;
    bool confirmed = false;          ///< asked for at signing in, once the person has shown to have it
    std::int64_t last_step = 0;      ///< of the newest code that was taken: none up to it is taken again
    std::size_t recovery_codes = 0;  ///< that are left
};

struct Token {
    std::string name;
    std::string hash_hex;  ///< SHA-256 of the token
    std::string role;
    std::optional<Timestamp> expires;
    std::vector<std::string> hubs;  ///< what it is for; empty = all, and the server itself
};

/// Any thread; short and blocking. A call returns when its change is durable.
class Accounts {
  public:
    static constexpr std::size_t kUsersMax = 10'000;
    static constexpr std::size_t kSessionsPerUserMax = 16;  ///< the oldest goes

    virtual ~Accounts() = default;
    /// Errors: AlreadyExists, InvalidArgument, Exhausted.
    virtual Result<void> add(const User& user) = 0;
    virtual Result<User> user(std::string_view name) = 0;  ///< Errors: NotFound
    virtual Result<std::vector<User>> users() = 0;         ///< by name
    /// The user as it is then, whose sessions end in the same transaction. Errors: NotFound, InvalidArgument,
    /// Conflict when the password is not `if_password_hash` any more.
    virtual Result<User> change(std::string_view name, const UserChange& change) = 0;
    virtual Result<void> remove_user(std::string_view name) = 0;

    virtual Result<void> open_session(const LoginSession& session) = 0;  ///< those that expired go
    virtual Result<std::optional<LoginSession>> session(std::string_view hash_hex) = 0;
    virtual Result<void> end_session(std::string_view hash_hex) = 0;  ///< nothing when there is none

    virtual Result<std::optional<SecondFactor>> second_factor(std::string_view user) = 0;
    /// In the place of one that was never confirmed. Errors: NotFound; AlreadyExists for a confirmed one.
    virtual Result<void> begin_second_factor(std::string_view user, std::string_view secret_hex) = 0;
    /// `secret_hex` is the one that a code was shown of, `hashes` SHA-256 of the recovery codes in hex. The
    /// user's sessions end but `session_hash`. Errors: Conflict when another was begun, or confirmed,
    /// meanwhile.
    virtual Result<void> confirm_second_factor(std::string_view user, std::string_view secret_hex,
                                               std::int64_t step, const std::vector<std::string>& hashes,
                                               std::string_view session_hash) = 0;
    /// Takes the code of this step, or a recovery code, for good; false = it was taken before, or is none.
    virtual Result<bool> take_step(std::string_view user, std::int64_t step) = 0;
    virtual Result<bool> take_recovery_code(std::string_view user, std::string_view hash_hex) = 0;
    virtual Result<void> remove_second_factor(std::string_view user) = 0;  ///< Errors: NotFound

    /// Errors: AlreadyExists, InvalidArgument.
    virtual Result<void> add(const Token& token) = 0;
    virtual Result<std::optional<Token>> token(std::string_view hash_hex) = 0;
    virtual Result<std::vector<Token>> tokens() = 0;               ///< by name
    virtual Result<void> remove_token(std::string_view name) = 0;  ///< Errors: NotFound
};

/// `path` is a registry that open() has opened before: its schema is the present one.
Result<std::unique_ptr<Accounts>> open_accounts(const std::string& path);

/// Writes all of a registry, as it is at one moment, into the new file `to`, while others read and write.
Result<void> copy_registry(const std::string& path, const std::string& to);

}  // namespace fieldwatch::registry
