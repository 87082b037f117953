// The way to rest: a finished period becomes a Parquet file, and an old file goes.
#include <fmt/format.h>

#include <algorithm>

#include "base/file_system.hpp"
#include "base/log.hpp"
#include "workspace/duckdb/duckdb_workspace.hpp"
#include "workspace/tables.hpp"

namespace fieldwatch::workspace {
namespace {

/// A checkpoint rewrites what changed since the last one; below this a start replays the log in a moment.
constexpr std::uint64_t kWalBytesMax = 16u << 20;

/// Of a Parquet row group: the least that is read, and what a reading thread takes at a time.
constexpr int kRowGroupRows = 32'768;

struct Extent {
    std::int64_t rows = 0, time_min = 0, time_max = 0;
};
Result<Extent> extent_of(Connection& connection, const std::string& table) {
    auto rows = FIELDWATCH_TRY(connection.execute(
        fmt::format("SELECT count(*), coalesce(min(\"TimeGenerated\"), 0), coalesce(max(\"TimeGenerated\"), "
                    "0) FROM {}",
                    quote_name(table))));
    const auto chunk = FIELDWATCH_TRY(rows.next());
    if (!chunk) return fail(Errc::Internal, "a count without a row");
    return Extent{ColumnView(chunk, 0).integer(0), ColumnView(chunk, 1).integer(0),
                  ColumnView(chunk, 2).integer(0)};
}

}  // namespace

std::int64_t DuckdbWorkspace::period_seconds(const Table& table) const {
    const auto hot = std::max<std::int64_t>(
        1, std::chrono::duration_cast<std::chrono::seconds>(options_.hot_period).count());
    return table.period == Period::Hour ? hot : hot * 24;
}

std::int64_t DuckdbWorkspace::period_of(const Table& table, Timestamp time) const {
    const auto length = period_seconds(table);
    const auto seconds = time.unix_seconds();
    return seconds - ((seconds % length) + length) % length;
}

Result<void> DuckdbWorkspace::maintain() {
    const std::scoped_lock one(maintain_mutex_);
    FIELDWATCH_TRY(seal_finished());
    FIELDWATCH_TRY(
        drop_old_states());  // first: an old state must not come to light when the last word expires
    FIELDWATCH_TRY(drop_expired());
    FIELDWATCH_TRY(merge_finished_day());
    unlink_unread();
    return checkpoint();
}

Result<void> DuckdbWorkspace::seal_finished() {
    {
        // Alone for a moment: every commit that chose a finished period's table is through after this.
        const std::unique_lock gate(gate_);
        for (const auto* table : tables::all()) {
            auto& open_from = open_from_.try_emplace(table, INT64_MIN).first->second;
            open_from = std::max(open_from, period_of(*table, clock_.now()));
        }
    }
    auto connection = FIELDWATCH_TRY(database_.connect());
    const auto layout = FIELDWATCH_TRY(read_layout(connection));
    for (const auto& hot : layout.hot) {
        if (hot.period_start < open_from_.at(hot.table)) FIELDWATCH_TRY(seal(connection, hot));
    }
    return {};
}

/// Sorted, synced and under its name, or not at all; returns its size in bytes.
Result<std::int64_t> DuckdbWorkspace::write_sealed(Connection& connection, const Table& table,
                                                   const std::string& rows_sql, const std::string& file) {
    auto& files = posix_file_system();
    const auto path = sealed_directory() + "/" + file;
    const auto aside = path + ".partial";
    std::string order;
    for (const auto& column : table.sort)
        order += (order.empty() ? "" : ", ") + quote_name(column);
    // Small row groups: an investigation of one device reads little beside that device's rows.
    FIELDWATCH_TRY(connection.run(
        fmt::format("COPY (SELECT * FROM ({}) ORDER BY {}) TO {} (FORMAT parquet, COMPRESSION zstd, "
                    "ROW_GROUP_SIZE {})",
                    rows_sql, order, quote_literal(aside), kRowGroupRows)));
    const auto written = FIELDWATCH_TRY(files.open(aside, OpenMode::ReadWrite));
    FIELDWATCH_TRY(written->sync());
    const auto bytes = FIELDWATCH_TRY(written->size());
    FIELDWATCH_TRY(files.rename(aside, path));
    FIELDWATCH_TRY(files.sync_directory(sealed_directory()));
    return static_cast<std::int64_t>(bytes);
}

Result<void> DuckdbWorkspace::seal(Connection& connection, const HotTable& hot) {
    const auto extent = FIELDWATCH_TRY(extent_of(connection, hot.name));
    SealedFile sealed{.file = fmt::format("{}-{}.parquet", hot.table->name, hot.period_start),
                      .table = hot.table,
                      .table_version = hot.table->version,
                      .period_start = hot.period_start,
                      .rows = extent.rows,
                      .time_min = extent.time_min,
                      .time_max = extent.time_max};
    if (extent.rows > 0) {
        sealed.bytes = FIELDWATCH_TRY(
            write_sealed(connection, *hot.table, "SELECT * FROM " + quote_name(hot.name), sealed.file));
    }
    auto transaction = FIELDWATCH_TRY(Transaction::begin(connection));
    if (extent.rows > 0) {
        FIELDWATCH_TRY(add_to_manifest(connection, sealed));
        counters_.sealed_files.add();
    }
    FIELDWATCH_TRY(connection.run("DELETE FROM _HotTable WHERE name = ?", {std::string_view(hot.name)}));
    FIELDWATCH_TRY(connection.run("DROP TABLE " + quote_name(hot.name)));
    FIELDWATCH_TRY(transaction.commit());
    const std::scoped_lock lock(mutex_);
    hot_tables_.erase(hot.name);
    return {};
}

Result<void> DuckdbWorkspace::drop_expired() {
    auto connection = FIELDWATCH_TRY(database_.connect());
    const auto layout = FIELDWATCH_TRY(read_layout(connection));
    std::vector<std::string> expired;
    auto transaction = FIELDWATCH_TRY(Transaction::begin(connection));
    for (const auto& file : layout.sealed) {
        if (file.time_max >= retention_cutoff(*file.table)) continue;
        FIELDWATCH_TRY(connection.run("DELETE FROM _Manifest WHERE file = ?", {std::string_view(file.file)}));
        expired.push_back(file.file);
    }
    FIELDWATCH_TRY(connection.run("DELETE FROM _AlertState WHERE changed < ?",
                                  {retention_cutoff(tables::kSecurityAlert)}));
    FIELDWATCH_TRY(connection.run("DELETE FROM _RecommendationState WHERE changed < ? AND state <> 'Active'",
                                  {retention_cutoff(tables::kSecurityRecommendation)}));
    FIELDWATCH_TRY(transaction.commit());
    counters_.dropped_files.add(expired.size());
    readers_.retire(std::move(expired));
    return {};
}

void DuckdbWorkspace::unlink_unread() {
    for (const auto& file : readers_.take_unread()) {
        const auto removed = posix_file_system().remove(sealed_directory() + "/" + file);
        // Not in the manifest any more: what stays now goes at the next start.
        if (!removed) log::warning("workspace", removed.error().message);
    }
}

/// Files of a seal or a retention that a crash cut short.
Result<void> DuckdbWorkspace::remove_orphans() {
    auto& files = posix_file_system();
    auto connection = FIELDWATCH_TRY(database_.connect());
    const auto layout = FIELDWATCH_TRY(read_layout(connection));
    for (const auto& name : FIELDWATCH_TRY(files.list(sealed_directory()))) {
        const bool known =
            std::ranges::any_of(layout.sealed, [&name](const SealedFile& file) { return file.file == name; });
        if (!known) FIELDWATCH_TRY(files.remove(sealed_directory() + "/" + name));
    }
    return {};
}

/// What commits left behind about partitions, alerts and recommendations, but for the last word.
Result<void> DuckdbWorkspace::drop_old_states() {
    auto connection = FIELDWATCH_TRY(database_.connect());
    for (const auto& [table, key] : {std::pair{"_Offset", "partition"}, std::pair{"_AlertState", "id"},
                                     std::pair{"_RecommendationState", "id"}}) {
        FIELDWATCH_TRY(connection.run(fmt::format(
            "DELETE FROM {0} WHERE rowid NOT IN (SELECT max(rowid) FROM {0} GROUP BY {1})", table, key)));
    }
    return {};
}

Result<void> DuckdbWorkspace::checkpoint() {
    auto log_file =
        posix_file_system().open(options_.directory + "/workspace.duckdb.wal", OpenMode::ReadOnly);
    if (!log_file) return {};  // no log: nothing to write back
    const auto bytes = FIELDWATCH_TRY((*log_file)->size());
    if (bytes < kWalBytesMax) return {};
    auto connection = FIELDWATCH_TRY(database_.connect());
    const std::unique_lock gate(gate_);
    // A long query may stand in the way; the next minute tries again, and the log carries everything.
    if (const auto done = connection.run("CHECKPOINT"); !done) {
        log::info("workspace", "checkpoint put off: " + done.error().message);
    }
    return {};
}

}  // namespace fieldwatch::workspace
