#include "workspace/duckdb/engine_functions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

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

/// kConcat: the bytes of all rows are counted before the first is made. What is null makes its row null.
void run_concat(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
    std::vector<duckdb_vector> parts(duckdb_data_chunk_get_column_count(input));
    for (idx_t i = 0; i < parts.size(); ++i)
        parts[i] = duckdb_data_chunk_get_vector(input, i);
    const auto known = [&](idx_t row) {
        return std::ranges::all_of(parts, [row](duckdb_vector part) {
            auto* const validity = duckdb_vector_get_validity(part);
            return validity == nullptr || duckdb_validity_row_is_valid(validity, row);
        });
    };
    const auto rows = duckdb_data_chunk_get_size(input);
    kql::Room room;
    for (idx_t row = 0; row < rows; ++row) {
        if (!known(row)) continue;
        std::uint64_t bytes = 0;
        for (const auto part : parts)
            bytes += text_at(part, row).size();
        if (const auto* refused = room.take(bytes)) return duckdb_scalar_function_set_error(info, refused);
    }
    duckdb_vector_ensure_validity_writable(output);
    auto* const answered = duckdb_vector_get_validity(output);
    std::string joined;
    for (idx_t row = 0; row < rows; ++row) {
        if (!known(row)) {
            duckdb_validity_set_row_invalid(answered, row);
            continue;
        }
        joined.clear();
        for (const auto part : parts)
            joined += text_at(part, row);
        duckdb_vector_assign_string_element_len(output, row, joined.data(), joined.size());
    }
}

/// kWithin: the vector itself. A text that many rows share is there once.
void run_within(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
    const auto texts = duckdb_data_chunk_get_vector(input, 0);
    auto* const known = duckdb_vector_get_validity(texts);
    const auto rows = duckdb_data_chunk_get_size(input);
    kql::Room room;
    const char* last = nullptr;
    for (idx_t row = 0; row < rows; ++row) {
        if (known != nullptr && !duckdb_validity_row_is_valid(known, row)) continue;
        const auto text = text_at(texts, row);
        if (std::exchange(last, text.data()) == text.data()) continue;
        if (const auto* refused = room.take(text.size()))
            return duckdb_scalar_function_set_error(info, refused);
    }
    duckdb_vector_reference_vector(output, texts);
}

void run_room(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
    const auto numbers = duckdb_data_chunk_get_vector(input, 0);
    auto* const known = duckdb_vector_get_validity(numbers);
    const auto* const bytes = static_cast<const std::int64_t*>(duckdb_vector_get_data(numbers));
    const auto rows = duckdb_data_chunk_get_size(input);
    kql::Room room;
    for (idx_t row = 0; row < rows; ++row) {
        if (known != nullptr && !duckdb_validity_row_is_valid(known, row)) continue;
        if (const auto* refused =
                room.take(static_cast<std::uint64_t>(std::max<std::int64_t>(bytes[row], 0))))
            return duckdb_scalar_function_set_error(info, refused);
    }
    duckdb_vector_reference_vector(output, numbers);
}

/// One of those that look at all rows of a call: `of` is the type of its arguments and of its answer.
Result<void> register_bound(duckdb_connection connection, const char* name, duckdb_type of,
                            duckdb_scalar_function_t run) {
    const LogicalType type(duckdb_create_logical_type(of));
    const Owned<duckdb_scalar_function, duckdb_destroy_scalar_function> function(
        duckdb_create_scalar_function());
    duckdb_scalar_function_set_name(function.get(), name);
    if (run == run_concat)
        duckdb_scalar_function_set_varargs(function.get(), type.get());
    else
        duckdb_scalar_function_add_parameter(function.get(), type.get());
    duckdb_scalar_function_set_return_type(function.get(), type.get());
    duckdb_scalar_function_set_function(function.get(), run);
    if (duckdb_register_scalar_function(connection, function.get()) != DuckDBSuccess)
        return fail(Errc::Internal, fmt::format("the engine does not take the function {}", name));
    return {};
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
    FIELDWATCH_TRY(register_bound(connection, kql::kConcat, DUCKDB_TYPE_VARCHAR, run_concat));
    FIELDWATCH_TRY(register_bound(connection, kql::kWithin, DUCKDB_TYPE_VARCHAR, run_within));
    return register_bound(connection, kql::kRoom, DUCKDB_TYPE_BIGINT, run_room);
}

}  // namespace fieldwatch::workspace
