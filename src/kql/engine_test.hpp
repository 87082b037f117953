// The engine that tests of the compiler run their queries on, and how they print what comes out.
#pragma once

#include <string>

#include <duckdb.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kql/engine_functions.hpp"
#include "kql/kql.hpp"

namespace fieldwatch::kql {

/// An in-memory database that runs what the compiler makes.
class Engine {
  public:
    Engine() {
        duckdb_open(nullptr, &database_);
        duckdb_connect(database_, &connection_);
        execute("SET threads = 1");
        for (const auto& function : engine_functions())
            make_known(function);
        make_concat_known();
        execute("CREATE MACRO kql_within(t) AS t");  // its bounds are tested in the workspace
        execute("CREATE MACRO kql_room(bytes) AS bytes");
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
    void make_known(const EngineFunction& function) {
        auto text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
        auto made = duckdb_create_scalar_function();
        duckdb_scalar_function_set_name(made, function.name);
        duckdb_scalar_function_add_parameter(made, text);
        duckdb_scalar_function_set_return_type(made, text);
        duckdb_scalar_function_set_extra_info(made, const_cast<EngineFunction*>(&function), nullptr);
        duckdb_scalar_function_set_function(made, compute);
        EXPECT_EQ(duckdb_register_scalar_function(connection_, made), DuckDBSuccess) << function.name;
        duckdb_destroy_scalar_function(&made);
        duckdb_destroy_logical_type(&text);
    }
    static void compute(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
        const auto& function =
            *static_cast<const EngineFunction*>(duckdb_scalar_function_get_extra_info(info));
        const auto texts = duckdb_data_chunk_get_vector(input, 0);
        auto* values = static_cast<duckdb_string_t*>(duckdb_vector_get_data(texts));
        duckdb_vector_ensure_validity_writable(output);
        for (idx_t row = 0; row < duckdb_data_chunk_get_size(input); ++row) {
            const auto* known = duckdb_vector_get_validity(texts);
            std::optional<std::string> answer;
            if (known == nullptr || (known[row / 64] >> row % 64 & 1) != 0)
                answer = function.compute(
                    {duckdb_string_t_data(&values[row]), duckdb_string_t_length(values[row])});
            if (answer)
                duckdb_vector_assign_string_element_len(output, row, answer->data(), answer->size());
            else
                duckdb_validity_set_row_invalid(duckdb_vector_get_validity(output), row);
        }
    }
    void make_concat_known() {
        auto text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
        auto made = duckdb_create_scalar_function();
        duckdb_scalar_function_set_name(made, kConcat);
        duckdb_scalar_function_set_varargs(made, text);
        duckdb_scalar_function_set_return_type(made, text);
        duckdb_scalar_function_set_function(made, concat);
        EXPECT_EQ(duckdb_register_scalar_function(connection_, made), DuckDBSuccess);
        duckdb_destroy_scalar_function(&made);
        duckdb_destroy_logical_type(&text);
    }
    static void concat(duckdb_function_info, duckdb_data_chunk input, duckdb_vector output) {
        duckdb_vector_ensure_validity_writable(output);
        for (idx_t row = 0; row < duckdb_data_chunk_get_size(input); ++row) {
            std::string joined;
            bool whole = true;
            for (idx_t i = 0; i < duckdb_data_chunk_get_column_count(input); ++i) {
                const auto part = duckdb_data_chunk_get_vector(input, i);
                const auto* known = duckdb_vector_get_validity(part);
                auto* value = static_cast<duckdb_string_t*>(duckdb_vector_get_data(part)) + row;
                if (known != nullptr && (known[row / 64] >> row % 64 & 1) == 0)
                    whole = false;
                else
                    joined.append(duckdb_string_t_data(value), duckdb_string_t_length(*value));
            }
            if (whole)
                duckdb_vector_assign_string_element_len(output, row, joined.data(), joined.size());
            else
                duckdb_validity_set_row_invalid(duckdb_vector_get_validity(output), row);
        }
    }
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
