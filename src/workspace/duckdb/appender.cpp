#include "workspace/duckdb/appender.hpp"

#include <bit>

#include "base/bytes.hpp"

namespace fieldwatch::workspace {
namespace {

duckdb_type type_of(Storage storage) {
    switch (storage) {
        case Storage::Text:
            return DUCKDB_TYPE_VARCHAR;
        case Storage::Ticks:
        case Storage::Integer:
            return DUCKDB_TYPE_BIGINT;
        case Storage::Real:
            return DUCKDB_TYPE_DOUBLE;
        case Storage::Flag:
            return DUCKDB_TYPE_BOOLEAN;
        case Storage::Uuid:
            return DUCKDB_TYPE_UUID;
    }
    return DUCKDB_TYPE_INVALID;
}

/// Every byte that begins no whole UTF-8 sequence becomes U+FFFD.
std::string mended(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        std::size_t length = std::min<std::size_t>(text.size(), 4);
        while (length > 0 && !is_utf8(text.substr(0, length)))
            --length;
        out += length == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

}  // namespace

Appender::Appender(std::string name, Owned<duckdb_appender, duckdb_appender_destroy> appender, Chunk chunk,
                   std::size_t columns)
    : name_(std::move(name)), chunk_(std::move(chunk)), appender_(std::move(appender)) {
    for (std::size_t column = 0; column < columns; ++column) {
        vectors_.push_back(duckdb_data_chunk_get_vector(chunk_.get(), column));
    }
}

Result<Appender> Appender::create(Connection& connection, const std::string& name,
                                  std::span<const StoredColumn> columns) {
    Owned<duckdb_appender, duckdb_appender_destroy> appender;
    if (duckdb_appender_create(connection.get(), nullptr, name.c_str(), appender.out()) != DuckDBSuccess) {
        const char* message = appender ? duckdb_appender_error(appender.get()) : nullptr;
        return fail(Errc::Internal, message ? message : "no appender for " + name);
    }
    std::vector<LogicalType> types;
    std::vector<duckdb_logical_type> handles;
    for (const auto& column : columns) {
        types.emplace_back(duckdb_create_logical_type(type_of(column.storage)));
        handles.push_back(types.back().get());
    }
    Chunk chunk(duckdb_create_data_chunk(handles.data(), handles.size()));
    return Appender(name, std::move(appender), std::move(chunk), handles.size());
}

void Appender::text(std::size_t column, std::string_view value) {
    if (!is_utf8(value)) {
        const auto good = mended(value);
        duckdb_vector_assign_string_element_len(vectors_[column], row_, good.data(), good.size());
        return;
    }
    duckdb_vector_assign_string_element_len(vectors_[column], row_, value.data(), value.size());
}
void Appender::integer(std::size_t column, std::int64_t value) {
    cell<std::int64_t>(column) = value;
}
void Appender::real(std::size_t column, double value) {
    cell<double>(column) = value;
}
void Appender::flag(std::size_t column, bool value) {
    cell<bool>(column) = value;
}
void Appender::uuid(std::size_t column, const Hash128& value) {
    // The engine keeps a UUID as a signed 128-bit number with the top bit flipped, so that it sorts as text.
    cell<duckdb_hugeint>(column) = {value.low,
                                    std::bit_cast<std::int64_t>(value.high ^ (std::uint64_t{1} << 63))};
}
void Appender::uuid(std::size_t column, const Uuid& value) {
    Hash128 number{};
    for (std::size_t i = 0; i < 8; ++i) {
        number.high = number.high << 8 | value.bytes[i];
        number.low = number.low << 8 | value.bytes[8 + i];
    }
    uuid(column, number);
}
void Appender::null(std::size_t column) {
    duckdb_vector_ensure_validity_writable(vectors_[column]);
    duckdb_validity_set_row_invalid(duckdb_vector_get_validity(vectors_[column]), row_);
}

Result<void> Appender::end_row() {
    if (++row_ < duckdb_vector_size()) return {};
    return flush();
}

Result<void> Appender::flush() {
    if (row_ == 0) return {};
    duckdb_data_chunk_set_size(chunk_.get(), row_);
    if (duckdb_append_data_chunk(appender_.get(), chunk_.get()) != DuckDBSuccess) {
        return fail(Errc::Internal, duckdb_appender_error(appender_.get()));
    }
    duckdb_data_chunk_reset(chunk_.get());
    row_ = 0;
    return {};
}

Result<void> Appender::finish() {
    FIELDWATCH_TRY(flush());
    if (duckdb_appender_flush(appender_.get()) != DuckDBSuccess) {
        return fail(Errc::Internal, duckdb_appender_error(appender_.get()));
    }
    return {};
}

}  // namespace fieldwatch::workspace
