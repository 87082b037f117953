// Personal data goes, from hot tables and sealed files: the rows of a device, or a name inside every text. A
// sealed file is written anew beside the old one, which leaves the manifest in the same transaction.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/words.hpp"
#include "workspace/duckdb/duckdb_workspace.hpp"
#include "workspace/tables.hpp"

namespace fieldwatch::workspace {
namespace {

/// What a purge does to one table.
struct Surgery {
    std::string matches;             ///< condition of the rows that it concerns
    std::string replaced, assigned;  ///< of those texts, as * REPLACE and SET want them; "" = the rows go

    std::string kept_of(const std::string& relation) const {
        return replaced.empty() ? "SELECT * FROM " + relation + " WHERE NOT (" + matches + ")"
                                : "SELECT * REPLACE (" + replaced + ") FROM " + relation;
    }
    std::string change_of(const std::string& table) const {
        return replaced.empty() ? "DELETE FROM " + table + " WHERE " + matches
                                : "UPDATE " + table + " SET " + assigned + " WHERE " + matches;
    }
};

/// Where a table says whose row it is; the hub's resource id is compared without case.
struct Owner {
    const Table* table;
    std::string_view device, resource;
};
const Owner kOwners[] = {{&tables::kSecurityIoTRawEvent, "DeviceId", "AssociatedResourceId"},
                         {&tables::kSecurityAlert, "CompromisedEntity", "ResourceId"},
                         {&tables::kSecurityRecommendation, "DeviceId", "AssessedResourceId"},
                         {&tables::kAzureDiagnostics, "_DeviceId", "ResourceId"}};

std::optional<Surgery> of_device(const Table& table, const Options& options, const Purge& purge) {
    const auto* const owner = std::ranges::find(kOwners, &table, &Owner::table);
    if (owner == std::end(kOwners)) return std::nullopt;
    return Surgery{.matches = fmt::format("{} = {} AND lower({}) = lower({})", quote_name(owner->device),
                                          quote_literal(purge.device), quote_name(owner->resource),
                                          quote_literal(hub_resource_id(options, purge.hub))),
                   .replaced = {},
                   .assigned = {}};
}

/// Columns that say which row it is, or what kind of row: no names of people.
bool is_text_of_people(std::string_view name) {
    constexpr std::string_view kOthers[] = {"DeviceId",
                                            "_DeviceId",
                                            "CompromisedEntity",
                                            "ResourceId",
                                            "AssociatedResourceId",
                                            "AssessedResourceId",
                                            "Resource",
                                            "SystemAlertId",
                                            "RecommendationId",
                                            "IoTRawEventId",
                                            "AlertType",
                                            "AlertSeverity",
                                            "Status",
                                            "RawEventName",
                                            "RawEventType",
                                            "RawEventCategory",
                                            "RecommendationName",
                                            "RecommendationSeverity",
                                            "RecommendationState",
                                            "OperationName",
                                            "Category",
                                            "CorrelationId",
                                            "Level",
                                            "AlertLink"};
    return std::ranges::find(kOthers, name) == std::end(kOthers);
}

std::optional<Surgery> of_name(const Table& table, const Purge& purge) {
    std::string matches, replaced, assigned;
    for (const auto& column : table.stored) {
        if (column.storage != Storage::Text || !is_text_of_people(column.name)) continue;
        const auto name = quote_name(column.name);
        const auto pattern = quote_literal(word_pattern(purge.user_name));
        const auto without =
            fmt::format("regexp_replace({}, {}, {}, 'g')", name, pattern, quote_literal(kPurged));
        const auto* const comma = matches.empty() ? "" : ", ";
        replaced += fmt::format("{}{} AS {}", comma, without, name);
        assigned += fmt::format("{}{} = {}", comma, name, without);
        matches += fmt::format("{}coalesce(regexp_matches({}, {}), false)", matches.empty() ? "" : " OR ",
                               name, pattern);
    }
    if (matches.empty()) return std::nullopt;
    return Surgery{.matches = matches, .replaced = replaced, .assigned = assigned};
}

Result<std::int64_t> count_of(Connection& connection, const std::string& relation, const Surgery& surgery) {
    return FIELDWATCH_TRY(
               connection.integer(fmt::format("SELECT count(*) FROM {} WHERE {}", relation, surgery.matches)))
        .value_or(0);
}

}  // namespace

Result<Purged> DuckdbWorkspace::purge(const Purge& what) {
    if (what.device.empty() == what.user_name.empty())
        return fail(Errc::InvalidArgument, "a purge is of a device or of a user's name");
    const std::scoped_lock one(maintain_mutex_);
    auto connection = FIELDWATCH_TRY(database_.connect());
    const auto layout = FIELDWATCH_TRY(read_layout(connection));
    Purged out;
    for (const auto* table : tables::all()) {
        const auto surgery = what.device.empty() ? of_name(*table, what) : of_device(*table, options_, what);
        if (!surgery) continue;
        std::uint64_t rows = 0;
        for (const auto& hot : layout.hot) {
            if (hot.table != table) continue;
            const auto name = quote_name(hot.name);
            rows += static_cast<std::uint64_t>(FIELDWATCH_TRY(count_of(connection, name, *surgery)));
            if (!what.only_count) FIELDWATCH_TRY(connection.run(surgery->change_of(name)));
        }
        for (const auto& file : layout.sealed) {
            if (file.table != table) continue;
            const auto relation = "(" + sealed_sql(*table, {&file}, sealed_directory(), INT64_MIN) + ")";
            const auto found = FIELDWATCH_TRY(count_of(connection, relation, *surgery));
            if (found == 0) continue;
            rows += static_cast<std::uint64_t>(found);
            ++out.sealed_files;
            if (what.only_count) continue;
            FIELDWATCH_TRY(replace_sealed(connection, file, surgery->kept_of(relation)));
        }
        out.rows.emplace_back(table->name, rows);
    }
    if (what.only_count) return out;
    if (!what.device.empty()) {
        FIELDWATCH_TRY(connection.run("DELETE FROM _AlertState WHERE entity = ? AND hub = ?",
                                      {std::string_view(what.device), std::string_view(what.hub)}));
        FIELDWATCH_TRY(connection.run("DELETE FROM _RecommendationState WHERE device = ? AND hub = ?",
                                      {std::string_view(what.device), std::string_view(what.hub)}));
    }
    FIELDWATCH_TRY(purge_outbox(connection, what));
    unlink_unread();
    // What the log of the database still says goes with it; a query that runs may put that off.
    const std::unique_lock gate(gate_);
    out.log_written_back = connection.run("CHECKPOINT").has_value();
    return out;
}

/// What still waits to leave: a device's findings go, a name is written over as in every text.
Result<void> DuckdbWorkspace::purge_outbox(Connection& connection, const Purge& what) {
    const std::scoped_lock lock(outbox_mutex_);
    if (what.device.empty())
        return connection.run(fmt::format("UPDATE _Outbox SET body = regexp_replace(body, {}, {}, 'g')",
                                          quote_literal(word_pattern(what.user_name)),
                                          quote_literal(kPurged)));
    return connection.run(
        "DELETE FROM _Outbox WHERE CASE WHEN json_valid(body) THEN "
        "json_extract_string(body, '$.finding.Hub') = ? AND coalesce(json_extract_string(body, "
        "'$.finding.CompromisedEntity'), json_extract_string(body, '$.finding.DeviceId')) = ? ELSE false END",
        {std::string_view(what.hub), std::string_view(what.device)});
}

/// Writes what stays of a sealed file under a new name, and puts that into the manifest in its place.
Result<void> DuckdbWorkspace::replace_sealed(Connection& connection, const SealedFile& old,
                                             const std::string& rows_sql) {
    auto fresh = old;
    fresh.table_version = old.table->version;
    const auto stem = old.file.substr(0, old.file.find(kPurgedMark));
    std::uint64_t number = 1;
    if (const auto mark = old.file.find(kPurgedMark); mark != std::string::npos)
        number = std::strtoull(old.file.c_str() + mark + kPurgedMark.size(), nullptr, 10) + 1;
    fresh.file = fmt::format("{}{}{}.parquet", stem.substr(0, stem.rfind(".parquet")), kPurgedMark, number);
    fresh.rows = FIELDWATCH_TRY(connection.integer("SELECT count(*) FROM (" + rows_sql + ")")).value_or(0);
    if (fresh.rows > 0)
        fresh.bytes = FIELDWATCH_TRY(write_sealed(connection, *old.table, rows_sql, fresh.file));
    auto transaction = FIELDWATCH_TRY(Transaction::begin(connection));
    FIELDWATCH_TRY(connection.run("DELETE FROM _Manifest WHERE file = ?", {std::string_view(old.file)}));
    if (fresh.rows > 0) FIELDWATCH_TRY(add_to_manifest(connection, fresh));
    FIELDWATCH_TRY(transaction.commit());
    readers_.retire({old.file});
    return {};
}

}  // namespace fieldwatch::workspace
