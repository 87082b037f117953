#include "workspace/duckdb/layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "workspace/tables.hpp"

namespace fieldwatch::workspace {
namespace {

constexpr const char* kBookkeeping[] = {
    "CREATE TABLE _Meta (name VARCHAR NOT NULL, value BIGINT NOT NULL)",
    "CREATE TABLE _Offset (partition BIGINT NOT NULL, next_offset BIGINT NOT NULL)",
    "CREATE TABLE _HotTable (name VARCHAR NOT NULL, table_name VARCHAR NOT NULL, period_start BIGINT NOT "
    "NULL)",
    "CREATE TABLE _Manifest (file VARCHAR NOT NULL, table_name VARCHAR NOT NULL, table_version BIGINT NOT "
    "NULL,"
    " period_start BIGINT NOT NULL, rows BIGINT NOT NULL, bytes BIGINT NOT NULL, time_min BIGINT NOT NULL,"
    " time_max BIGINT NOT NULL)",
    "CREATE TABLE _AlertState (id UUID NOT NULL, type VARCHAR NOT NULL, entity VARCHAR NOT NULL,"
    " hub VARCHAR NOT NULL, severity VARCHAR NOT NULL, status VARCHAR NOT NULL, changed BIGINT NOT NULL)",
    "CREATE TABLE _RecommendationState (id UUID NOT NULL, type VARCHAR NOT NULL, device VARCHAR NOT NULL,"
    " hub VARCHAR NOT NULL, severity VARCHAR NOT NULL, state VARCHAR NOT NULL, changed BIGINT NOT NULL)",
    "CREATE TABLE _Outbox (sequence BIGINT NOT NULL, kind VARCHAR NOT NULL, key VARCHAR NOT NULL,"
    " body VARCHAR NOT NULL)",
};

std::string_view sql_type(Storage storage) {
    switch (storage) {
        case Storage::Text:
            return "VARCHAR";
        case Storage::Ticks:
        case Storage::Integer:
            return "BIGINT";
        case Storage::Real:
            return "DOUBLE";
        case Storage::Flag:
            return "BOOLEAN";
        case Storage::Uuid:
            return "UUID";
    }
    return "VARCHAR";
}

std::string create_sql(const HotTable& hot) {
    std::string columns;
    for (const auto& column : hot.table->stored) {
        if (!columns.empty()) columns += ", ";
        columns += quote_name(column.name);
        columns += ' ';
        columns += sql_type(column.storage);
        if (!column.nullable) columns += " NOT NULL";
    }
    return fmt::format("CREATE TABLE {} ({})", quote_name(hot.name), columns);
}

/// Columns that a schema gained since the hot table was made.
Result<void> add_missing_columns(Connection& connection, const HotTable& hot) {
    for (const auto& column : hot.table->stored) {
        if (column.since == 1) continue;
        FIELDWATCH_TRY(connection.run(fmt::format("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {} DEFAULT {}",
                                                  quote_name(hot.name), quote_name(column.name),
                                                  sql_type(column.storage), column.default_sql)));
    }
    return {};
}

std::string replaced(std::string_view expression, const ViewConstants& constants) {
    std::string out(expression);
    const std::pair<std::string_view, const std::string*> names[] = {
        {"{workspace_id}", &constants.workspace_id},
        {"{subscription_id}", &constants.subscription_id},
        {"{resource_group}", &constants.resource_group},
        {"{region}", &constants.region}};
    for (const auto& [name, value] : names) {
        for (auto at = out.find(name); at != std::string::npos; at = out.find(name, at)) {
            const auto literal = quote_literal(*value);
            out.replace(at, name.size(), literal);
            at += literal.size();
        }
    }
    return out;
}

/// Stored columns of one part; what an older part lacks is its declared default.
std::string stored_list(const Table& table, unsigned version) {
    std::string out;
    for (const auto& column : table.stored) {
        if (!out.empty()) out += ", ";
        if (column.since > version) {
            out += fmt::format("CAST({} AS {}) AS ", column.default_sql, sql_type(column.storage));
        }
        out += quote_name(column.name);
    }
    return out;
}

std::string sealed_part(const Table& table, const std::vector<const SealedFile*>& files,
                        const std::string& directory, unsigned version) {
    std::string list;
    for (const auto* file : files) {
        if (!list.empty()) list += ", ";
        list += quote_literal(directory + "/" + file->file);
    }
    return fmt::format("SELECT {} FROM read_parquet([{}])", stored_list(table, version), list);
}

/// The condition that hides rows past their retention.
std::string not_before(std::int64_t oldest) {
    return fmt::format(" WHERE \"TimeGenerated\" >= {}", oldest);
}

constexpr StoredColumn kOffsetColumns[] = {{"partition", Storage::Integer, false, 1, ""},
                                           {"next_offset", Storage::Integer, false, 1, ""}};
constexpr StoredColumn kOutboxColumns[] = {{"sequence", Storage::Integer, false, 1, ""},
                                           {"kind", Storage::Text, false, 1, ""},
                                           {"key", Storage::Text, false, 1, ""},
                                           {"body", Storage::Text, false, 1, ""}};
constexpr StoredColumn kAlertStateColumns[] = {
    {"id", Storage::Uuid, false, 1, ""},       {"type", Storage::Text, false, 1, ""},
    {"entity", Storage::Text, false, 1, ""},   {"hub", Storage::Text, false, 1, ""},
    {"severity", Storage::Text, false, 1, ""}, {"status", Storage::Text, false, 1, ""},
    {"changed", Storage::Ticks, false, 1, ""}};
constexpr StoredColumn kRecommendationStateColumns[] = {
    {"id", Storage::Uuid, false, 1, ""},       {"type", Storage::Text, false, 1, ""},
    {"device", Storage::Text, false, 1, ""},   {"hub", Storage::Text, false, 1, ""},
    {"severity", Storage::Text, false, 1, ""}, {"state", Storage::Text, false, 1, ""},
    {"changed", Storage::Ticks, false, 1, ""}};

/// From version 1, whose states had a primary key. Its _Offset is also a valid one of version 2.
constexpr const char* kFromVersion1[] = {
    "CREATE TABLE _AlertState2 AS SELECT * FROM _AlertState",
    "DROP TABLE _AlertState",
    "ALTER TABLE _AlertState2 RENAME TO _AlertState",
    "CREATE TABLE _RecommendationState2 AS SELECT * FROM _RecommendationState",
    "DROP TABLE _RecommendationState",
    "ALTER TABLE _RecommendationState2 RENAME TO _RecommendationState",
};

}  // namespace

std::span<const StoredColumn> offset_columns() {
    return kOffsetColumns;
}
std::span<const StoredColumn> outbox_columns() {
    return kOutboxColumns;
}
std::span<const StoredColumn> alert_state_columns() {
    return kAlertStateColumns;
}
std::span<const StoredColumn> recommendation_state_columns() {
    return kRecommendationStateColumns;
}

const Table* table_named(std::string_view name) {
    const auto all = tables::all();
    const auto found = std::ranges::find(all, name, &Table::name);
    return found == all.end() ? nullptr : *found;
}

std::string hot_table_name(const Table& table, std::int64_t period_start) {
    return fmt::format("_Hot_{}_{}", table.name, period_start);
}

Result<void> prepare_database(Connection& connection) {
    const auto exists =
        FIELDWATCH_TRY(connection.integer("SELECT count(*) FROM duckdb_tables() WHERE table_name = '_Meta'"));
    auto transaction = FIELDWATCH_TRY(Transaction::begin(connection));
    if (exists.value_or(0) == 0) {
        for (const auto* sql : kBookkeeping)
            FIELDWATCH_TRY(connection.run(sql));
        FIELDWATCH_TRY(connection.run("INSERT INTO _Meta VALUES ('format_version', ?), ('outbox_done', 0)",
                                      {kFormatVersion}));
        return transaction.commit();
    }
    const auto version =
        FIELDWATCH_TRY(connection.integer("SELECT value FROM _Meta WHERE name = 'format_version'"));
    if (version.value_or(0) > kFormatVersion) {
        return fail(Errc::Unsupported,
                    fmt::format("the workspace has format {}, this program knows up to {}: use a newer one",
                                version.value_or(0), kFormatVersion));
    }
    const auto layout = FIELDWATCH_TRY(read_layout(connection));
    for (const auto& hot : layout.hot)
        FIELDWATCH_TRY(add_missing_columns(connection, hot));
    if (version.value_or(0) == 1) {
        for (const auto* sql : kFromVersion1)
            FIELDWATCH_TRY(connection.run(sql));
    }
    FIELDWATCH_TRY(
        connection.run("UPDATE _Meta SET value = ? WHERE name = 'format_version'", {kFormatVersion}));
    return transaction.commit();
}

Result<void> create_hot_table(Connection& connection, const HotTable& hot) {
    auto transaction = FIELDWATCH_TRY(Transaction::begin(connection));
    FIELDWATCH_TRY(connection.run(create_sql(hot)));
    FIELDWATCH_TRY(
        connection.run("INSERT INTO _HotTable VALUES (?, ?, ?)",
                       {std::string_view(hot.name), std::string_view(hot.table->name), hot.period_start}));
    return transaction.commit();
}

Result<void> add_to_manifest(Connection& connection, const SealedFile& sealed) {
    return connection.run("INSERT INTO _Manifest VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                          {std::string_view(sealed.file), std::string_view(sealed.table->name),
                           std::int64_t{sealed.table_version}, sealed.period_start, sealed.rows, sealed.bytes,
                           sealed.time_min, sealed.time_max});
}

Result<Layout> read_layout(Connection& connection) {
    Layout layout;
    auto hot = FIELDWATCH_TRY(
        connection.execute("SELECT name, table_name, period_start FROM _HotTable ORDER BY period_start"));
    for (;;) {
        const auto chunk = FIELDWATCH_TRY(hot.next());
        if (!chunk) break;
        const ColumnView name(chunk, 0), table(chunk, 1), start(chunk, 2);
        for (std::size_t row = 0; row < duckdb_data_chunk_get_size(chunk.get()); ++row) {
            const auto* declared = table_named(table.text(row));
            if (declared != nullptr) {
                layout.hot.push_back({std::string(name.text(row)), declared, start.integer(row)});
            }
        }
    }
    auto sealed = FIELDWATCH_TRY(
        connection.execute("SELECT file, table_name, table_version, period_start, rows, bytes, time_min, "
                           "time_max FROM _Manifest ORDER BY period_start"));
    for (;;) {
        const auto chunk = FIELDWATCH_TRY(sealed.next());
        if (!chunk) break;
        const ColumnView file(chunk, 0), table(chunk, 1), version(chunk, 2), start(chunk, 3), rows(chunk, 4),
            bytes(chunk, 5), time_min(chunk, 6), time_max(chunk, 7);
        for (std::size_t row = 0; row < duckdb_data_chunk_get_size(chunk.get()); ++row) {
            const auto* declared = table_named(table.text(row));
            if (declared == nullptr) continue;
            layout.sealed.push_back({std::string(file.text(row)), declared,
                                     static_cast<unsigned>(version.integer(row)), start.integer(row),
                                     rows.integer(row), bytes.integer(row), time_min.integer(row),
                                     time_max.integer(row)});
        }
    }
    return layout;
}

std::string sealed_sql(const Table& table, const std::vector<const SealedFile*>& files,
                       const std::string& sealed_directory, std::int64_t oldest) {
    // Files that hold rows past their retention stand apart: the others need no look at each row's time.
    std::map<std::pair<unsigned, bool>, std::vector<const SealedFile*>> groups;
    for (const auto* file : files)
        groups[{file->table_version, file->time_min < oldest}].push_back(file);
    std::vector<std::string> parts;
    for (const auto& [key, group] : groups) {
        parts.push_back(sealed_part(table, group, sealed_directory, key.first));
        if (key.second) parts.back() += not_before(oldest);
    }
    return fmt::format("{}", fmt::join(parts, " UNION ALL "));
}

std::string relation_sql(const Table& table, const Layout& layout, const std::string& sealed_directory,
                         const ViewConstants& constants, TimeRange range) {
    std::vector<std::string> parts;
    std::vector<const SealedFile*> files;
    const auto from = std::max(range.oldest, range.from);
    for (const auto& file : layout.sealed) {
        if (file.table == &table && file.time_max >= from && file.time_min <= range.to)
            files.push_back(&file);
    }
    if (!files.empty()) parts.push_back(sealed_sql(table, files, sealed_directory, range.oldest));
    for (const auto& hot : layout.hot) {
        if (hot.table != &table) continue;
        parts.push_back(
            fmt::format("SELECT {} FROM {}", stored_list(table, table.version), quote_name(hot.name)));
        if (range.oldest != INT64_MIN) parts.back() += not_before(range.oldest);
    }
    if (parts.empty()) {
        std::string nothing;
        for (const auto& column : table.stored) {
            if (!nothing.empty()) nothing += ", ";
            nothing +=
                fmt::format("CAST(NULL AS {}) AS {}", sql_type(column.storage), quote_name(column.name));
        }
        parts.push_back("SELECT " + nothing + " WHERE false");
    }
    std::string columns;
    for (const auto& column : table.columns) {
        if (!columns.empty()) columns += ", ";
        columns += fmt::format("{} AS {}", replaced(column.expression, constants), quote_name(column.name));
    }
    for (const auto& detail : table.details)
        columns += ", " + quote_name(detail.column);
    return fmt::format("SELECT {} FROM ({})", columns, fmt::join(parts, " UNION ALL "));
}

}  // namespace fieldwatch::workspace
