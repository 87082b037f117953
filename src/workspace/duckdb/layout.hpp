// Where the rows of a workspace lie: hot tables, one per table and ingestion period, and sealed files; the
// bookkeeping tables beside them; versions and their migration. docs/formats/workspace.md describes it all.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "workspace/duckdb/connection.hpp"
#include "workspace/table.hpp"

namespace fieldwatch::workspace {

/// Of the bookkeeping tables; tables of rows have versions of their own in schemas/.
inline constexpr std::int64_t kFormatVersion = 2;

struct HotTable {
    std::string name;
    const Table* table = nullptr;
    std::int64_t period_start = 0;  ///< seconds since 1970
};
struct SealedFile {
    std::string file;  ///< name inside the sealed directory
    const Table* table = nullptr;
    unsigned table_version = 1;
    std::int64_t period_start = 0, rows = 0, bytes = 0;
    std::int64_t time_min = 0, time_max = 0;  ///< stored ticks of TimeGenerated
};
/// One consistent picture, read inside a transaction.
struct Layout {
    std::vector<HotTable> hot;
    std::vector<SealedFile> sealed;
};

/// Columns of the bookkeeping tables that commits append to: to change a row in place costs many times as
/// much. Of a partition, an alert or a recommendation what was appended last is true; maintain() drops the
/// rest.
std::span<const StoredColumn> offset_columns();
std::span<const StoredColumn> outbox_columns();
std::span<const StoredColumn> alert_state_columns();
std::span<const StoredColumn> recommendation_state_columns();

const Table* table_named(std::string_view name);  ///< nullptr for a name that no schema has
std::string hot_table_name(const Table& table, std::int64_t period_start);

/// Makes the bookkeeping tables of a new file, or brings an older file to this version, in one transaction.
/// Errors: Unsupported for a file of the future.
Result<void> prepare_database(Connection& connection);

/// Creates the hot table and its entry, in one transaction.
Result<void> create_hot_table(Connection& connection, const HotTable& hot);

Result<void> add_to_manifest(Connection& connection, const SealedFile& sealed);

Result<Layout> read_layout(Connection& connection);

/// What replaces the placeholders of view expressions.
struct ViewConstants {
    std::string workspace_id, subscription_id, resource_group, region;
};
/// `oldest` hides rows; `from` and `to` say which the reader will leave out itself, so that files which hold
/// no others are not opened. Stored ticks of TimeGenerated, ends included.
struct TimeRange {
    std::int64_t oldest = INT64_MIN, from = INT64_MIN, to = INT64_MAX;
};
/// A relation with the columns that queries see, hidden ones and typed details included: UNION ALL over the
/// layout's parts that can hold the range. Without parts: no rows.
std::string relation_sql(const Table& table, const Layout& layout, const std::string& sealed_directory,
                         const ViewConstants& constants, TimeRange range);

/// The stored columns of some of a table's files, those of older versions completed. `files` is not empty.
std::string sealed_sql(const Table& table, const std::vector<const SealedFile*>& files,
                       const std::string& sealed_directory, std::int64_t oldest);

}  // namespace fieldwatch::workspace
