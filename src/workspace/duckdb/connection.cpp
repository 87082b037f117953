#include "workspace/duckdb/connection.hpp"

#include <fmt/format.h>

#include <array>

#include "base/log.hpp"
#include "workspace/duckdb/engine_functions.hpp"

namespace fieldwatch::workspace {
namespace {

using Pending = Owned<duckdb_pending_result, duckdb_destroy_pending>;

Errc code_of(duckdb_error_type type) {
    switch (type) {
        case DUCKDB_ERROR_TRANSACTION:
            return Errc::Conflict;
        case DUCKDB_ERROR_INTERRUPT:
            return Errc::Cancelled;
        case DUCKDB_ERROR_OUT_OF_MEMORY:
            return Errc::Exhausted;
        case DUCKDB_ERROR_IO:
            return Errc::Io;
        case DUCKDB_ERROR_SERIALIZATION:
            return Errc::Corrupt;
        default:
            return Errc::Internal;
    }
}

Result<Rows> checked(duckdb_result result, duckdb_state state) {
    if (state == DuckDBSuccess) return Rows(result);
    const char* message = duckdb_result_error(&result);
    auto error = fail(code_of(duckdb_result_error_type(&result)), message ? message : "the engine failed");
    duckdb_destroy_result(&result);
    return error;
}

duckdb_state bind(duckdb_prepared_statement statement, idx_t place, const Parameter& value) {
    struct Binder {
        duckdb_prepared_statement statement;
        idx_t place;
        duckdb_state operator()(std::monostate) const { return duckdb_bind_null(statement, place); }
        duckdb_state operator()(bool flag) const { return duckdb_bind_boolean(statement, place, flag); }
        duckdb_state operator()(std::int64_t number) const {
            return duckdb_bind_int64(statement, place, number);
        }
        duckdb_state operator()(double number) const { return duckdb_bind_double(statement, place, number); }
        duckdb_state operator()(std::string_view text) const {
            return duckdb_bind_varchar_length(statement, place, text.data(), text.size());
        }
    };
    return std::visit(Binder{statement, place}, value);
}

Result<void> bind_all(const Prepared& statement, std::span<const Parameter> parameters) {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (bind(statement.get(), i + 1, parameters[i]) != DuckDBSuccess) {
            return fail(Errc::Internal, fmt::format("parameter {} does not fit its statement", i + 1));
        }
    }
    return {};
}

Result<void> set(duckdb_config config, const char* name, const std::string& value) {
    if (duckdb_set_config(config, name, value.c_str()) == DuckDBSuccess) return {};
    return fail(Errc::Unsupported, fmt::format("DuckDB does not know the setting {}", name));
}

std::string doubled(std::string_view text, char quote) {
    std::string out(1, quote);
    for (const char c : text) {
        if (c == quote) out += quote;
        out += c;
    }
    return out += quote;
}

}  // namespace

std::string quote_name(std::string_view name) {
    return doubled(name, '"');
}
std::string quote_literal(std::string_view text) {
    return doubled(text, '\'');
}

Result<Chunk> Rows::next() {
    Chunk chunk(duckdb_fetch_chunk(result_));
    if (!chunk) {
        if (const char* message = duckdb_result_error(&result_); message && *message) {
            return fail(code_of(duckdb_result_error_type(&result_)), message);
        }
    }
    return chunk;
}

ColumnView::ColumnView(const Chunk& chunk, std::size_t column) {
    const auto vector = duckdb_data_chunk_get_vector(chunk.get(), column);
    const LogicalType type(duckdb_vector_get_column_type(vector));
    type_ = duckdb_get_type_id(type.get());
    data_ = duckdb_vector_get_data(vector);
    validity_ = duckdb_vector_get_validity(vector);
}

bool ColumnView::is_null(std::size_t row) const {
    return validity_ != nullptr && !duckdb_validity_row_is_valid(validity_, row);
}

std::string_view ColumnView::text(std::size_t row) const {
    auto value = static_cast<const duckdb_string_t*>(data_)[row];
    const auto* owner = &static_cast<const duckdb_string_t*>(data_)[row];
    // Short strings lie inside the cell itself: the view must point there, not into a copy.
    if (duckdb_string_is_inlined(value)) return {owner->value.inlined.inlined, owner->value.inlined.length};
    return {owner->value.pointer.ptr, owner->value.pointer.length};
}

std::int64_t ColumnView::any_integer(std::size_t row) const {
    switch (type_) {
        case DUCKDB_TYPE_TINYINT:
            return static_cast<const std::int8_t*>(data_)[row];
        case DUCKDB_TYPE_UTINYINT:
            return static_cast<const std::uint8_t*>(data_)[row];
        case DUCKDB_TYPE_SMALLINT:
            return static_cast<const std::int16_t*>(data_)[row];
        case DUCKDB_TYPE_USMALLINT:
            return static_cast<const std::uint16_t*>(data_)[row];
        case DUCKDB_TYPE_INTEGER:
            return static_cast<const std::int32_t*>(data_)[row];
        case DUCKDB_TYPE_UINTEGER:
            return static_cast<const std::uint32_t*>(data_)[row];
        case DUCKDB_TYPE_BIGINT:
        case DUCKDB_TYPE_UBIGINT:
            return integer(row);
        case DUCKDB_TYPE_HUGEINT:
            return static_cast<std::int64_t>(static_cast<const duckdb_hugeint*>(data_)[row].lower);
        default:
            return 0;
    }
}

Result<Prepared> Connection::prepare(const std::string& sql) {
    Prepared statement;
    if (duckdb_prepare(connection_.get(), sql.c_str(), statement.out()) == DuckDBSuccess) return statement;
    const char* message = statement ? duckdb_prepare_error(statement.get()) : nullptr;
    const std::string sentence = message ? message : "the engine refused a statement";
    // The C API gives no code for a failed prepare; the engine's sentences begin with their kind.
    const bool conflict = sentence.starts_with("TransactionContext Error");
    const bool interrupted = sentence.starts_with("INTERRUPT Error");
    return fail(conflict ? Errc::Conflict : interrupted ? Errc::Cancelled : Errc::Internal, sentence);
}

Result<Rows> Connection::execute(const std::string& sql, std::span<const Parameter> parameters) {
    const auto statement = FIELDWATCH_TRY(prepare(sql));
    FIELDWATCH_TRY(bind_all(statement, parameters));
    duckdb_result result{};
    const auto state = duckdb_execute_prepared(statement.get(), &result);
    return checked(result, state);
}

Result<Rows> Connection::execute_kept(const std::string& sql, std::initializer_list<Parameter> parameters) {
    auto found = kept_.find(sql);
    if (found == kept_.end()) found = kept_.emplace(sql, FIELDWATCH_TRY(prepare(sql))).first;
    FIELDWATCH_TRY(bind_all(found->second, {parameters.begin(), parameters.size()}));
    duckdb_result result{};
    const auto state = duckdb_execute_prepared(found->second.get(), &result);
    return checked(result, state);
}

Result<Rows> Connection::stream(const std::string& sql, std::span<const Parameter> parameters) {
    const auto statement = FIELDWATCH_TRY(prepare(sql));
    FIELDWATCH_TRY(bind_all(statement, parameters));
    Pending pending;
    if (duckdb_pending_prepared_streaming(statement.get(), pending.out()) != DuckDBSuccess) {
        const char* message = duckdb_pending_error(pending.get());
        return fail(Errc::Internal, message ? message : "the engine refused a statement");
    }
    duckdb_result result{};
    const auto state = duckdb_execute_pending(pending.get(), &result);
    return checked(result, state);
}
Result<void> Connection::run(const std::string& sql, std::initializer_list<Parameter> parameters) {
    FIELDWATCH_TRY(execute(sql, parameters));
    return {};
}

Result<std::optional<std::int64_t>> Connection::integer(const std::string& sql,
                                                        std::initializer_list<Parameter> parameters) {
    auto rows = FIELDWATCH_TRY(execute(sql, parameters));
    const auto chunk = FIELDWATCH_TRY(rows.next());
    if (!chunk || duckdb_data_chunk_get_size(chunk.get()) == 0) return std::nullopt;
    const ColumnView cell(chunk, 0);
    if (cell.is_null(0)) return std::nullopt;
    return cell.any_integer(0);
}

Result<std::optional<std::string>> Connection::text(const std::string& sql,
                                                    std::initializer_list<Parameter> parameters) {
    auto rows = FIELDWATCH_TRY(execute(sql, parameters));
    const auto chunk = FIELDWATCH_TRY(rows.next());
    if (!chunk || duckdb_data_chunk_get_size(chunk.get()) == 0) return std::nullopt;
    const ColumnView cell(chunk, 0);
    if (cell.is_null(0) || cell.type() != DUCKDB_TYPE_VARCHAR) return std::nullopt;
    return std::string(cell.text(0));
}

Result<Transaction> Transaction::begin(Connection& connection) {
    FIELDWATCH_TRY(connection.execute_kept("BEGIN TRANSACTION"));
    return Transaction(&connection);
}
Transaction::~Transaction() {
    if (connection_ == nullptr) return;
    if (const auto done = connection_->run("ROLLBACK"); !done) {
        log::debug("workspace", done.error().message);  // the engine had already rolled back
    }
}
Result<void> Transaction::commit() {
    auto* connection = std::exchange(connection_, nullptr);
    FIELDWATCH_TRY(connection->execute_kept("COMMIT"));
    return {};
}

Result<Database> Database::open(const std::string& path, const DatabaseLimits& limits) {
    if (duckdb_library_version() != kDuckdbVersion) {
        return fail(Errc::Unsupported, fmt::format("the DuckDB library is {}, this program needs {}",
                                                   duckdb_library_version(), kDuckdbVersion));
    }
    Owned<duckdb_config, duckdb_destroy_config> config;
    if (duckdb_create_config(config.out()) != DuckDBSuccess)
        return fail(Errc::Internal, "no DuckDB configuration");
    // Nothing is fetched, loaded or written outside the directory, and no statement can change that.
    for (const auto& [name, value] : std::array<std::pair<const char*, std::string>, 8>{{
             {"autoinstall_known_extensions", "false"},
             {"autoload_known_extensions", "false"},
             {"allow_community_extensions", "false"},
             {"threads", std::to_string(limits.threads_max)},
             {"external_threads",
              std::to_string(limits.own_threads ? 1 : limits.threads_max)},  // query_helpers.hpp
             {"memory_limit", fmt::format("{}MiB", limits.memory_bytes_max >> 20)},
             {"temp_directory", limits.directory.empty() ? "" : limits.directory + "/temporary"},
             {"checkpoint_threshold", "256MiB"},  // maintain() checkpoints long before: never inside a commit
         }}) {
        FIELDWATCH_TRY(set(config.get(), name, value));
    }
    duckdb_database handle = nullptr;
    char* message = nullptr;
    if (duckdb_open_ext(path.empty() ? nullptr : path.c_str(), &handle, config.get(), &message) !=
        DuckDBSuccess) {
        auto error = fail(Errc::Io, message ? message : "the database does not open");
        duckdb_free(message);
        return error;
    }
    Database database(handle);
    auto connection = FIELDWATCH_TRY(database.connect());
    FIELDWATCH_TRY(register_engine_functions(connection.get()));
    FIELDWATCH_TRY(register_without_name(connection.get()));
    if (!limits.directory.empty()) {
        FIELDWATCH_TRY(connection.run("SET allowed_directories = [" + quote_literal(limits.directory) + "]"));
    }
    // Sealed files never change: their footers are read once, not for every query.
    FIELDWATCH_TRY(connection.run("SET parquet_metadata_cache = true"));
    FIELDWATCH_TRY(connection.run("SET enable_external_access = false"));
    FIELDWATCH_TRY(connection.run("SET lock_configuration = true"));
    return database;
}

Result<Connection> Database::connect() const {
    duckdb_connection connection = nullptr;
    if (duckdb_connect(database_.get(), &connection) != DuckDBSuccess) {
        return fail(Errc::Unavailable, "DuckDB gives no connection");
    }
    return Connection(connection);
}

}  // namespace fieldwatch::workspace
