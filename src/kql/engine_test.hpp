// The engine that tests of the compiler run their queries on, and how they print what comes out.
#pragma once

#include <string>

#include <duckdb.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kql/kql.hpp"

namespace fieldwatch::kql {

/// An in-memory database that runs what the compiler makes.
class Engine {
  public:
    Engine() {
        duckdb_open(nullptr, &database_);
        duckdb_connect(database_, &connection_);
        execute("SET threads = 1");
    }
    ~Engine() {
        duckdb_disconnect(&connection_);
        duckdb_close(&database_);
    }
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    void execute(const std::string& sql) {
        duckdb_result result;
        if (duckdb_query(connection_, sql.c_str(), &result) != DuckDBSuccess)
            ADD_FAILURE() << duckdb_result_error(&result);
        duckdb_destroy_result(&result);
    }

    /// Header with types, then a row a line; or the engine's error, which a golden file must never hold.
    std::string run(const CompiledQuery& query) {
        duckdb_prepared_statement statement = nullptr;
        std::string out;
        if (duckdb_prepare(connection_, query.sql.c_str(), &statement) != DuckDBSuccess) {
            out = fmt::format("ENGINE {}\n{}\n", duckdb_prepare_error(statement), query.sql);
            duckdb_destroy_prepare(&statement);
            return out;
        }
        for (std::size_t i = 0; i < query.parameters.size(); ++i) {
            const auto& text = std::get<std::string>(query.parameters[i]);
            duckdb_bind_varchar_length(statement, i + 1, text.data(), text.size());
        }
        duckdb_result result;
        if (duckdb_execute_prepared(statement, &result) != DuckDBSuccess) {
            out = fmt::format("ENGINE {}\n{}\n", duckdb_result_error(&result), query.sql);
        } else {
            for (const auto& column : query.columns)
                out += fmt::format("{}{}:{}", out.empty() ? "" : "\t", column.name, to_string(column.type));
            out += '\n';
            for (idx_t row = 0; row < duckdb_row_count(&result); ++row) {
                for (idx_t column = 0; column < query.columns.size(); ++column)
                    out += (column ? "\t" : "") + cell(result, column, row, query.columns[column].type);
                out += '\n';
            }
        }
        duckdb_destroy_result(&result);
        duckdb_destroy_prepare(&statement);
        return out;
    }

  private:
    static std::string cell(duckdb_result& result, idx_t column, idx_t row, ColumnType type) {
        if (duckdb_value_is_null(&result, column, row))
            return type == ColumnType::String ? "NULL STRING" : "null";
        if (type == ColumnType::DateTime)
            return to_iso8601({duckdb_value_int64(&result, column, row) - kUnixEpochTicks});
        if (type == ColumnType::Real)
            return fmt::format("{:.10g}", duckdb_value_double(&result, column, row));
        char* text = duckdb_value_varchar(&result, column, row);
        std::string out = text;
        duckdb_free(text);
        if (type == ColumnType::TimeSpan) out += " ticks";
        return out;
    }

    duckdb_database database_ = nullptr;
    duckdb_connection connection_ = nullptr;
};

}  // namespace fieldwatch::kql
