#include <fmt/format.h>

#include <algorithm>

#include "base/file_system.hpp"
#include "workspace/duckdb/duckdb_workspace.hpp"
#include "workspace/duckdb/run_query.hpp"
#include "workspace/tables.hpp"

namespace fieldwatch::workspace {
namespace {

/// Version 5 names of workspaces without a subscription of their own.
constexpr Uuid kSubscriptions{
    {0x5d, 0x7e, 0x1c, 0x0a, 0x9b, 0x43, 0x4f, 0x6e, 0x8a, 0x10, 0x3c, 0x52, 0x77, 0xd0, 0x1e, 0xb4}};

Result<std::int64_t> uint_or_zero(Connection& connection, const std::string& sql) {
    return FIELDWATCH_TRY(connection.integer(sql)).value_or(0);
}

}  // namespace

DuckdbWorkspace::DuckdbWorkspace(Options options, const Clock& clock, Metrics& metrics, Database database)
    : options_(std::move(options)),
      clock_(clock),
      counters_{
          metrics.counter("fieldwatch_workspace_commits_total", "Transactions committed"),
          metrics.counter("fieldwatch_workspace_rows_total", "Rows committed"),
          metrics.counter("fieldwatch_workspace_commit_retries_total",
                          "Commits tried again because another was first"),
          metrics.counter("fieldwatch_workspace_sealed_files_total", "Parquet files written"),
          metrics.counter("fieldwatch_workspace_dropped_files_total", "Parquet files past their retention"),
          metrics.counter("fieldwatch_workspace_merged_files_total",
                          "Parquet files that became part of a day's")},
      database_(std::move(database)),
      helpers_(database_.get(), std::max(options_.threads_max, 1u) - 1),
      watchdog_(clock) {
    for (const auto* table : tables::all())
        kept_[table] = usually_kept(*table);
}

Result<std::unique_ptr<DuckdbWorkspace>> DuckdbWorkspace::open(Options options, const Clock& clock,
                                                               Metrics& metrics) {
    if (options.directory.empty()) return fail(Errc::InvalidArgument, "a workspace needs a directory");
    if (options.subscription_id.empty()) {
        options.subscription_id = Uuid::named(kSubscriptions, options.id).text();
    }
    auto& files = posix_file_system();
    FIELDWATCH_TRY(files.make_directories(options.directory + "/sealed"));
    FIELDWATCH_TRY(files.make_directories(options.directory + "/temporary"));
    auto database = FIELDWATCH_TRY(
        Database::open(options.directory + "/workspace.duckdb", {.directory = options.directory,
                                                                 .memory_bytes_max = options.memory_bytes_max,
                                                                 .threads_max = options.threads_max}));
    std::unique_ptr<DuckdbWorkspace> workspace(
        new DuckdbWorkspace(std::move(options), clock, metrics, std::move(database)));
    FIELDWATCH_TRY(workspace->load());
    return workspace;
}

Result<void> DuckdbWorkspace::load() {
    auto connection = FIELDWATCH_TRY(database_.connect());
    FIELDWATCH_TRY(prepare_database(connection));
    FIELDWATCH_TRY(remove_orphans());
    // A clock that went back must not open a period again whose file exists.
    const auto not_before = [this](const Table* table, std::int64_t start) {
        auto& open_from = open_from_.try_emplace(table, start).first->second;
        open_from = std::max(open_from, start);
    };
    const auto layout = FIELDWATCH_TRY(read_layout(connection));
    for (const auto& file : layout.sealed)
        not_before(file.table, file.period_start + 1);
    for (const auto& hot : layout.hot) {
        hot_tables_.insert(hot.name);
        not_before(hot.table, hot.period_start);
    }
    auto rows = FIELDWATCH_TRY(
        connection.execute("SELECT partition, max(next_offset) FROM _Offset GROUP BY partition"));
    for (;;) {
        const auto chunk = FIELDWATCH_TRY(rows.next());
        if (!chunk) break;
        const ColumnView partition(chunk, 0), offset(chunk, 1);
        for (std::size_t row = 0; row < duckdb_data_chunk_get_size(chunk.get()); ++row) {
            offsets_[static_cast<std::uint32_t>(partition.integer(row))] =
                static_cast<std::uint64_t>(offset.integer(row));
        }
    }
    const auto last = FIELDWATCH_TRY(uint_or_zero(connection, "SELECT max(sequence) FROM _Outbox"));
    const auto done =
        FIELDWATCH_TRY(uint_or_zero(connection, "SELECT value FROM _Meta WHERE name = 'outbox_done'"));
    outbox_next_ = std::max(last, done) + 1;
    return {};
}

std::vector<std::pair<std::string, std::vector<Column>>> DuckdbWorkspace::schema() const {
    std::vector<std::pair<std::string, std::vector<Column>>> out;
    for (const auto* table : tables::all()) {
        std::vector<Column> columns;
        for (const auto& column : table->columns) {
            if (!column.hidden) columns.push_back({std::string(column.name), column.type});
        }
        if (table == &tables::kSecurityIoTRawEvent) {
            auto& view = out.emplace_back(kDefenderView, columns);
            std::ranges::find(view.second, "EventDetails", &Column::name)->type = ColumnType::Dynamic;
        }
        out.emplace_back(table->name, std::move(columns));
    }
    return out;
}

Result<std::vector<OpenAlert>> DuckdbWorkspace::open_alerts(std::size_t count_max) {
    auto connection = FIELDWATCH_TRY(database_.connect());
    auto rows = FIELDWATCH_TRY(connection.execute(
        "SELECT CAST(id AS VARCHAR), type, entity, status FROM _AlertState WHERE rowid IN (SELECT max(rowid) "
        "FROM _AlertState GROUP BY id) AND status NOT IN ('Resolved', 'Dismissed') ORDER BY changed DESC, id "
        "LIMIT ?",
        {static_cast<std::int64_t>(count_max)}));
    std::vector<OpenAlert> out;
    for (;;) {
        const auto chunk = FIELDWATCH_TRY(rows.next());
        if (!chunk) return out;
        const ColumnView id(chunk, 0), type(chunk, 1), entity(chunk, 2), status(chunk, 3);
        for (std::size_t row = 0; row < duckdb_data_chunk_get_size(chunk.get()); ++row) {
            out.push_back({FIELDWATCH_TRY(Uuid::parse(id.text(row))), std::string(type.text(row)),
                           std::string(entity.text(row)),
                           model::alert_status_from(status.text(row)).value_or(model::AlertStatus::New)});
        }
    }
}

Result<std::vector<OutboxRow>> DuckdbWorkspace::outbox(OutboxRange range) {
    auto connection = FIELDWATCH_TRY(database_.connect());
    auto rows = FIELDWATCH_TRY(connection.execute(
        "SELECT sequence, kind, key, body FROM _Outbox WHERE sequence > ? ORDER BY sequence LIMIT ?",
        {static_cast<std::int64_t>(std::min<std::uint64_t>(range.after, INT64_MAX)),
         static_cast<std::int64_t>(range.count_max)}));
    std::vector<OutboxRow> out;
    for (;;) {
        const auto chunk = FIELDWATCH_TRY(rows.next());
        if (!chunk) return out;
        const ColumnView sequence(chunk, 0), kind(chunk, 1), key(chunk, 2), body(chunk, 3);
        for (std::size_t row = 0; row < duckdb_data_chunk_get_size(chunk.get()); ++row) {
            out.push_back({static_cast<std::uint64_t>(sequence.integer(row)), std::string(kind.text(row)),
                           std::string(key.text(row)), std::string(body.text(row))});
        }
    }
}

std::uint64_t DuckdbWorkspace::outbox_end() {
    const std::scoped_lock lock(outbox_mutex_);
    return static_cast<std::uint64_t>(outbox_next_ - 1);
}

Result<void> DuckdbWorkspace::outbox_done(std::uint64_t up_to_sequence) {
    // The outbox's own lock: nothing with a sequence at or below this one is still on its way.
    const std::scoped_lock lock(outbox_mutex_);
    const auto done = std::min(static_cast<std::int64_t>(up_to_sequence), outbox_next_ - 1);
    auto connection = FIELDWATCH_TRY(database_.connect());
    auto transaction = FIELDWATCH_TRY(Transaction::begin(connection));
    FIELDWATCH_TRY(connection.run("DELETE FROM _Outbox WHERE sequence <= ?", {done}));
    FIELDWATCH_TRY(
        connection.run("UPDATE _Meta SET value = greatest(value, ?) WHERE name = 'outbox_done'", {done}));
    return transaction.commit();
}

Result<std::unique_ptr<Workspace>> open(const Options& options, const Clock& clock, Metrics& metrics) {
    return DuckdbWorkspace::open(options, clock, metrics);
}

}  // namespace fieldwatch::workspace
