// Personal data goes, from hot tables and sealed files: the rows of a device, or a name inside every text. A
// sealed file is written anew beside the old one, which leaves the manifest in the same transaction.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "workspace/duckdb/duckdb_workspace.hpp"
#include "workspace/duckdb/engine_functions.hpp"
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

/// Alerts of the hub itself bear its name as their entity. A device of that name has its own, which say so.
bool is_hub_name(const Purge& purge) {
    return std::ranges::equal(purge.device, purge.hub, [](unsigned char a, unsigned char b) {
        return std::tolower(a) == std::tolower(b);
    });
}

std::optional<Surgery> of_device(const Table& table, const Options& options, const Purge& purge) {
    const auto* const owner = std::ranges::find(kOwners, &table, &Owner::table);
    if (owner == std::end(kOwners)) return std::nullopt;
    auto matches = fmt::format("{} = {} AND lower({}) = lower({})", quote_name(owner->device),
                               quote_literal(purge.device), quote_name(owner->resource),
                               quote_literal(hub_resource_id(options, purge.hub)));
    if (&table == &tables::kSecurityAlert && is_hub_name(purge))
        matches += fmt::format(
            " AND CASE WHEN json_valid(\"ExtendedProperties\") THEN coalesce(json_extract_string("
            "\"ExtendedProperties\", '$.DeviceId') = {}, false) ELSE false END",
            quote_literal(purge.device));
    return Surgery{.matches = std::move(matches), .replaced = {}, .assigned = {}};
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

/// A column without the name. Of a field of the details that is a number or the like in them the text stays.
std::string without_name_sql(const Table& table, const StoredColumn& column, const Purge& purge) {
    const auto name = quote_name(column.name);
    auto without = fmt::format("{}({}, {})", kWithoutName, name, quote_literal(purge.user_name));
    const auto detail = std::ranges::find(table.details, column.name, &DetailPath::column);
    if (detail == table.details.end()) return without;
    const auto details = quote_name(table.details_column);
    return fmt::format(
        "CASE WHEN json_valid({0}) AND coalesce(json_type({0}, {1}), 'VARCHAR') NOT IN ('VARCHAR', 'OBJECT', "
        "'ARRAY') THEN {2} ELSE {3} END",
        details, quote_literal(fmt::format("$.\"{}\"", detail->path)), name, without);
}

std::optional<Surgery> of_name(const Table& table, const Purge& purge) {
    std::string matches, replaced, assigned;
    for (const auto& column : table.stored) {
        if (column.storage != Storage::Text || !is_text_of_people(column.name)) continue;
        const auto name = quote_name(column.name);
        const auto without = without_name_sql(table, column, purge);
        const auto* const comma = matches.empty() ? "" : ", ";
        replaced += fmt::format("{}{} AS {}", comma, without, name);
        assigned += fmt::format("{}{} = {}", comma, name, without);
        matches += fmt::format("{}{} IS DISTINCT FROM {}", matches.empty() ? "" : " OR ", without, name);
    }
    if (matches.empty()) return std::nullopt;
    return Surgery{.matches = matches, .replaced = replaced, .assigned = assigned};
}

Result<std::int64_t> count_of(Connection& connection, const std::string& relation, const Surgery& surgery) {
    return FIELDWATCH_TRY(
               connection.integer(fmt::format("SELECT count(*) FROM {} WHERE {}", relation, surgery.matches)))
        .value_or(0);
}

/// Which alerts go: their states go by these where the name alone does not say whose they are.
Result<void> note_alerts(Connection& connection, const Table& table, const std::string& relation,
                         const Surgery& surgery) {
    if (&table != &tables::kSecurityAlert || !surgery.replaced.empty()) return {};
    return connection.run("INSERT INTO purged_alert SELECT DISTINCT \"SystemAlertId\" FROM " + relation +
                          " WHERE " + surgery.matches);
}

}  // namespace

Result<Purged> DuckdbWorkspace::purge(const Purge& what) {
    if (what.device.empty() == what.user_name.empty())
        return fail(Errc::InvalidArgument, "a purge is of a device or of a user's name");
    const std::scoped_lock one(maintain_mutex_);
    auto connection = FIELDWATCH_TRY(database_.connect());
    const auto layout = FIELDWATCH_TRY(read_layout(connection));
    FIELDWATCH_TRY(connection.run("CREATE TEMP TABLE purged_alert (id VARCHAR)"));
    Purged out;
    for (const auto* table : tables::all()) {
        const auto surgery = what.device.empty() ? of_name(*table, what) : of_device(*table, options_, what);
        if (!surgery) continue;
        std::uint64_t rows = 0;
        for (const auto& hot : layout.hot) {
            if (hot.table != table) continue;
            const auto name = quote_name(hot.name);
            rows += static_cast<std::uint64_t>(FIELDWATCH_TRY(count_of(connection, name, *surgery)));
            FIELDWATCH_TRY(note_alerts(connection, *table, name, *surgery));
            if (!what.only_count) FIELDWATCH_TRY(connection.run(surgery->change_of(name)));
        }
        for (const auto& file : layout.sealed) {
            if (file.table != table) continue;
            const auto relation = "(" + sealed_sql(*table, {&file}, sealed_directory(), INT64_MIN) + ")";
            const auto found = FIELDWATCH_TRY(count_of(connection, relation, *surgery));
            if (found == 0) continue;
            FIELDWATCH_TRY(note_alerts(connection, *table, relation, *surgery));
            rows += static_cast<std::uint64_t>(found);
            ++out.sealed_files;
            if (what.only_count) continue;
            FIELDWATCH_TRY(replace_sealed(connection, file, surgery->kept_of(relation)));
        }
        out.rows.emplace_back(table->name, rows);
    }
    if (what.only_count) return out;
    if (!what.device.empty()) {
        const std::string those = is_hub_name(what) ? " AND CAST(id AS VARCHAR) IN (FROM purged_alert)" : "";
        FIELDWATCH_TRY(connection.run("DELETE FROM _AlertState WHERE entity = ? AND hub = ?" + those,
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
        return connection.run(
            fmt::format("UPDATE _Outbox SET body = {0}(body, {1}) WHERE body <> {0}(body, {1})", kWithoutName,
                        quote_literal(what.user_name)));
    const std::string own =
        is_hub_name(what) ? "coalesce(json_extract_string(body, '$.finding.ExtendedProperties.DeviceId'), "
                            "json_extract_string(body, '$.finding.DeviceId')) IS NOT NULL AND "
                          : "";
    return connection.run(
        "DELETE FROM _Outbox WHERE CASE WHEN json_valid(body) THEN " + own +
            "json_extract_string(body, '$.finding.Hub') = ? AND coalesce(json_extract_string(body, "
            "'$.finding.CompromisedEntity'), json_extract_string(body, '$.finding.DeviceId')) = ? ELSE false "
            "END",
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
