// SQLite as Results: connections, cached statements, transactions, and values that are sealed on their way to
// the file. Nothing of the registry's own tables here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "registry/keyring.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace fieldwatch::registry {

/// A text that never comes to the file as it is: sealed under the present master key, for this place alone
/// (place_of). The empty text is no secret and stays empty.
struct Secret {
    std::string_view text;
    std::string_view place;
};

/// A bound statement of one connection's cache; reset when this goes. One at a time per text and connection.
class Statement {
  public:
    Statement(sqlite3* database, sqlite3_stmt* statement, const Keyring* keyring)
        : database_(database), statement_(statement), keyring_(keyring) {}
    Statement(Statement&& other) noexcept;
    Statement& operator=(Statement&&) = delete;
    ~Statement();

    /// True while there is a row. Errors: AlreadyExists (unique), Conflict (other constraints), Exhausted
    /// (disk full), Unavailable (busy), Corrupt, Io.
    Result<bool> step();
    Result<void> run();  ///< to the end

    std::string text(int column) const;
    std::int64_t integer(int column) const;
    std::uint64_t count(int column) const { return static_cast<std::uint64_t>(integer(column)); }
    bool flag(int column) const { return integer(column) != 0; }
    bool is_null(int column) const;
    ByteView blob(int column) const;  ///< valid until the next step
    /// What was bound as a Secret of this place. Errors: Unavailable, Corrupt.
    Result<std::string> secret(int column, std::string_view place) const;

    Result<void> bind(int index, std::string_view value);
    Result<void> bind(int index, std::int64_t value);
    Result<void> bind(int index, std::uint64_t value) {
        return bind(index, static_cast<std::int64_t>(value));
    }
    Result<void> bind(int index, bool value) { return bind(index, std::int64_t{value}); }
    Result<void> bind(int index, const std::string& value) { return bind(index, std::string_view(value)); }
    Result<void> bind(int index, const char* value) { return bind(index, std::string_view(value)); }
    Result<void> bind(int index, ByteView value);
    Result<void> bind(int index, std::optional<std::int64_t> value);
    Result<void> bind(int index, const Secret& secret);

  private:
    sqlite3* database_;
    sqlite3_stmt* statement_;
    const Keyring* keyring_;  // the connection's
};

/// One connection. One thread at a time.
class Connection {
  public:
    enum class Mode { ReadWrite, ReadOnly };
    static Result<std::unique_ptr<Connection>> open(const std::string& path, Mode mode);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// What secrets are sealed with and opened by from now on.
    void use(std::shared_ptr<const Keyring> keyring) { keyring_ = std::move(keyring); }
    const std::shared_ptr<const Keyring>& keyring() const { return keyring_; }

    /// Runs statements without parameters or rows.
    Result<void> execute(const std::string& sql);

    /// Prepares (once per text) and binds in order.
    template <class... Values>
    Result<Statement> query(std::string_view sql, const Values&... values) {
        auto statement = FIELDWATCH_TRY(prepare(sql));
        int index = 0;
        Result<void> bound;
        ((bound = bound ? statement.bind(++index, values) : bound), ...);
        FIELDWATCH_TRY(std::move(bound));
        return statement;
    }
    /// The same, run to the end. Returns how many rows changed.
    template <class... Values>
    Result<std::int64_t> change(std::string_view sql, const Values&... values) {
        auto statement = FIELDWATCH_TRY(query(sql, values...));
        FIELDWATCH_TRY(statement.run());
        return changed_rows();
    }

  private:
    explicit Connection(sqlite3* database) : database_(database) {}
    Result<Statement> prepare(std::string_view sql);
    std::int64_t changed_rows() const;

    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    sqlite3* database_;
    std::shared_ptr<const Keyring> keyring_;
    std::unordered_map<std::string, sqlite3_stmt*, TextHash, std::equal_to<>> statements_;
};

}  // namespace fieldwatch::registry
