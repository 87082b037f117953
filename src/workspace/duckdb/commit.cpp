// The way in: rows, outbox, current states and the offset they came from, in one transaction.
#include <fmt/format.h>

#include <thread>

#include "workspace/duckdb/duckdb_workspace.hpp"
#include "workspace/tables.hpp"

namespace fieldwatch::workspace {
namespace {

/// Two transactions that meet in the bookkeeping tables: the later one tries again. They meet rarely, and
/// each try lets the other finish.
constexpr int kTriesMax = 20;
constexpr std::chrono::milliseconds kPause{2};

Result<void> write_offset(Connection& connection, const Commit& commit) {
    const auto next = static_cast<std::int64_t>(commit.next_offset);
    auto rows = FIELDWATCH_TRY(
        connection.execute_kept("UPDATE _Offset SET next_offset = ? WHERE partition = ? AND next_offset < ?",
                                {next, std::int64_t{commit.partition}, next}));
    if (rows.changed() == 1) return {};
    const auto present = FIELDWATCH_TRY(connection.integer(
        "SELECT next_offset FROM _Offset WHERE partition = ?", {std::int64_t{commit.partition}}));
    if (present) {
        return fail(Errc::Conflict, fmt::format("partition {} is committed up to {}, not below {}",
                                                commit.partition, *present, next));
    }
    return connection.run("INSERT INTO _Offset VALUES (?, ?)", {std::int64_t{commit.partition}, next});
}

Result<void> write_states(Connection& connection, const Commit& commit) {
    for (const auto& row : commit.alerts) {
        const auto id = row.alert.id.text();
        FIELDWATCH_TRY(connection.execute_kept(
            "INSERT INTO _AlertState VALUES (CAST(? AS UUID), ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
            "SET severity = excluded.severity, status = excluded.status, changed = excluded.changed",
            {std::string_view(id), std::string_view(row.alert.type),
             std::string_view(row.alert.compromised_entity), std::string_view(row.alert.hub.value),
             to_string(row.alert.severity), to_string(row.alert.status), stored_ticks(row.time_generated)}));
    }
    for (const auto& row : commit.recommendations) {
        const auto id = row.recommendation.id.text();
        FIELDWATCH_TRY(connection.execute_kept(
            "INSERT INTO _RecommendationState VALUES (CAST(? AS UUID), ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO "
            "UPDATE SET severity = excluded.severity, state = excluded.state, changed = excluded.changed",
            {std::string_view(id), std::string_view(row.recommendation.type),
             std::string_view(row.recommendation.device), std::string_view(row.recommendation.hub.value),
             to_string(row.recommendation.severity), to_string(row.recommendation.state),
             stored_ticks(row.time_generated)}));
    }
    return {};
}

/// Calls `visit(table, rows)` for every table that the commit has rows for.
template <class Visit>
void for_each_table(const Commit& commit, const Visit& visit) {
    if (!commit.raw_events.empty()) visit(tables::kSecurityIoTRawEvent, commit.raw_events);
    if (!commit.alerts.empty()) visit(tables::kSecurityAlert, commit.alerts);
    if (!commit.recommendations.empty()) visit(tables::kSecurityRecommendation, commit.recommendations);
    if (!commit.diagnostics.empty()) visit(tables::kAzureDiagnostics, commit.diagnostics);
    if (!commit.activities.empty()) visit(tables::kAzureActivity, commit.activities);
}

template <class Row>
Result<void> append_rows(Connection& connection, RowFiller& filler, const std::string& name,
                         const Table& table, const std::vector<Row>& rows) {
    auto appender = FIELDWATCH_TRY(Appender::create(connection, name, table));
    for (const auto& row : rows)
        FIELDWATCH_TRY(filler.add(appender, row));
    return appender.finish();
}

}  // namespace

Result<std::uint64_t> DuckdbWorkspace::committed_offset(std::uint32_t partition) {
    const std::scoped_lock lock(mutex_);
    const auto found = offsets_.find(partition);
    return found == offsets_.end() ? 0 : found->second;
}

Result<DuckdbWorkspace::Writer> DuckdbWorkspace::take_writer() {
    {
        const std::scoped_lock lock(mutex_);
        if (!writers_.empty()) {
            auto writer = std::move(writers_.back());
            writers_.pop_back();
            return writer;
        }
    }
    return Writer{FIELDWATCH_TRY(database_.connect()), std::make_unique<RowFiller>(options_)};
}

void DuckdbWorkspace::give_back(Writer writer) {
    const std::scoped_lock lock(mutex_);
    writers_.push_back(std::move(writer));
}

/// The table that takes rows now. Made before the transaction that fills it: two partitions may need it.
Result<std::string> DuckdbWorkspace::hot_table(const Table& table) {
    const auto open_from = open_from_.find(&table);
    auto period = period_of(table, clock_.now());
    if (open_from != open_from_.end()) period = std::max(period, open_from->second);
    HotTable hot{hot_table_name(table, period), &table, period};
    const std::scoped_lock lock(mutex_);
    if (hot_tables_.contains(hot.name)) return hot.name;
    auto connection = FIELDWATCH_TRY(database_.connect());
    FIELDWATCH_TRY(create_hot_table(connection, hot));
    hot_tables_.insert(hot.name);
    return hot.name;
}

Result<void> DuckdbWorkspace::commit_once(Writer& writer, const Commit& commit) {
    // A transaction sees only what was there when it began: the tables come first.
    std::map<const Table*, std::string> hot;
    for_each_table(commit, [&hot](const Table& table, const auto&) { hot[&table]; });
    for (auto& [table, name] : hot)
        name = FIELDWATCH_TRY(hot_table(*table));

    std::unique_lock<std::mutex> outbox_lock;
    if (!commit.outbox.empty()) outbox_lock = std::unique_lock(outbox_mutex_);
    auto transaction = FIELDWATCH_TRY(Transaction::begin(writer.connection));
    FIELDWATCH_TRY(write_offset(writer.connection, commit));
    Result<void> appended;
    for_each_table(commit, [&](const Table& table, const auto& rows) {
        if (appended) appended = append_rows(writer.connection, *writer.filler, hot[&table], table, rows);
    });
    FIELDWATCH_TRY(std::move(appended));
    FIELDWATCH_TRY(write_states(writer.connection, commit));
    auto sequence = outbox_next_;
    for (const auto& row : commit.outbox) {
        FIELDWATCH_TRY(
            writer.connection.execute_kept("INSERT INTO _Outbox VALUES (?, ?, ?, ?)",
                                           {sequence++, std::string_view(row.kind), std::string_view(row.key),
                                            std::string_view(row.body_json)}));
    }
    FIELDWATCH_TRY(transaction.commit());
    if (!commit.outbox.empty()) outbox_next_ = sequence;
    return {};
}

Result<void> DuckdbWorkspace::commit(Commit commit) {
    const std::shared_lock gate(gate_);
    const auto committed = FIELDWATCH_TRY(committed_offset(commit.partition));
    if (commit.next_offset <= committed) {
        return fail(Errc::Conflict, fmt::format("partition {} is committed up to {}, not below {}",
                                                commit.partition, committed, commit.next_offset));
    }
    for (int tries = 1;; ++tries) {
        auto writer = FIELDWATCH_TRY(take_writer());
        const auto done = commit_once(writer, commit);
        if (done) {
            give_back(std::move(writer));
            break;
        }
        // After any failure the connection is dropped: a new one surely has no transaction open.
        if (done.error().code != Errc::Conflict || tries == kTriesMax) return done;
        counters_.conflicts.add();
        std::this_thread::sleep_for(kPause * tries);
    }
    counters_.commits.add();
    counters_.rows.add(commit.raw_events.size() + commit.alerts.size() + commit.recommendations.size() +
                       commit.diagnostics.size() + commit.activities.size());
    const std::scoped_lock lock(mutex_);
    offsets_[commit.partition] = commit.next_offset;
    return {};
}

}  // namespace fieldwatch::workspace
