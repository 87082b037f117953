// Many small files become one: the hours of a day that is over are sorted together, so that a month is some
// thirty files, and one device's rows lie side by side in few row groups.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "workspace/duckdb/duckdb_workspace.hpp"
#include "workspace/tables.hpp"

namespace fieldwatch::workspace {
namespace {

/// More rows than this are not sorted at once: a fleet with so many has hours that are large enough alone.
constexpr std::int64_t kMergedRowsMax = 2'000'000;

using Files = std::vector<const SealedFile*>;

/// The first files, by period, whose rows together stay within the bound; fewer than two are not worth it.
Files within_bound(Files files) {
    std::ranges::sort(files, {}, &SealedFile::period_start);
    std::int64_t rows = 0;
    Files out;
    for (const auto* file : files) {
        if (rows + file->rows > kMergedRowsMax) continue;
        rows += file->rows;
        out.push_back(file);
    }
    return out.size() < 2 ? Files{} : out;
}

SealedFile merged_of(const Table& table, const Files& files, const Layout& layout, std::int64_t day) {
    SealedFile merged{.table = &table, .table_version = table.version};
    merged.time_min = INT64_MAX;
    merged.time_max = INT64_MIN;
    for (const auto* file : files) {
        merged.period_start = std::max(merged.period_start, file->period_start);
        merged.time_min = std::min(merged.time_min, file->time_min);
        merged.time_max = std::max(merged.time_max, file->time_max);
        merged.rows += file->rows;
    }
    // A second merge of the day, after a late seal, needs a name of its own.
    for (int number = 1;; ++number) {
        const auto stem = fmt::format("{}-day-{}-{}", table.name, day, number);
        merged.file = stem + ".parquet";
        // Neither that of a file which a purge wrote anew: its own may still have readers.
        const auto taken = std::ranges::any_of(
            layout.sealed, [&stem](const SealedFile& file) { return file.file.starts_with(stem); });
        if (!taken) return merged;
    }
}

}  // namespace

/// One day a call, the oldest first: a backlog does not hold up sealing.
Result<void> DuckdbWorkspace::merge_finished_day() {
    auto connection = FIELDWATCH_TRY(database_.connect());
    const auto layout = FIELDWATCH_TRY(read_layout(connection));
    for (const auto* table : tables::all()) {
        if (table->period != Period::Hour) continue;
        const auto day_seconds = period_seconds(*table) * 24;
        std::map<std::int64_t, Files> days;
        for (const auto& file : layout.sealed) {
            const auto day = file.period_start - file.period_start % day_seconds;
            if (file.table == table && day + day_seconds <= open_from_.at(table)) days[day].push_back(&file);
        }
        for (auto& [day, all] : days) {
            const auto files = within_bound(std::move(all));
            if (files.empty()) continue;
            return merge(connection, files, merged_of(*table, files, layout, day));
        }
    }
    return {};
}

Result<void> DuckdbWorkspace::merge(Connection& connection, const std::vector<const SealedFile*>& files,
                                    SealedFile merged) {
    merged.bytes = FIELDWATCH_TRY(
        write_sealed(connection, *merged.table,
                     sealed_sql(*merged.table, files, sealed_directory(), INT64_MIN), merged.file));
    auto transaction = FIELDWATCH_TRY(Transaction::begin(connection));
    FIELDWATCH_TRY(add_to_manifest(connection, merged));
    std::vector<std::string> names;
    for (const auto* file : files) {
        FIELDWATCH_TRY(
            connection.run("DELETE FROM _Manifest WHERE file = ?", {std::string_view(file->file)}));
        names.push_back(file->file);
    }
    FIELDWATCH_TRY(transaction.commit());
    counters_.merged_files.add(names.size());
    readers_.retire(std::move(names));
    return {};
}

}  // namespace fieldwatch::workspace
