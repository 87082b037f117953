// Rows into a table, a vector at a time: the fast way in. Belongs to one connection and its transaction.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.hpp"
#include "base/time.hpp"
#include "base/uuid.hpp"
#include "workspace/duckdb/connection.hpp"
#include "workspace/table.hpp"

namespace fieldwatch::workspace {

/// Ticks of the store and of KQL (since 0001-01-01) at 1970-01-01.
inline constexpr std::int64_t kTicksAtUnixEpoch = 621'355'968'000'000'000;
constexpr std::int64_t stored_ticks(Timestamp time) {
    return time.ticks + kTicksAtUnixEpoch;
}
/// The other way.
constexpr Timestamp time_of_stored(std::int64_t ticks) {
    return {.ticks = ticks - kTicksAtUnixEpoch};
}

/// Fill every stored column of a row by its position (tables::X::Stored), then end_row(); finish() before the
/// transaction ends: the appender may then be used in the connection's next one. One that holds rows when it
/// goes gives them to whatever transaction is open, so after a failure it must go before its transaction.
class Appender {
  public:
    /// `columns` are those of the table `name`, in order.
    static Result<Appender> create(Connection& connection, const std::string& name,
                                   std::span<const StoredColumn> columns);

    /// Text that is not UTF-8 is stored with its bad bytes replaced by U+FFFD: the engine assumes UTF-8.
    void text(std::size_t column, std::string_view value);
    void time(std::size_t column, Timestamp value) { integer(column, stored_ticks(value)); }
    void integer(std::size_t column, std::int64_t value);
    void real(std::size_t column, double value);
    void flag(std::size_t column, bool value);
    void uuid(std::size_t column, const Hash128& value);
    void uuid(std::size_t column, const Uuid& value);
    void null(std::size_t column);
    /// Errors: Conflict, Exhausted, Io, Internal.
    Result<void> end_row();
    Result<void> finish();
    const std::string& name() const { return name_; }  ///< of the table

  private:
    Appender(std::string name, Owned<duckdb_appender, duckdb_appender_destroy> appender, Chunk chunk,
             std::size_t columns);
    Result<void> flush();
    template <class T>
    T& cell(std::size_t column) {
        return static_cast<T*>(duckdb_vector_get_data(vectors_[column]))[row_];
    }

    std::string name_;
    Chunk chunk_;
    Owned<duckdb_appender, duckdb_appender_destroy> appender_;  // goes before the chunk
    std::vector<duckdb_vector> vectors_;
    std::size_t row_ = 0;
};

}  // namespace fieldwatch::workspace
