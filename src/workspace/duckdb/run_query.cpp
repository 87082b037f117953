#include "workspace/duckdb/run_query.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/log.hpp"
#include "workspace/duckdb/cell.hpp"
#include "workspace/tables.hpp"

namespace fieldwatch::workspace {
namespace {

QueryError::Kind kind_of(kql::KqlError::Kind kind) {
    switch (kind) {
        case kql::KqlError::Kind::Syntax:
            return QueryError::Kind::Syntax;
        case kql::KqlError::Kind::Semantic:
            return QueryError::Kind::Semantic;
        case kql::KqlError::Kind::Unsupported:
            return QueryError::Kind::Unsupported;
        case kql::KqlError::Kind::Limit:
            return QueryError::Kind::Limit;
    }
    return QueryError::Kind::Internal;
}

QueryError refused(kql::KqlError error) {
    return {kind_of(error.kind), std::move(error.message), error.line, error.column, error.length};
}

QueryError failed(const Error& error, const QueryRequest& request, bool expired) {
    if (expired) {
        return {QueryError::Kind::Timeout, "the query ran longer than " +
                                               std::to_string(request.timeout.count()) +
                                               " ms: narrow the time range or the columns"};
    }
    if (error.code == Errc::Exhausted) {
        return {QueryError::Kind::Limit,
                "the query needs more memory than a query may use: narrow the time range or the columns"};
    }
    if (error.message.contains(kql::kTooLong))
        return {QueryError::Kind::Limit, std::string(kql::kTooLong) + ": repeat, join or replace less"};
    if (error.message.contains(kql::kTooMuch))
        return {QueryError::Kind::Limit, std::string(kql::kTooMuch) + ": make less of each row, or of fewer"};
    if (error.message.contains(kql::kTooManyRows))
        return {QueryError::Kind::Limit,
                std::string(kql::kTooManyRows) + ": narrow its bounds or widen its step"};
    log::warning("workspace", "a query failed in the engine: " + error.message);
    return {QueryError::Kind::Internal,
            "the engine could not run the query: " + error.message.substr(0, error.message.find('\n'))};
}

/// The Log Analytics API's object, spec/workspace.md section 4.
std::string render_json(const kql::Render& render) {
    if (render.visualization.empty()) return {};
    nlohmann::ordered_json json = {{"visualization", render.visualization},
                                   {"title", nullptr},
                                   {"accumulate", false},
                                   {"isQuerySorted", false},
                                   {"kind", "default"},
                                   {"annotation", ""},
                                   {"by", nullptr}};
    for (const auto& [name, value] : render.properties)
        json[name] = value;
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::vector<Parameter> views_of(const std::vector<kql::Parameter>& parameters) {
    std::vector<Parameter> out;
    for (const auto& parameter : parameters) {
        out.push_back(std::visit([](const auto& value) -> Parameter { return value; }, parameter));
    }
    return out;
}

/// Appends the chunk's rows; false when a bound was met.
bool gather(const Chunk& chunk, const QueryRequest& request, ResultTable& table, std::size_t& bytes) {
    std::vector<ColumnView> columns;
    for (std::size_t i = 0; i < table.columns.size(); ++i)
        columns.emplace_back(chunk, i);
    const auto count = duckdb_data_chunk_get_size(chunk.get());
    for (std::size_t row = 0; row < count; ++row) {
        if (table.rows.size() == request.rows_max) return false;
        std::vector<Value> cells;
        cells.reserve(columns.size());
        for (std::size_t i = 0; i < columns.size(); ++i) {
            cells.push_back(cell_value(columns[i], row, table.columns[i].type));
            const auto* text = std::get_if<std::string>(&cells.back());
            bytes += text == nullptr ? sizeof(Value) : sizeof(Value) + text->size();
        }
        if (bytes > request.bytes_max) return false;
        table.rows.push_back(std::move(cells));
    }
    return true;
}

/// The raw events under their later name: EventDetails is dynamic there (spec/workspace.md section 1).
kql::CatalogTable defender_view(kql::CatalogTable table) {
    table.name = kDefenderView;
    table.alias = true;
    for (auto& column : table.columns) {
        if (column.name == "Type") column.sql = quote_literal(kDefenderView);
        if (column.name != "EventDetails") continue;
        column.type = kql::ColumnType::Dynamic;
        column.sql = "CASE WHEN json_valid(\"EventDetails\") THEN \"EventDetails\" END";
        column.nullable = true;
    }
    return table;
}

}  // namespace

kql::Catalog catalog_of(const Layout& layout, const std::string& sealed_directory,
                        const ViewConstants& constants,
                        const std::function<std::int64_t(const Table&)>& oldest) {
    kql::Catalog catalog;
    for (const auto* table : tables::all()) {
        kql::CatalogTable entry;
        entry.name = table->name;
        entry.source_within = [&layout, table, sealed_directory, constants,
                               oldest = oldest(*table)](const kql::TimeBounds& bounds) {
            return "(" +
                   relation_sql(*table, layout, sealed_directory, constants,
                                {.oldest = oldest, .from = bounds.from, .to = bounds.to}) +
                   ")";
        };
        for (const auto& column : table->columns) {
            auto sql = quote_name(column.name);
            if (column.type == ColumnType::Guid) sql = "CAST(" + sql + " AS VARCHAR)";
            const bool nullable = column.type != ColumnType::String;
            entry.columns.push_back({.name = std::string(column.name),
                                     .type = column.type,
                                     .sql = std::move(sql),
                                     .nullable = nullable,
                                     .hidden = column.hidden});
        }
        for (const auto& detail : table->details) {
            entry.paths.push_back({std::string(table->details_column), std::string(detail.path),
                                   "coalesce(" + quote_name(detail.column) + ", '')"});
        }
        if (table == &tables::kSecurityIoTRawEvent) catalog.tables.push_back(defender_view(entry));
        catalog.tables.push_back(std::move(entry));
    }
    return catalog;
}

namespace {

/// What a discovery's rows say; the compiler bounds how many there are.
Result<std::vector<kql::DiscoveredColumn>> discover(Connection& connection,
                                                    const kql::CompiledQuery& discovery) {
    auto rows = FIELDWATCH_TRY(connection.stream(discovery.sql, views_of(discovery.parameters)));
    std::vector<kql::DiscoveredColumn> found;
    while (true) {
        const auto chunk = FIELDWATCH_TRY(rows.next());
        if (!chunk) return found;
        const ColumnView names(chunk, 0), types(chunk, 1);
        const auto text = [](const Value& value) {
            const auto* held = std::get_if<std::string>(&value);
            return held == nullptr ? std::string() : *held;
        };
        for (idx_t row = 0; row < duckdb_data_chunk_get_size(chunk.get()); ++row) {
            found.push_back({text(cell_value(names, row, ColumnType::String)),
                             text(cell_value(types, row, ColumnType::String))});
        }
    }
}

}  // namespace

std::expected<QueryAnswer, QueryError> run_query(Connection& connection, Watchdog& watchdog,
                                                 const Clock& clock, const kql::Catalog& catalog,
                                                 const QueryRequest& request) {
    const auto started = clock.monotonic();
    kql::Options options{.now = request.now.value_or(clock.now()), .from = request.from, .to = request.to};
    const Watchdog::Watch watch(watchdog, connection, request.timeout);
    auto compiled = kql::compile(request.text, catalog, options);
    while (compiled && compiled->discovery) {
        auto found = discover(connection, *compiled);
        if (!found || watch.expired())
            return std::unexpected(
                failed(found ? Error{Errc::Cancelled, ""} : found.error(), request, watch.expired()));
        options.discovered.push_back(std::move(*found));
        compiled = kql::compile(request.text, catalog, options);
    }
    if (!compiled) return std::unexpected(refused(std::move(compiled).error()));
    QueryAnswer answer;
    std::vector<const kql::CompiledQuery*> results{&*compiled};
    for (const auto& more : compiled->more)
        results.push_back(&more);
    std::size_t bytes = 0;
    for (const auto* result : results) {
        if (answer.truncated) break;
        auto& table = answer.tables.emplace_back();
        if (!result->name.empty()) table.name = result->name;
        for (const auto& column : result->columns)
            table.columns.push_back({column.name, column.type});
        const auto parameters = views_of(result->parameters);
        auto rows = connection.stream(result->sql, parameters);
        if (!rows) return std::unexpected(failed(rows.error(), request, watch.expired()));
        if (rows->column_count() != table.columns.size()) {
            return std::unexpected(QueryError{QueryError::Kind::Internal, "the plan's columns do not fit"});
        }
        while (!answer.truncated) {
            const auto chunk = rows->next();
            if (!chunk) return std::unexpected(failed(chunk.error(), request, watch.expired()));
            if (!*chunk) break;
            answer.truncated = !gather(*chunk, request, table, bytes);
        }
    }
    // A stream that was interrupted may end as if it had no more rows.
    if (!answer.truncated && watch.expired()) {
        return std::unexpected(failed({Errc::Cancelled, ""}, request, true));
    }
    answer.render_json = render_json(compiled->render);
    answer.duration = std::chrono::duration_cast<std::chrono::microseconds>(clock.monotonic() - started);
    return answer;
}

}  // namespace fieldwatch::workspace
