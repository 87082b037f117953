#include "workspace/duckdb/engine_functions.hpp"

#include <fmt/format.h>

#include "kql/engine_functions.hpp"
#include "workspace/duckdb/connection.hpp"
#include "workspace/purged_text.hpp"

namespace fieldwatch::workspace {
namespace {

/// One vector of texts in, one out; what is null stays null.
void run_engine_function(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
    const auto* function =
        static_cast<const kql::EngineFunction*>(duckdb_scalar_function_get_extra_info(info));
    const auto texts = duckdb_data_chunk_get_vector(input, 0);
    auto* const values = static_cast<duckdb_string_t*>(duckdb_vector_get_data(texts));
    auto* const known = duckdb_vector_get_validity(texts);
    duckdb_vector_ensure_validity_writable(output);
    auto* const answered = duckdb_vector_get_validity(output);
    const auto rows = duckdb_data_chunk_get_size(input);
    for (idx_t row = 0; row < rows; ++row) {
        std::optional<std::string> answer;
        if (known == nullptr || duckdb_validity_row_is_valid(known, row))
            answer =
                function->compute({duckdb_string_t_data(&values[row]), duckdb_string_t_length(values[row])});
        if (answer)
            duckdb_vector_assign_string_element_len(output, row, answer->data(), answer->size());
        else
            duckdb_validity_set_row_invalid(answered, row);
    }
}

/// One text of a vector; its vector is flat.
std::string_view text_at(duckdb_vector vector, idx_t row) {
    auto* const value = static_cast<duckdb_string_t*>(duckdb_vector_get_data(vector)) + row;
    return {duckdb_string_t_data(value), duckdb_string_t_length(*value)};
}

/// kWithoutName(text, name): the text itself where the name stands nowhere; null of null.
void run_without_name(duckdb_function_info, duckdb_data_chunk input, duckdb_vector output) {
    const auto texts = duckdb_data_chunk_get_vector(input, 0);
    const auto names = duckdb_data_chunk_get_vector(input, 1);
    auto* const known = duckdb_vector_get_validity(texts);
    duckdb_vector_ensure_validity_writable(output);
    auto* const answered = duckdb_vector_get_validity(output);
    const auto rows = duckdb_data_chunk_get_size(input);
    for (idx_t row = 0; row < rows; ++row) {
        if (known != nullptr && !duckdb_validity_row_is_valid(known, row)) {
            duckdb_validity_set_row_invalid(answered, row);
            continue;
        }
        const auto text = text_at(texts, row);
        const auto without = without_name(text, text_at(names, row));
        const auto& said = without ? std::string_view(*without) : text;
        duckdb_vector_assign_string_element_len(output, row, said.data(), said.size());
    }
}

}  // namespace

Result<void> register_without_name(duckdb_connection connection) {
    const LogicalType text(duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR));
    const Owned<duckdb_scalar_function, duckdb_destroy_scalar_function> function(
        duckdb_create_scalar_function());
    duckdb_scalar_function_set_name(function.get(), kWithoutName);
    duckdb_scalar_function_add_parameter(function.get(), text.get());
    duckdb_scalar_function_add_parameter(function.get(), text.get());
    duckdb_scalar_function_set_return_type(function.get(), text.get());
    duckdb_scalar_function_set_function(function.get(), run_without_name);
    if (duckdb_register_scalar_function(connection, function.get()) != DuckDBSuccess)
        return fail(Errc::Internal, fmt::format("the engine does not take the function {}", kWithoutName));
    return {};
}

Result<void> register_engine_functions(duckdb_connection connection) {
    const LogicalType text(duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR));
    for (const auto& one : kql::engine_functions()) {
        const Owned<duckdb_scalar_function, duckdb_destroy_scalar_function> function(
            duckdb_create_scalar_function());
        duckdb_scalar_function_set_name(function.get(), one.name);
        duckdb_scalar_function_add_parameter(function.get(), text.get());
        duckdb_scalar_function_set_return_type(function.get(), text.get());
        // The engine frees nothing: the table of functions is there as long as the program.
        duckdb_scalar_function_set_extra_info(function.get(), const_cast<kql::EngineFunction*>(&one),
                                              nullptr);
        duckdb_scalar_function_set_function(function.get(), run_engine_function);
        if (duckdb_register_scalar_function(connection, function.get()) != DuckDBSuccess)
            return fail(Errc::Internal, fmt::format("the engine does not take the function {}", one.name));
    }
    return {};
}

}  // namespace fieldwatch::workspace
