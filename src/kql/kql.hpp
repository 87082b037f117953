// The query language: KQL text in, SQL with parameters out (spec/workspace.md sections 2 and 3). Pure: knows
// no engine library; the workspace executes what comes out. Stands between the query APIs and the workspace.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.hpp"

namespace fieldwatch::kql {

enum class ColumnType : std::uint8_t {
    Bool,
    Int,
    Long,
    Real,
    Decimal,
    String,
    Guid,
    DateTime,
    TimeSpan,
    Dynamic
};
std::string_view to_string(ColumnType type);  ///< bool, int, long, real, decimal, string, guid, datetime, …

/// Ticks of 1970-01-01 when counted from 0001-01-01, as datetimes are inside plans, in SQL and in results.
inline constexpr std::int64_t kUnixEpochTicks = 621'355'968'000'000'000;
/// Parts of what the engine says when it stops at one value, or a range, that would grow too large.
inline constexpr std::string_view kTooLong = "a text or an array would be longer than 16 MiB";
inline constexpr std::string_view kTooMuch =
    "texts or arrays of 2,048 rows would take more than 64 MiB together";
inline constexpr std::string_view kTooManyRows = "range gives at most 1,000,000 rows";

/// How a catalog column's SQL expression yields its value. Everything else is the natural SQL type: BOOLEAN,
/// INTEGER, BIGINT, DOUBLE, VARCHAR (string; guid in lower case; dynamic as valid JSON text, SQL NULL for
/// null).
enum class Storage : std::uint8_t {
    Natural,    ///< datetime and timespan: BIGINT, 100 ns (datetime since 0001-01-01)
    UnixTicks,  ///< datetime: BIGINT, 100 ns since 1970-01-01
};

struct CatalogColumn {
    std::string name;
    ColumnType type = ColumnType::String;
    std::string sql;  ///< expression over the source, best a bare column so that filters reach the scan
    Storage storage = Storage::Natural;
    bool nullable = true;  ///< a string that may be SQL NULL is read as ''
    bool hidden = false;   ///< usable by name, but not part of `*`
};
/// parse_json(Column).Path is also stored as a typed column: tostring() of it is read from there. The SQL
/// must yield exactly what tostring(parse_json(column).path) would, '' where there is none.
struct CatalogPath {
    std::string column, path, sql;
};
/// What the filters right over a table say of its time column: [from, to] in ticks since 0001-01-01.
struct TimeBounds {
    std::int64_t from = INT64_MIN, to = INT64_MAX;
};
struct CatalogTable {
    std::string name;
    std::string source_sql;  ///< what stands after FROM: a table or view name, or "(SELECT …)"
    /// Instead of source_sql: may leave out rows outside the bounds, as the query's own filters do anyway.
    std::function<std::string(const TimeBounds&)> source_within;
    std::vector<CatalogColumn> columns;
    std::vector<CatalogPath> paths;
    std::string time_column = "TimeGenerated";  ///< what the API's timespan restricts; "" for none
    bool alias = false;                         ///< the same rows as another table: `search` leaves it out
};
struct Catalog {
    std::vector<CatalogTable> tables;
    const CatalogTable* find(std::string_view name) const;
};

struct Limits {
    std::size_t text_bytes_max = 1u << 20;  ///< a statement; the published editors stop far below
    std::size_t depth_max = 100;  ///< nesting of expressions and sub-queries, so that recursion is bounded
    std::size_t plan_nodes_max = 1'000;    ///< operators after let tables are expanded
    std::size_t sql_bytes_max = 4u << 20;  ///< of emitted SQL: bounds what repeated arguments can grow to
    std::size_t discoveries_max = 20;      ///< queries that run before the query itself
    std::size_t discovered_max = 1'000;    ///< columns that one of them may name
};
/// A column that only the data know of: what a discovery query answered, a row each.
struct DiscoveredColumn {
    std::string name;
    std::string types;  ///< JSON types of its values, joined by commas; "" where nobody asked for them
};
struct Options {
    Timestamp now;  ///< now() for the whole query
    std::optional<Timestamp> from,
        to;  ///< [from, to) on each table's time column, beside the query's own filters
    Limits limits;
    std::vector<std::vector<DiscoveredColumn>> discovered;  ///< answers to discoveries so far, in order
};

/// A parameter's or constant's value; monostate is SQL NULL.
using Parameter = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

struct ResultColumn {
    std::string name;
    ColumnType type = ColumnType::String;
};
/// What `render` asked for; properties as written (title, xtitle, kind, …).
struct Render {
    std::string visualization;  ///< "" without a render operator
    std::vector<std::pair<std::string, std::string>> properties;
};
struct CompiledQuery {
    std::string sql;  ///< one SELECT; parameters are $1 … $n, never a user's text
    std::vector<Parameter> parameters;
    std::vector<ResultColumn> columns;  ///< positions are those of the SELECT; SQL names are c0, c1, …
    Render render;
    std::vector<std::string> tables;  ///< catalog tables it reads, sorted, each once
    /// Not the query yet: its rows (name, types) are to be appended to Options::discovered, and the text to
    /// be compiled again. `evaluate pivot` and `bag_unpack` name columns by what the rows hold.
    bool discovery = false;
    std::string name;                 ///< of its table, where the query gives several; else ""
    std::vector<CompiledQuery> more;  ///< further tables of one query: `fork`, `facet`
};

struct KqlError {
    enum class Kind : std::uint8_t { Syntax, Semantic, Unsupported, Limit } kind = Kind::Syntax;
    std::string message;                 ///< one sentence, with a suggestion where there is one
    std::uint32_t line = 0, column = 0;  ///< from 1, column in UTF-16 units
    std::uint32_t length = 0;
};

/// Compiles one query (let statements and one tabular expression). Any text ends in a query or an error; SQL
/// that comes out fails in the engine for no reason of type or name.
std::expected<CompiledQuery, KqlError> compile(std::string_view text, const Catalog& catalog,
                                               const Options& options);

/// Which operators and functions there are, with their null, empty and overflow cases: docs/kql-support.md.
std::string support_markdown();

}  // namespace fieldwatch::kql
