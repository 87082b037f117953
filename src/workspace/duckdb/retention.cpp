// How long rows stay: what each table holds, what a change would take out, and the change.
#include <algorithm>

#include <fmt/format.h>

#include "workspace/duckdb/duckdb_workspace.hpp"
#include "workspace/tables.hpp"

namespace fieldwatch::workspace {
namespace {

unsigned days_in(std::chrono::hours kept) {
    return static_cast<unsigned>(std::chrono::ceil<std::chrono::days>(kept).count());
}

}  // namespace

std::chrono::hours DuckdbWorkspace::usually_kept(const Table& table) const {
    return table.retention == Retention::Raw ? options_.raw_retention : options_.alert_retention;
}

std::int64_t DuckdbWorkspace::cutoff_of(std::chrono::hours kept) const {
    return stored_ticks(clock_.now()) - std::chrono::duration_cast<Ticks>(kept).count();
}

std::int64_t DuckdbWorkspace::retention_cutoff(const Table& table) const {
    return cutoff_of(kept_.at(&table));
}

std::chrono::hours DuckdbWorkspace::kept_then(const Table& table, const RetentionDays& days) const {
    const auto found = days.find(table.name);
    return found == days.end() ? usually_kept(table) : std::chrono::days(found->second);
}

void DuckdbWorkspace::keep(const RetentionDays& days) {
    for (auto& [table, kept] : kept_)
        kept = kept_then(*table, days);
}

/// Rows from `from` on and before `before`. Files that lie inside are counted by what the manifest says.
Result<std::uint64_t> DuckdbWorkspace::count_rows(Connection& connection, const Table& table,
                                                  const Layout& layout, std::int64_t from,
                                                  std::int64_t before) const {
    std::int64_t rows = 0;
    std::vector<const SealedFile*> across;
    for (const auto& file : layout.sealed) {
        if (file.table != &table || file.time_max < from || file.time_min >= before) continue;
        if (file.time_min >= from && file.time_max < before)
            rows += file.rows;
        else
            across.push_back(&file);
    }
    std::vector<std::string> parts;
    if (!across.empty())
        parts.push_back(fmt::format("SELECT \"TimeGenerated\" FROM ({})",
                                    sealed_sql(table, across, sealed_directory(), from)));
    for (const auto& hot : layout.hot) {
        if (hot.table == &table)
            parts.push_back(fmt::format("SELECT \"TimeGenerated\" FROM {}", quote_name(hot.name)));
    }
    if (!parts.empty()) {
        const auto counted = FIELDWATCH_TRY(connection.integer(
            fmt::format("SELECT count(*) FROM ({}) WHERE \"TimeGenerated\" >= ? AND \"TimeGenerated\" < ?",
                        fmt::join(parts, " UNION ALL ")),
            {from, before}));
        rows += counted.value_or(0);
    }
    return static_cast<std::uint64_t>(rows);
}

Result<std::vector<TableUse>> DuckdbWorkspace::use() {
    const auto token = readers_.enter();  // before the manifest is read: its files stay until we are done
    auto connection = FIELDWATCH_TRY(database_.connect());
    const auto transaction = FIELDWATCH_TRY(Transaction::begin(connection));
    const auto layout = FIELDWATCH_TRY(read_layout(connection));
    std::vector<TableUse> out;
    for (const auto* table : tables::all()) {
        const auto cutoff = retention_cutoff(*table);
        TableUse one{.table = std::string(table->name),
                     .days = days_in(kept_.at(table)),
                     .usual_days = days_in(usually_kept(*table)),
                     .rows = FIELDWATCH_TRY(count_rows(connection, *table, layout, cutoff, INT64_MAX))};
        auto oldest = INT64_MAX;
        for (const auto& file : layout.sealed) {
            if (file.table != table) continue;
            one.bytes += static_cast<std::uint64_t>(file.bytes);
            if (file.time_max >= cutoff) oldest = std::min(oldest, std::max(file.time_min, cutoff));
        }
        for (const auto& hot : layout.hot) {
            if (hot.table != table) continue;
            const auto first = FIELDWATCH_TRY(connection.integer(
                fmt::format("SELECT min(\"TimeGenerated\") FROM {} WHERE \"TimeGenerated\" >= ?",
                            quote_name(hot.name)),
                {cutoff}));
            oldest = std::min(oldest, first.value_or(INT64_MAX));
        }
        if (oldest != INT64_MAX) one.oldest = time_of_stored(oldest);
        out.push_back(std::move(one));
    }
    return out;
}

Result<std::vector<Expiring>> DuckdbWorkspace::expiring(const RetentionDays& days) {
    const auto token = readers_.enter();
    auto connection = FIELDWATCH_TRY(database_.connect());
    const auto transaction = FIELDWATCH_TRY(Transaction::begin(connection));
    const auto layout = FIELDWATCH_TRY(read_layout(connection));
    std::vector<Expiring> out;
    for (const auto* table : tables::all()) {
        const auto kept = kept_then(*table, days);
        const auto now = retention_cutoff(*table), then = cutoff_of(kept);
        Expiring one{
            .table = std::string(table->name), .days = days_in(kept), .before = time_of_stored(then)};
        if (kept < kept_.at(table).load()) {
            one.rows = FIELDWATCH_TRY(count_rows(connection, *table, layout, now, then));
            for (const auto& file : layout.sealed) {
                if (file.table == table && file.time_max < then)
                    one.bytes += static_cast<std::uint64_t>(file.bytes);
            }
        }
        out.push_back(std::move(one));
    }
    return out;
}

}  // namespace fieldwatch::workspace
