// The logical plan: bound, typed, every column an id. The emitter turns it into SQL; nothing here is user
// text but constants' values.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kql/lexer.hpp"

namespace fieldwatch::kql {

struct Plan;
struct Expr;
using PlanPtr = std::shared_ptr<const Plan>;
using ExprPtr = std::shared_ptr<const Expr>;

struct SortKey {
    ExprPtr key;
    bool descending = true;
    bool nulls_first = false;
};

/// What a call's SQL does beside computing from its arguments.
struct CallTraits {
    bool random = false;      ///< gives another value each time
    bool asks_table = false;  ///< asks a table, for each row
};

enum class ExprKind : std::uint8_t {
    Constant,
    Column,
    Call,  ///< sql is a template: {0} … are the arguments, {*} all of them with commas, {order} the sort keys
    Parse,     ///< parse_json of args[0], a string
    Path,      ///< args[0] (dynamic) at `path`
    ToString,  ///< text of args[0] (dynamic): apart, so that typed columns can stand in
    Scalar,    ///< first cell of plan
    InPlan,    ///< args[0] in the first column of plan
};

struct Expr {
    ExprKind kind = ExprKind::Constant;
    ColumnType type = ColumnType::String;
    Parameter value;
    std::uint32_t column = 0;
    std::string sql;  ///< Call: template; Path: the JSON path
    std::vector<ExprPtr> args;
    std::vector<SortKey> order;      ///< Call: what {order} becomes
    std::vector<ExprPtr> partition;  ///< Call: what {partition} becomes
    PlanPtr plan;
    bool aggregate = false;     ///< holds an aggregate call
    bool window = false;        ///< holds a window call
    bool subquery = false;      ///< holds a Scalar or InPlan, or SQL that asks a table
    bool row_subquery = false;  ///< of these one that is asked for each row: no Scalar
    bool random = false;        ///< another value each time that it is computed
    bool over_lists = false;    ///< holds a call that goes over the elements of a list
    std::size_t weight = 1;     ///< size of its SQL, in nodes
};

struct PlanColumn {
    std::uint32_t id = 0;
    ExprPtr value;
};

enum class PlanKind : std::uint8_t {
    Scan,        ///< table; columns are catalog columns (value unset, `source` the position)
    Values,      ///< rows of constants
    Range,       ///< from, to, step in exprs; one column
    Filter,      ///< exprs: all must hold
    Project,     ///< columns, and nothing else
    Aggregate,   ///< keys, columns
    DistinctOn,  ///< any whole row for each combination of exprs
    Limit,       ///< first `count` in `order`
    Join,        ///< inputs[0], inputs[1]; exprs are pairs of keys
    Union,       ///< inputs one under the other; columns[i] ids; `rows[input]` gives the values
    Shared,      ///< inputs[0], computed once however often it is read
    Unnest,      ///< each columns[i].value is SQL list; one row per element, rows without elements vanish
};
enum class JoinKind : std::uint8_t { Inner, LeftOuter, RightOuter, FullOuter, LeftSemi, LeftAnti };

struct Plan {
    PlanKind kind = PlanKind::Scan;
    std::vector<PlanPtr> inputs;
    const CatalogTable* table = nullptr;
    std::vector<std::uint32_t> scan_ids;  ///< Scan: one per catalog column; also the ids of Values and Range
    std::vector<std::uint32_t> path_ids;  ///< Scan: one per catalog path
    std::vector<ColumnType> types;        ///< Values
    std::vector<ExprPtr> exprs;
    std::vector<PlanColumn> keys, columns;
    std::vector<std::vector<ExprPtr>> rows;
    std::vector<SortKey> order;
    std::int64_t count = 0;
    JoinKind join = JoinKind::Inner;
    ExprPtr condition{};  ///< Join: beside the keys, or in their place
};

/// Column id of a JSON text → (path, id of the typed column that holds it).
using TypedPaths = std::map<std::uint32_t, std::vector<std::pair<std::string, std::uint32_t>>>;

struct BoundQuery {
    PlanPtr plan;
    std::vector<ResultColumn> columns;
    std::vector<ExprPtr> values;
    std::vector<SortKey> order;
    Render render;
    TypedPaths typed_paths;
    bool discovery = false;  ///< CompiledQuery::discovery
    std::string name{};      ///< of its table, where the query gives several
    std::vector<BoundQuery> more{};
};

/// DuckDB's dialect. Errors: Limit when the text grows beyond limits.sql_bytes_max.
Parsed<CompiledQuery> emit_duckdb(const BoundQuery& query, const Options& options);

}  // namespace fieldwatch::kql
