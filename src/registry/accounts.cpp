#include "registry/accounts.hpp"

#include <algorithm>
#include <mutex>

#include "base/bytes.hpp"
#include "registry/sealing.hpp"
#include "registry/sqlite.hpp"

namespace fieldwatch::registry {

namespace {

constexpr std::string_view kSelectAccounts =
    "SELECT name, password, role, enabled, created, password_changed FROM users ";
constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kHashBytesMax = 512;

bool is_role(std::string_view role) {
    return role == "reader" || role == "analyst" || role == "operator" || role == "administrator";
}

Result<void> check(const User& user) {
    const bool good_name =
        !user.name.empty() && user.name.size() <= kNameBytesMax && std::ranges::all_of(user.name, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   std::string_view("._@-").find(c) != std::string_view::npos;
        });
    if (!good_name)
        return fail(Errc::InvalidArgument, "a user's name has 1 to 64 letters, digits and . _ @ -");
    if (!is_role(user.role))
        return fail(Errc::InvalidArgument, "a role is reader, analyst, operator or administrator");
    const bool kept_well = user.password_hash.starts_with("$argon2id$") || user.is_external();
    if (!kept_well || user.password_hash.size() > kHashBytesMax)
        return fail(Errc::InvalidArgument, "a password is kept as argon2id, and not otherwise");
    return {};
}

User user_of(const Statement& row) {
    return {.name = row.text(0),
            .password_hash = row.text(1),
            .role = row.text(2),
            .enabled = row.flag(3),
            .created = Timestamp{row.integer(4)},
            .password_changed = Timestamp{row.integer(5)}};
}

Result<User> load_user(Connection& database, std::string_view name) {
    auto row = FIELDWATCH_TRY(database.query(std::string(kSelectAccounts) + "WHERE name = ?", name));
    if (!FIELDWATCH_TRY(row.step())) return fail(Errc::NotFound, "there is no user " + std::string(name));
    return user_of(row);
}

Token token_of(const Statement& row) {
    Token token{.name = row.text(0), .hash_hex = row.text(1), .role = row.text(2), .expires = {}, .hubs = {}};
    if (!row.is_null(3)) token.expires = Timestamp{row.integer(3)};
    const auto list = row.text(4);
    for (std::size_t at = 0; at < list.size();) {
        const auto end = std::min(list.find(',', at), list.size());
        token.hubs.push_back(list.substr(at, end - at));
        at = end + 1;
    }
    return token;
}

std::string place_of_secret(std::string_view user) {
    return place_of("second_factors.secret", {user});
}

Result<std::optional<SecondFactor>> load_second_factor(Connection& database, std::string_view user) {
    auto row = FIELDWATCH_TRY(database.query(
        "SELECT secret, confirmed, last_step, (SELECT count(*) FROM recovery_codes r WHERE r.user = f.user) "
        "FROM second_factors f WHERE user = ?",
        user));
    if (!FIELDWATCH_TRY(row.step())) return std::optional<SecondFactor>();
    return std::optional(SecondFactor{.user = std::string(user),
                                      .secret_hex = FIELDWATCH_TRY(row.secret(0, place_of_secret(user))),
                                      .confirmed = row.flag(1),
                                      .last_step = row.integer(2),
                                      .recovery_codes = row.count(3)});
}

Result<void> check(const Token& token) {
    if (token.name.empty() || token.name.size() > 128 || token.hash_hex.size() != 64 ||
        !from_hex(token.hash_hex))
        return fail(Errc::InvalidArgument, "a token has a name and the SHA-256 of its text in hex");
    if (!is_role(token.role) && token.role != "forwarder")
        return fail(Errc::InvalidArgument,
                    "a token's role is forwarder, reader, analyst, operator or administrator");
    return {};
}

class SqliteAccounts final : public Accounts {
  public:
    explicit SqliteAccounts(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

    Result<void> add(const User& user) override {
        FIELDWATCH_TRY(check(user));
        return write([&](Connection& c) -> Result<void> {
            auto count = FIELDWATCH_TRY(c.query("SELECT count(*) FROM users"));
            static_cast<void>(FIELDWATCH_TRY(count.step()));
            if (count.count(0) >= kUsersMax) return fail(Errc::Exhausted, "there are 10,000 users already");
            static_cast<void>(FIELDWATCH_TRY(c.change("INSERT INTO users VALUES(?, ?, ?, ?, ?, ?)", user.name,
                                                      user.password_hash, user.role, user.enabled,
                                                      user.created.ticks, user.password_changed.ticks)));
            return {};
        });
    }

    Result<User> user(std::string_view name) override {
        return read<User>([&](Connection& c) { return load_user(c, name); });
    }

    Result<std::vector<User>> users() override {
        using Out = std::vector<User>;
        return read<Out>([](Connection& c) -> Result<Out> {
            auto rows = FIELDWATCH_TRY(c.query(std::string(kSelectAccounts) + "ORDER BY name"));
            Out out;
            while (FIELDWATCH_TRY(rows.step()))
                out.push_back(user_of(rows));
            return out;
        });
    }

    Result<User> change(std::string_view name, const UserChange& change) override {
        User user;
        const auto done = write([&](Connection& c) -> Result<void> {
            user = FIELDWATCH_TRY(load_user(c, name));
            if (change.if_password_hash && *change.if_password_hash != user.password_hash)
                return fail(Errc::Conflict, "the password was changed meanwhile");
            user.role = change.role.value_or(user.role);
            user.enabled = change.enabled.value_or(user.enabled);
            if (change.password_hash) {
                user.password_hash = *change.password_hash;
                user.password_changed = change.password_changed;
            }
            FIELDWATCH_TRY(check(user));
            static_cast<void>(FIELDWATCH_TRY(c.change(
                "UPDATE users SET password = ?, role = ?, enabled = ?, password_changed = ? WHERE name = ?",
                user.password_hash, user.role, user.enabled, user.password_changed.ticks, user.name)));
            static_cast<void>(FIELDWATCH_TRY(c.change("DELETE FROM sessions WHERE user = ?", user.name)));
            return {};
        });
        if (!done) return std::unexpected(done.error());
        return user;
    }

    Result<void> remove_user(std::string_view name) override {
        return write([&](Connection& c) -> Result<void> {
            if (FIELDWATCH_TRY(c.change("DELETE FROM users WHERE name = ?", name)) == 0)
                return fail(Errc::NotFound, "there is no user " + std::string(name));
            return {};  // the user's sessions go with it
        });
    }

    Result<void> open_session(const LoginSession& session) override {
        return write([&](Connection& c) -> Result<void> {
            static_cast<void>(
                FIELDWATCH_TRY(c.change("DELETE FROM sessions WHERE expires <= ?", session.created.ticks)));
            static_cast<void>(FIELDWATCH_TRY(c.change(
                "DELETE FROM sessions WHERE user = ? AND hash NOT IN (SELECT hash FROM sessions WHERE "
                "user = ? ORDER BY created DESC, hash LIMIT ?)",
                session.user, session.user, static_cast<std::int64_t>(kSessionsPerUserMax - 1))));
            static_cast<void>(
                FIELDWATCH_TRY(c.change("INSERT INTO sessions VALUES(?, ?, ?, ?)", session.hash_hex,
                                        session.user, session.created.ticks, session.expires.ticks)));
            return {};
        });
    }

    Result<std::optional<LoginSession>> session(std::string_view hash_hex) override {
        using Out = std::optional<LoginSession>;
        return read<Out>([&](Connection& c) -> Result<Out> {
            auto row = FIELDWATCH_TRY(
                c.query("SELECT hash, user, created, expires FROM sessions WHERE hash = ?", hash_hex));
            if (!FIELDWATCH_TRY(row.step())) return Out{};
            return Out{{.hash_hex = row.text(0),
                        .user = row.text(1),
                        .created = Timestamp{row.integer(2)},
                        .expires = Timestamp{row.integer(3)}}};
        });
    }

    Result<void> end_session(std::string_view hash_hex) override {
        return write([&](Connection& c) -> Result<void> {
            static_cast<void>(FIELDWATCH_TRY(c.change("DELETE FROM sessions WHERE hash = ?", hash_hex)));
            return {};
        });
    }

    Result<std::optional<SecondFactor>> second_factor(std::string_view user) override {
        using Out = std::optional<SecondFactor>;
        return read<Out>([&](Connection& c) { return load_second_factor(c, user); });
    }
    Result<void> begin_second_factor(std::string_view user, std::string_view secret_hex) override {
        return write([&](Connection& c) -> Result<void> {
            static_cast<void>(FIELDWATCH_TRY(load_user(c, user)));
            const auto before = FIELDWATCH_TRY(load_second_factor(c, user));
            if (before && before->confirmed)
                return fail(Errc::AlreadyExists, "there is a second factor: take it away first");
            static_cast<void>(FIELDWATCH_TRY(c.change(
                "INSERT INTO second_factors VALUES(?, ?, 0, 0) ON CONFLICT(user) DO UPDATE SET secret = "
                "excluded.secret",
                user, Secret{secret_hex, place_of_secret(user)})));
            return {};
        });
    }
    Result<void> confirm_second_factor(std::string_view user, std::string_view secret_hex, std::int64_t step,
                                       const std::vector<std::string>& hashes,
                                       std::string_view session_hash) override {
        return write([&](Connection& c) -> Result<void> {
            const auto begun = FIELDWATCH_TRY(load_second_factor(c, user));
            if (!begun || begun->confirmed || !equal_constant_time(begun->secret_hex, secret_hex))
                return fail(Errc::Conflict, "another second factor was begun meanwhile");
            static_cast<void>(FIELDWATCH_TRY(c.change(
                "UPDATE second_factors SET confirmed = 1, last_step = ? WHERE user = ?", step, user)));
            for (const auto& hash : hashes)
                static_cast<void>(
                    FIELDWATCH_TRY(c.change("INSERT INTO recovery_codes VALUES(?, ?)", user, hash)));
            static_cast<void>(FIELDWATCH_TRY(
                c.change("DELETE FROM sessions WHERE user = ? AND hash <> ?", user, session_hash)));
            return {};
        });
    }
    Result<bool> take_step(std::string_view user, std::int64_t step) override {
        return taken(
            "UPDATE second_factors SET last_step = ? WHERE user = ? AND confirmed = 1 AND last_step < ?",
            step, user, step);
    }
    Result<bool> take_recovery_code(std::string_view user, std::string_view hash_hex) override {
        return taken("DELETE FROM recovery_codes WHERE user = ? AND hash = ?", user, hash_hex);
    }
    Result<void> remove_second_factor(std::string_view user) override {
        return write([&](Connection& c) -> Result<void> {
            if (FIELDWATCH_TRY(c.change("DELETE FROM second_factors WHERE user = ?", user)) == 0)
                return fail(Errc::NotFound, std::string(user) + " has no second factor");
            static_cast<void>(FIELDWATCH_TRY(c.change("DELETE FROM sessions WHERE user = ?", user)));
            return {};  // its recovery codes go with it
        });
    }

    Result<void> add(const Token& token) override {
        FIELDWATCH_TRY(check(token));
        std::string hubs;
        for (const auto& hub : token.hubs)
            hubs += (hubs.empty() ? "" : ",") + hub;
        std::optional<std::int64_t> expires;
        if (token.expires) expires = token.expires->ticks;
        return write([&](Connection& c) -> Result<void> {
            static_cast<void>(FIELDWATCH_TRY(c.change("INSERT INTO tokens VALUES(?, ?, ?, ?, ?)", token.name,
                                                      token.hash_hex, token.role, expires, hubs)));
            return {};
        });
    }

    Result<std::optional<Token>> token(std::string_view hash_hex) override {
        using Out = std::optional<Token>;
        return read<Out>([&](Connection& c) -> Result<Out> {
            auto row = FIELDWATCH_TRY(
                c.query("SELECT name, hash, role, expires, hubs FROM tokens WHERE hash = ?", hash_hex));
            if (!FIELDWATCH_TRY(row.step())) return Out{};
            return Out{token_of(row)};
        });
    }

    Result<std::vector<Token>> tokens() override {
        using Out = std::vector<Token>;
        return read<Out>([](Connection& c) -> Result<Out> {
            auto rows =
                FIELDWATCH_TRY(c.query("SELECT name, hash, role, expires, hubs FROM tokens ORDER BY name"));
            Out out;
            while (FIELDWATCH_TRY(rows.step()))
                out.push_back(token_of(rows));
            return out;
        });
    }

    Result<void> remove_token(std::string_view name) override {
        return write([&](Connection& c) -> Result<void> {
            if (FIELDWATCH_TRY(c.change("DELETE FROM tokens WHERE name = ?", name)) == 0)
                return fail(Errc::NotFound, "there is no token " + std::string(name));
            return {};
        });
    }

  private:
    template <class Out, class Work>
    Result<Out> read(const Work& work) {
        const std::lock_guard lock(mutex_);
        return work(*connection_);
    }
    /// One transaction; what failed is rolled back.
    template <class Work>
    Result<void> write(const Work& work) {
        const std::lock_guard lock(mutex_);
        FIELDWATCH_TRY(connection_->execute("BEGIN IMMEDIATE"));
        auto done = work(*connection_);
        if (done) done = connection_->execute("COMMIT");
        if (!done) static_cast<void>(connection_->execute("ROLLBACK"));
        return done;
    }

    /// Whether the one change found its row.
    template <class... Values>
    Result<bool> taken(std::string_view sql, const Values&... values) {
        bool found = false;
        const auto done = write([&](Connection& c) -> Result<void> {
            found = FIELDWATCH_TRY(c.change(sql, values...)) != 0;
            return {};
        });
        if (!done) return std::unexpected(done.error());
        return found;
    }

    std::mutex mutex_;  // one connection, one thread at a time
    const std::unique_ptr<Connection> connection_;
};

}  // namespace

Result<std::unique_ptr<Accounts>> open_accounts(const std::string& path) {
    return open_accounts(path, master_key_beside(path));
}

Result<std::unique_ptr<Accounts>> open_accounts(const std::string& path, const MasterKeyFile& key_file) {
    auto connection = FIELDWATCH_TRY(Connection::open(path, Connection::Mode::ReadWrite));
    auto keyring = FIELDWATCH_TRY(read_keyring(key_file));
    if (FIELDWATCH_TRY(sealing_state(path)).key_id != keyring.id())
        return fail(Errc::Conflict, key_file.path + " was changed while the registry was opened");
    connection->use(std::make_shared<const Keyring>(std::move(keyring)));
    return std::make_unique<SqliteAccounts>(std::move(connection));
}

Result<void> copy_registry(const std::string& path, const std::string& to) {
    const auto connection = FIELDWATCH_TRY(Connection::open(path, Connection::Mode::ReadOnly));
    auto copy = FIELDWATCH_TRY(connection->query("VACUUM INTO ?", to));
    return copy.run();
}

}  // namespace fieldwatch::registry
