// DuckDB's C API with owners: what is opened is closed, and every failure is an Error. Only this folder names
// the engine.
#pragma once

#include <duckdb.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/result.hpp"

namespace fieldwatch::workspace {

inline constexpr std::string_view kDuckdbVersion = "v1.4.4";

/// Calls Destroy on a handle of the C API when it goes.
template <class Handle, auto Destroy>
class Owned {
  public:
    Owned() = default;
    explicit Owned(Handle handle) : handle_(handle) {}
    Owned(Owned&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Owned& operator=(Owned&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~Owned() {
        if (handle_ != nullptr) Destroy(&handle_);
    }
    Handle get() const { return handle_; }
    Handle* out() { return &handle_; }  ///< for functions that fill it
    explicit operator bool() const { return handle_ != nullptr; }

  private:
    Handle handle_ = nullptr;
};

using Chunk = Owned<duckdb_data_chunk, duckdb_destroy_data_chunk>;
using Prepared = Owned<duckdb_prepared_statement, duckdb_destroy_prepare>;
using LogicalType = Owned<duckdb_logical_type, duckdb_destroy_logical_type>;

/// A value for a `?` of a statement. Views live until execute() returns.
using Parameter = std::variant<std::monostate, bool, std::int64_t, double, std::string_view>;

/// What a statement gave: chunks, one at a time. One thread.
class Rows {
  public:
    explicit Rows(duckdb_result result) : result_(result) {}
    Rows(Rows&& other) noexcept : result_(std::exchange(other.result_, duckdb_result{})) {}
    Rows& operator=(Rows&& other) noexcept {
        std::swap(result_, other.result_);
        return *this;
    }
    ~Rows() { duckdb_destroy_result(&result_); }

    /// The next chunk; empty when there are no more. Errors: as Connection::execute.
    Result<Chunk> next();
    std::size_t column_count() { return duckdb_column_count(&result_); }
    std::string_view column_name(std::size_t column) { return duckdb_column_name(&result_, column); }
    duckdb_type column_type(std::size_t column) { return duckdb_column_type(&result_, column); }
    std::uint64_t changed() { return duckdb_rows_changed(&result_); }

  private:
    duckdb_result result_{};
};

/// One column of a chunk, read in place. Valid as long as the chunk.
class ColumnView {
  public:
    ColumnView(const Chunk& chunk, std::size_t column);
    bool is_null(std::size_t row) const;
    bool flag(std::size_t row) const { return static_cast<const bool*>(data_)[row]; }
    std::int64_t integer(std::size_t row) const { return static_cast<const std::int64_t*>(data_)[row]; }
    double real(std::size_t row) const { return static_cast<const double*>(data_)[row]; }
    std::string_view text(std::size_t row) const;
    /// Any number column as 64 bits; 0 for other types.
    std::int64_t any_integer(std::size_t row) const;
    duckdb_type type() const { return type_; }
    const void* data() const { return data_; }

  private:
    duckdb_type type_;
    const void* data_;
    std::uint64_t* validity_;
};

/// One session. One thread at a time, but for interrupt().
class Connection {
  public:
    Connection() = default;
    explicit Connection(duckdb_connection connection) : connection_(connection) {}

    /// Runs one statement and waits. Errors: Conflict when another transaction was first, Cancelled when
    /// interrupted, Exhausted out of memory, Io, Internal otherwise, with the engine's sentence.
    Result<Rows> execute(const std::string& sql, std::span<const Parameter> parameters = {});
    Result<Rows> execute(const std::string& sql, std::initializer_list<Parameter> parameters) {
        return execute(sql, std::span(parameters.begin(), parameters.size()));
    }
    /// As execute, but the rows are made while they are read: memory stays bounded.
    Result<Rows> stream(const std::string& sql, std::span<const Parameter> parameters);
    /// As execute, with the plan kept for the next time: for the few statements that every commit runs.
    Result<Rows> execute_kept(const std::string& sql, std::initializer_list<Parameter> parameters = {});
    /// A statement that gives nothing.
    Result<void> run(const std::string& sql, std::initializer_list<Parameter> parameters = {});
    /// The only cell of the only row; nullopt when there is no row or it is null.
    Result<std::optional<std::int64_t>> integer(const std::string& sql,
                                                std::initializer_list<Parameter> parameters = {});
    Result<std::optional<std::string>> text(const std::string& sql,
                                            std::initializer_list<Parameter> parameters = {});
    /// Makes the statement that runs now fail with Cancelled. Any thread.
    void interrupt() { duckdb_interrupt(connection_.get()); }
    duckdb_connection get() const { return connection_.get(); }

  private:
    Result<Prepared> prepare(const std::string& sql);

    Owned<duckdb_connection, duckdb_disconnect> connection_;
    std::map<std::string, Prepared, std::less<>> kept_;  // goes before the connection
};

/// A transaction that rolls back unless it was committed.
class Transaction {
  public:
    static Result<Transaction> begin(Connection& connection);
    Transaction(Transaction&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    Result<void> commit();

  private:
    explicit Transaction(Connection* connection) : connection_(connection) {}
    Connection* connection_;
};

struct DatabaseLimits {
    std::string directory;  ///< the only one that files may be read from and written to; "" = in memory
    std::size_t memory_bytes_max = 0;
    unsigned threads_max = 1;  ///< that work on a statement at once: its caller's and query helpers
    bool own_threads = false;  ///< the engine has the others itself, and no helpers are needed
};

/// One open database file. Any thread.
class Database {
  public:
    /// `path` "" is a database in memory. Errors: Unsupported for another version of the library, Corrupt or
    /// Io.
    static Result<Database> open(const std::string& path, const DatabaseLimits& limits);
    Result<Connection> connect() const;
    duckdb_database get() const { return database_.get(); }

  private:
    explicit Database(duckdb_database database) : database_(database) {}
    Owned<duckdb_database, duckdb_close> database_;
};

std::string quote_name(std::string_view name);     ///< "a ""b"""
std::string quote_literal(std::string_view text);  ///< 'it''s'

}  // namespace fieldwatch::workspace
