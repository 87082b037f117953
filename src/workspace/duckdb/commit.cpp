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
constexpr std::chrono::milliseconds kCommitPause{2};

/// Calls `visit(table, rows)` for every table that the commit has rows for.
template <class Visit>
void for_each_table(const Commit& commit, const Visit& visit) {
    if (!commit.raw_events.empty()) visit(tables::kSecurityIoTRawEvent, commit.raw_events);
    if (!commit.alerts.empty()) visit(tables::kSecurityAlert, commit.alerts);
    if (!commit.recommendations.empty()) visit(tables::kSecurityRecommendation, commit.recommendations);
    if (!commit.diagnostics.empty()) visit(tables::kAzureDiagnostics, commit.diagnostics);
    if (!commit.activities.empty()) visit(tables::kAzureActivity, commit.activities);
}

/// The open appender of a table, made when it is needed first or when the table's next period began.
Result<Appender*> appender_of(std::map<std::string_view, Appender>& open, Connection& connection,
                              std::string_view table, const std::string& name,
                              std::span<const StoredColumn> columns) {
    const auto found = open.find(table);
    if (found != open.end() && found->second.name() == name) return &found->second;
    if (found != open.end()) open.erase(found);
    auto made = FIELDWATCH_TRY(Appender::create(connection, name, columns));
    return &open.emplace(table, std::move(made)).first->second;
}

Result<void> append_offset(Appender& to, const Commit& commit) {
    to.integer(0, commit.partition);
    to.integer(1, static_cast<std::int64_t>(commit.next_offset));
    FIELDWATCH_TRY(to.end_row());
    return to.finish();
}

Result<void> append_states(Appender& to, const std::vector<AlertRow>& rows) {
    for (const auto& row : rows) {
        to.uuid(0, row.alert.id);
        to.text(1, row.alert.type);
        to.text(2, row.alert.compromised_entity);
        to.text(3, row.alert.hub.value);
        to.text(4, to_string(row.alert.severity));
        to.text(5, to_string(row.alert.status));
        to.time(6, row.time_generated);
        FIELDWATCH_TRY(to.end_row());
    }
    return to.finish();
}
Result<void> append_states(Appender& to, const std::vector<RecommendationRow>& rows) {
    for (const auto& row : rows) {
        to.uuid(0, row.recommendation.id);
        to.text(1, row.recommendation.type);
        to.text(2, row.recommendation.device);
        to.text(3, row.recommendation.hub.value);
        to.text(4, to_string(row.recommendation.severity));
        to.text(5, to_string(row.recommendation.state));
        to.time(6, row.time_generated);
        FIELDWATCH_TRY(to.end_row());
    }
    return to.finish();
}

template <class Row>
Result<void> append_rows(Appender& to, RowFiller& filler, const std::vector<Row>& rows) {
    for (const auto& row : rows)
        FIELDWATCH_TRY(filler.add(to, row));
    return to.finish();
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
    if (auto filled = fill(writer, commit, hot); !filled) {
        writer.appenders.clear();  // while the transaction that is rolled back can still take what they hold
        return filled;
    }
    FIELDWATCH_TRY(transaction.commit());
    if (!commit.outbox.empty()) outbox_next_ += static_cast<std::int64_t>(commit.outbox.size());
    return {};
}

Result<void> DuckdbWorkspace::fill(Writer& writer, const Commit& commit,
                                   const std::map<const Table*, std::string>& hot) {
    auto& connection = writer.connection;
    auto* const offsets =
        FIELDWATCH_TRY(appender_of(writer.appenders, connection, "_Offset", "_Offset", offset_columns()));
    FIELDWATCH_TRY(append_offset(*offsets, commit));
    Result<void> appended;
    for_each_table(commit, [&](const Table& table, const auto& rows) {
        if (!appended) return;
        const auto to = appender_of(writer.appenders, connection, table.name, hot.at(&table), table.stored);
        appended = to ? append_rows(**to, *writer.filler, rows) : std::unexpected(to.error());
    });
    FIELDWATCH_TRY(std::move(appended));
    if (!commit.alerts.empty()) {
        auto* const to = FIELDWATCH_TRY(
            appender_of(writer.appenders, connection, "_AlertState", "_AlertState", alert_state_columns()));
        FIELDWATCH_TRY(append_states(*to, commit.alerts));
    }
    if (!commit.recommendations.empty()) {
        auto* const to = FIELDWATCH_TRY(appender_of(writer.appenders, connection, "_RecommendationState",
                                                    "_RecommendationState", recommendation_state_columns()));
        FIELDWATCH_TRY(append_states(*to, commit.recommendations));
    }
    return commit.outbox.empty() ? Result<void>() : append_outbox(writer, commit);
}

Result<void> DuckdbWorkspace::append_outbox(Writer& writer, const Commit& commit) {
    auto* const to = FIELDWATCH_TRY(
        appender_of(writer.appenders, writer.connection, "_Outbox", "_Outbox", outbox_columns()));
    auto sequence = outbox_next_;
    for (const auto& row : commit.outbox) {
        to->integer(0, sequence++);
        to->text(1, row.kind);
        to->text(2, row.key);
        to->text(3, row.body_json);
        FIELDWATCH_TRY(to->end_row());
    }
    return to->finish();
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
        std::this_thread::sleep_for(kCommitPause * tries);
    }
    counters_.commits.add();
    counters_.rows.add(commit.raw_events.size() + commit.alerts.size() + commit.recommendations.size() +
                       commit.diagnostics.size() + commit.activities.size());
    const std::scoped_lock lock(mutex_);
    offsets_[commit.partition] = commit.next_offset;
    return {};
}

}  // namespace fieldwatch::workspace
