#include "registry/sqlite.hpp"

#include <sqlite3.h>

#include <utility>

#include "base/assert.hpp"

namespace fieldwatch::registry {

namespace {

std::unexpected<Error> sqlite_error(sqlite3* database, int code) {
    const auto extended = database != nullptr ? sqlite3_extended_errcode(database) : code;
    auto errc = Errc::Io;
    switch (code & 0xff) {
        case SQLITE_CONSTRAINT:
            errc = extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY
                       ? Errc::AlreadyExists
                       : Errc::Conflict;
            break;
        case SQLITE_FULL:
            errc = Errc::Exhausted;
            break;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            errc = Errc::Unavailable;
            break;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            errc = Errc::Corrupt;
            break;
        case SQLITE_TOOBIG:
            errc = Errc::TooLarge;
            break;
        default:
            break;
    }
    return fail(errc, std::string("registry database: ") +
                          (database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code)));
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      keyring_(other.keyring_) {}

Statement::~Statement() {
    if (statement_ == nullptr) return;
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
}

Result<bool> Statement::step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return sqlite_error(database_, code);
}

Result<void> Statement::run() {
    while (FIELDWATCH_TRY(step())) {
    }
    return {};
}

std::string Statement::text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    if (data == nullptr) return {};
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}
std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}
bool Statement::is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
ByteView Statement::blob(int column) const {
    const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Result<std::string> Statement::secret(int column, std::string_view place) const {
    FIELDWATCH_ASSERT(keyring_ != nullptr);
    if (sqlite3_column_type(statement_, column) == SQLITE_BLOB) return keyring_->unseal(place, blob(column));
    auto out = text(column);
    if (!out.empty()) return fail(Errc::Corrupt, "a secret of the registry is not sealed");
    return out;
}

Result<void> Statement::bind(int index, std::string_view value) {
    // A null pointer would be NULL; an empty text is not.
    const auto* data = value.data() != nullptr ? value.data() : "";
    const int code =
        sqlite3_bind_text64(statement_, index, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    if (code != SQLITE_OK) return sqlite_error(database_, code);
    return {};
}
Result<void> Statement::bind(int index, std::int64_t value) {
    const int code = sqlite3_bind_int64(statement_, index, value);
    if (code != SQLITE_OK) return sqlite_error(database_, code);
    return {};
}
Result<void> Statement::bind(int index, ByteView value) {
    const int code = sqlite3_bind_blob64(statement_, index, value.data(), value.size(), SQLITE_TRANSIENT);
    if (code != SQLITE_OK) return sqlite_error(database_, code);
    return {};
}
Result<void> Statement::bind(int index, std::optional<std::int64_t> value) {
    if (value) return bind(index, *value);
    const int code = sqlite3_bind_null(statement_, index);
    if (code != SQLITE_OK) return sqlite_error(database_, code);
    return {};
}

Result<void> Statement::bind(int index, const Secret& secret) {
    if (secret.text.empty()) return bind(index, std::string_view());
    FIELDWATCH_ASSERT(keyring_ != nullptr);
    const auto sealed = keyring_->seal(secret.place, secret.text);
    return bind(index, ByteView(sealed));
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, Mode mode) {
    sqlite3* database = nullptr;
    const int flags = (mode == Mode::ReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) |
                      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int code = sqlite3_open_v2(path.c_str(), &database, flags, nullptr);
    std::unique_ptr<Connection> out(new Connection(database));
    if (code != SQLITE_OK) return sqlite_error(database, code);
    sqlite3_busy_timeout(database, 5'000);
    FIELDWATCH_TRY(out->execute("PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;"));
    if (mode == Mode::ReadWrite) {
        FIELDWATCH_TRY(out->execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"));
    }
    return out;
}

Connection::~Connection() {
    for (const auto& [sql, statement] : statements_)
        sqlite3_finalize(statement);
    sqlite3_close(database_);
}

Result<void> Connection::execute(const std::string& sql) {
    const int code = sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return sqlite_error(database_, code);
    return {};
}

Result<Statement> Connection::prepare(std::string_view sql) {
    if (const auto found = statements_.find(sql); found != statements_.end()) {
        return Statement(database_, found->second, keyring_.get());
    }
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return sqlite_error(database_, code);
    statements_.emplace(sql, statement);
    return Statement(database_, statement, keyring_.get());
}

std::int64_t Connection::changed_rows() const {
    return sqlite3_changes64(database_);
}

}  // namespace fieldwatch::registry
