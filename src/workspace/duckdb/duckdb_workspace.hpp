// One workspace in one DuckDB file and one directory of Parquet files beside it.
//
// Locks, and what each guards (docs/decisions: workspace locks): `gate_` is held shared by a commit and alone
// by maintain() for the moment in which a period closes or a checkpoint runs; `mutex_` guards the maps; the
// outbox's own keeps its sequences in commit order. Queries take none of them.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>

#include "workspace/duckdb/file_readers.hpp"
#include "workspace/duckdb/fill.hpp"
#include "workspace/duckdb/layout.hpp"
#include "workspace/duckdb/query_helpers.hpp"
#include "workspace/duckdb/watchdog.hpp"
#include "workspace/upkeep.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::workspace {

class DuckdbWorkspace final : public Workspace, public Upkeep {
  public:
    static Result<std::unique_ptr<DuckdbWorkspace>> open(Options options, const Clock& clock,
                                                         Metrics& metrics);

    Result<void> commit(Commit commit) override;
    Result<std::uint64_t> committed_offset(std::uint32_t partition) override;
    std::expected<QueryAnswer, QueryError> query(const QueryRequest& request) override;
    std::vector<std::pair<std::string, std::vector<Column>>> schema() const override;
    Result<std::vector<OpenAlert>> open_alerts(std::size_t count_max) override;
    Result<std::vector<OutboxRow>> outbox(OutboxRange range) override;
    std::uint64_t outbox_end() override;
    Result<void> outbox_done(std::uint64_t up_to_sequence) override;
    Result<void> snapshot_to(const std::string& directory) override;
    Result<Purged> purge(const Purge& what) override;
    Result<std::vector<TableUse>> use() override;
    Result<std::vector<Expiring>> expiring(const RetentionDays& days) override;
    void keep(const RetentionDays& days) override;
    Result<void> maintain() override;

  private:
    /// A connection for commits, and what goes with it; taken from and given back to a pool. Appenders stay
    /// open from commit to commit: to make one costs more than to append a few rows.
    struct Writer {
        Connection connection;
        std::unique_ptr<RowFiller> filler;
        std::map<std::string_view, Appender>
            appenders;  // by table; of its newest hot one; before the connection
    };
    struct Counters {
        Counter &commits, &rows, &conflicts, &sealed_files, &dropped_files, &merged_files;
    };

    DuckdbWorkspace(Options options, const Clock& clock, Metrics& metrics, Database database);
    Result<void> load();

    // commit.cpp
    Result<Writer> take_writer();
    void give_back(Writer writer);
    Result<void> commit_once(Writer& writer, const Commit& commit);
    Result<void> fill(Writer& writer, const Commit& commit, const std::map<const Table*, std::string>& hot);
    Result<void> append_outbox(Writer& writer, const Commit& commit);
    Result<void> purge_outbox(Connection& connection, const Purge& what);
    Result<std::string> hot_table(const Table& table);

    // seal.cpp
    std::int64_t period_seconds(const Table& table) const;
    std::int64_t period_of(const Table& table, Timestamp time) const;
    Result<void> seal_finished();
    Result<void> seal(Connection& connection, const HotTable& hot);
    Result<std::int64_t> write_sealed(Connection& connection, const Table& table, const std::string& rows_sql,
                                      const std::string& file);
    Result<void> drop_expired();
    void unlink_unread();
    Result<void> remove_orphans();
    Result<void> drop_old_states();
    Result<void> checkpoint();

    // retention.cpp
    std::chrono::hours usually_kept(const Table& table) const;
    std::chrono::hours kept_then(const Table& table, const RetentionDays& days) const;
    std::int64_t cutoff_of(std::chrono::hours kept) const;    ///< stored ticks
    std::int64_t retention_cutoff(const Table& table) const;  ///< stored ticks
    Result<std::uint64_t> count_rows(Connection& connection, const Table& table, const Layout& layout,
                                     std::int64_t from, std::int64_t before) const;

    // purge.cpp
    static constexpr std::string_view kPurgedMark = "-purged-";  ///< in the name of a file written anew
    Result<void> replace_sealed(Connection& connection, const SealedFile& old, const std::string& rows_sql);

    // merge.cpp
    Result<void> merge_finished_day();
    Result<void> merge(Connection& connection, const std::vector<const SealedFile*>& files,
                       SealedFile merged);

    std::string sealed_directory() const { return options_.directory + "/sealed"; }

    const Options options_;
    const Clock& clock_;
    Counters counters_;
    Database database_;
    std::map<const Table*, std::atomic<std::chrono::hours>> kept_;  // of every table, from the start
    QueryHelpers helpers_;
    Watchdog watchdog_;
    FileReaders readers_;

    std::shared_mutex gate_;
    std::map<const Table*, std::int64_t> open_from_;  // by gate_: periods before this one take no more rows

    std::mutex mutex_;
    std::vector<Writer> writers_;
    std::map<std::uint32_t, std::uint64_t> offsets_;
    std::set<std::string> hot_tables_;

    std::mutex outbox_mutex_;
    std::int64_t outbox_next_ = 1;
    std::mutex maintain_mutex_;  // one maintain() at a time
};

}  // namespace fieldwatch::workspace
