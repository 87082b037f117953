// The plan as DuckDB's SQL. Every operator is a SELECT around its input's; column names are k<id>, so that no
// name of a user's gets into the text, and every string constant is a parameter.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "kql/expr.hpp"
#include "kql/plan.hpp"
#include "kql/sql_text.hpp"
#include "kql/time_bounds.hpp"

namespace fieldwatch::kql {
namespace {

class Emitter {
  public:
    Emitter(const Options& options, const TypedPaths& paths)
        : limit_(options.limits.sql_bytes_max), paths_(paths) {}

    Parsed<CompiledQuery> run(const BoundQuery& query) {
        for (const auto& value : query.values)
            use(value);
        for (const auto& key : query.order)
            use(key.key);
        use(query.plan);
        CompiledQuery result{.columns = query.columns, .render = query.render};
        const auto outer = begin_cells();
        std::string list;
        for (std::size_t i = 0; i < query.values.size(); ++i)
            list += fmt::format("{}{} AS c{}", i ? ", " : "", expr(result_value(query.values[i])), i);
        const auto order = order_by(query.order);
        const auto rows = from(select(query.plan), outer);
        std::string with;
        for (std::size_t i = 0; i < shared_.size(); ++i)
            with += fmt::format("{}s{} AS MATERIALIZED ({})", i ? ", " : "WITH ", i, shared_[i]);
        result.sql = fmt::format("{}{}SELECT {} FROM {}{}", with, with.empty() ? "" : " ", list, rows, order);
        if (too_long_ || result.sql.size() > limit_)
            return limit_error({}, "the query grows too large when it is put into the engine's language");
        result.parameters = std::move(parameters_);
        return result;
    }

  private:
    /// A decimal leaves as text, so that no reader rounds it.
    static ExprPtr result_value(const ExprPtr& value) {
        if (value->type != ColumnType::Decimal) return value;
        return call(ColumnType::String, "regexp_replace(CAST({0} AS VARCHAR), '[.]?0+$', '')", {value});
    }
    // Only the columns that something reads are taken from a table.
    void use(const ExprPtr& e) {
        if (!seen_.insert(e.get()).second) return;
        if (e->kind == ExprKind::Column) used_.insert(e->column);
        if (const auto typed = typed_column(*e)) {
            used_.insert(*typed);
            return;
        }
        for (const auto& arg : e->args)
            use(arg);
        for (const auto& key : e->order)
            use(key.key);
        for (const auto& key : e->partition)
            use(key);
        if (e->plan) use(e->plan);
    }
    void use(const PlanPtr& plan) {
        if (!seen_.insert(plan.get()).second) return;
        for (const auto& e : plan->exprs)
            use(e);
        for (const auto& c : plan->keys)
            use(c.value);
        for (const auto& c : plan->columns) {
            if (c.value) use(c.value);
        }
        for (const auto& row : plan->rows) {
            for (const auto& e : row)
                use(e);
        }
        for (const auto& key : plan->order)
            use(key.key);
        if (plan->condition) use(plan->condition);
        for (const auto& input : plan->inputs)
            use(input);
    }

    /// tostring(parse_json(column).path), or of a dynamic column's path, where the table stores that path as
    /// a column of its own.
    std::optional<std::uint32_t> typed_column(const Expr& e) const {
        if (e.kind != ExprKind::ToString || e.args[0]->kind != ExprKind::Path) return std::nullopt;
        const auto& path = *e.args[0];
        const auto& base = path.args[0]->kind == ExprKind::Parse ? path.args[0]->args[0] : path.args[0];
        if (base->kind != ExprKind::Column) return std::nullopt;
        const auto at = paths_.find(base->column);
        if (at == paths_.end()) return std::nullopt;
        for (const auto& [name, id] : at->second) {
            if (json_member(path.args[0], name)->sql == path.sql) return id;
        }
        return std::nullopt;
    }

    std::string grown(std::string sql) {
        if (sql.size() <= limit_) return sql;
        too_long_ = true;
        return "NULL";
    }

    std::string constant_sql(const Expr& e) {
        if (const auto* value = std::get_if<bool>(&e.value)) return *value ? "true" : "false";
        if (const auto* value = std::get_if<std::int64_t>(&e.value)) {
            if (*value == INT64_MIN) return "(-9223372036854775807 - 1)";
            return e.type == ColumnType::Int
                       ? fmt::format("{}::INTEGER",
                                     *value < 0 ? fmt::format("({})", *value) : std::to_string(*value))
                       : fmt::format("{}::BIGINT",
                                     *value < 0 ? fmt::format("({})", *value) : std::to_string(*value));
        }
        if (const auto* value = std::get_if<double>(&e.value)) {
            if (std::isnan(*value)) return "'nan'::DOUBLE";
            if (std::isinf(*value)) return *value > 0 ? "'inf'::DOUBLE" : "'-inf'::DOUBLE";
            return fmt::format("({})::DOUBLE", fmt::format("{:.17g}", *value));
        }
        if (const auto* value = std::get_if<std::string>(&e.value)) {
            const auto [at, added] = numbers_.try_emplace(*value, parameters_.size() + 1);
            if (added) parameters_.emplace_back(*value);
            return fmt::format("CAST(${} AS VARCHAR)", at->second);
        }
        return fmt::format("CAST(NULL AS {})", sql_type(e.type));
    }

    /// The expression, so that no operator beside it takes a part of it.
    std::string operand(const ExprPtr& e) {
        auto sql = expr(e);
        return e->kind != ExprKind::Call || is_one_operand(sql) ? sql : "(" + sql + ")";
    }

    /// Within a SELECT, what its expressions read beside its rows: cells of other tables, each a column,
    /// because the engine takes no sub-query where a lambda or TRY is. Begins those of an inner SELECT;
    /// from() ends them.
    std::size_t begin_cells() { return std::exchange(cells_begin_, cells_.size()); }
    std::string from(const std::string& rows, std::size_t outer) {
        std::string beside;
        for (auto i = cells_begin_; i < cells_.size(); ++i)
            beside += fmt::format("{}{} AS {}", beside.empty() ? ", (SELECT " : ", ", cells_[i].sql,
                                  cells_[i].name);
        cells_.resize(cells_begin_);
        cells_begin_ = outer;
        return fmt::format("({}) AS t{}{}", rows, beside, beside.empty() ? "" : ") AS h");
    }
    struct Cell {
        PlanPtr plan;
        std::string name, sql;
    };
    const Cell* named_cell(const PlanPtr& plan) const {
        const auto at = std::find_if(cells_.begin() + static_cast<std::ptrdiff_t>(cells_begin_), cells_.end(),
                                     [&](const Cell& one) { return one.plan == plan; });
        return at == cells_.end() ? nullptr : &*at;
    }
    std::string cell(const PlanPtr& plan) {
        const auto place = std::exchange(place_, {});
        auto sql = place.closed && named_cell(plan) ? "" : grown(fmt::format("({})", select(plan)));
        place_ = place;
        if (!place.closed) return sql;
        if (!named_cell(plan)) cells_.push_back({plan, fmt::format("h{}", ++cells_named_), std::move(sql)});
        const auto& name = named_cell(plan)->name;
        return place.of_groups ? fmt::format("any_value({})", name) : name;
    }

    std::string fill(const Expr& e, std::string_view sql) {
        const auto outer = place_;
        place_.closed |= is_closed_to_subqueries(sql);
        if (e.aggregate && std::ranges::none_of(e.args, &Expr::aggregate)) place_.of_groups = false;
        auto out = filled(e, sql);
        place_ = outer;
        return out;
    }
    std::string filled(const Expr& e, std::string_view sql) {
        std::string out;
        for (std::size_t i = 0; i < sql.size();) {
            const auto open = sql.find('{', i);
            out += sql.substr(i, open - i);
            if (open == std::string_view::npos) break;
            const auto close = sql.find('}', open);
            const auto hole =
                close == std::string_view::npos ? std::string_view() : sql.substr(open + 1, close - open - 1);
            std::size_t index = 0;
            if (hole == "*" || hole == "rest") {
                for (std::size_t k = hole == "rest"; k < e.args.size(); ++k)
                    out += (k > (hole == "rest") ? ", " : "") + expr(e.args[k]);
            } else if (hole == "order") {
                out += order_by(e.order);
            } else if (hole == "partition") {
                for (std::size_t k = 0; k < e.partition.size(); ++k)
                    out += (k ? ", " : "PARTITION BY ") + expr(e.partition[k]);
            } else if (!hole.empty() &&
                       std::from_chars(hole.data(), hole.data() + hole.size(), index).ptr ==
                           hole.data() + hole.size() &&
                       index < e.args.size()) {
                out += operand(e.args[index]);
            } else {
                out.push_back('{');
                i = open + 1;
                continue;
            }
            i = close + 1;
        }
        return grown(std::move(out));
    }

    /// A dynamic value's JSON text, for use as an argument of a JSON function that takes a path.
    std::string json_base(const ExprPtr& e) {
        if (e->kind == ExprKind::Parse)
            return fmt::format("CASE WHEN json_valid({0}) THEN {0} END", expr(e->args[0]));
        return expr(e);
    }

    std::string expr(const ExprPtr& e) {
        if (too_long_) return "NULL";
        switch (e->kind) {
            case ExprKind::Constant:
                return constant_sql(*e);
            case ExprKind::Column:
                return fmt::format("k{}", e->column);
            case ExprKind::Call:
                return fill(*e, e->sql);
            case ExprKind::Parse:
                return fill(*e, kParsedJsonSql);
            case ExprKind::Path:
                return grown(fmt::format("nullif(CAST(json_extract({}, '{}') AS VARCHAR), 'null')",
                                         json_base(e->args[0]), quoted_sql(e->sql)));
            case ExprKind::ToString: {
                if (const auto typed = typed_column(*e)) return fmt::format("k{}", *typed);
                const auto& inner = e->args[0];
                if (inner->kind == ExprKind::Path)
                    return grown(fmt::format("coalesce(json_extract_string({}, '{}'), '')",
                                             json_base(inner->args[0]), quoted_sql(inner->sql)));
                return grown(fmt::format("coalesce(json_extract_string({}, '$'), '')", expr(inner)));
            }
            case ExprKind::Scalar:
                return cell(e->plan);
            case ExprKind::InPlan:
                return grown(fmt::format("coalesce({} IN ({}), false)", expr(e->args[0]), select(e->plan)));
        }
        return "NULL";
    }

    /// A condition where null and false are the same: equality is written plainly, so that it reaches the
    /// scan.
    std::string condition(const ExprPtr& e) {
        if (e->kind == ExprKind::InPlan)
            return grown(fmt::format("({} IN ({}))", expr(e->args[0]), select(e->plan)));
        if (e->kind != ExprKind::Call) return expr(e);
        if (e->sql == kEqualSql) return grown(fmt::format("({} = {})", expr(e->args[0]), expr(e->args[1])));
        if (e->sql == kInSql) return fill(*e, "({0} IN ({rest}))");
        if (e->sql.starts_with("({0} AND ") || e->sql.starts_with("({0} OR ")) {
            std::string out;
            for (const auto& arg : e->args)
                out += (out.empty()                       ? "("
                        : e->sql.starts_with("({0} AND ") ? " AND "
                                                          : " OR ") +
                       condition(arg);
            return grown(out + ")");
        }
        return fill(*e, e->sql);
    }

    std::string order_by(const std::vector<SortKey>& order) {
        std::string out;
        for (const auto& key : order) {
            if (is_constant(key.key)) continue;
            out += fmt::format("{}{} {} NULLS {}", out.empty() ? " ORDER BY " : ", ", expr(key.key),
                               key.descending ? "DESC" : "ASC", key.nulls_first ? "FIRST" : "LAST");
        }
        return out;
    }

    std::string select(const PlanPtr& plan) {
        if (too_long_) return "SELECT NULL";
        switch (plan->kind) {
            case PlanKind::Scan:
                return scan(*plan, {});
            case PlanKind::Values:
                return values(*plan);
            case PlanKind::Range:
                return range(*plan);
            case PlanKind::Filter:
                return filter(*plan);
            case PlanKind::Project: {
                const auto outer = begin_cells();
                const auto list = columns(plan->columns);
                return grown(fmt::format("SELECT {} FROM {}", list, from(select(plan->inputs[0]), outer)));
            }
            case PlanKind::Aggregate:
                return aggregate(*plan);
            case PlanKind::DistinctOn: {
                const auto outer = begin_cells();
                std::string keys;
                for (const auto& key : plan->exprs)
                    keys += (keys.empty() ? "" : ", ") + expr(key);
                return grown(fmt::format("SELECT DISTINCT ON ({}) t.* FROM {}", keys,
                                         from(select(plan->inputs[0]), outer)));
            }
            case PlanKind::Limit: {
                const auto outer = begin_cells();
                const auto order = order_by(plan->order);
                return grown(fmt::format("SELECT t.* FROM {}{} LIMIT {}",
                                         from(select(plan->inputs[0]), outer), order, plan->count));
            }
            case PlanKind::Join:
                return join(*plan);
            case PlanKind::Union:
                return union_all(*plan);
            case PlanKind::Shared:
                return shared(plan);
            case PlanKind::Unnest: {
                const auto outer = begin_cells();
                std::string list;
                for (const auto& column : plan->columns)
                    list += fmt::format(", unnest({}) AS k{}", expr(column.value), column.id);
                return grown(fmt::format("SELECT t.*{} FROM {}", list, from(select(plan->inputs[0]), outer)));
            }
        }
        return "SELECT NULL";
    }

    /// One that others read is written before them.
    std::string shared(const PlanPtr& plan) {
        auto at = shared_at_.find(plan.get());
        if (at == shared_at_.end()) {
            auto sql = select(plan->inputs[0]);
            at = shared_at_.emplace(plan.get(), shared_.size()).first;
            shared_.push_back(std::move(sql));
        }
        return fmt::format("SELECT * FROM s{}", at->second);
    }

    std::string columns(const std::vector<PlanColumn>& list) {
        std::string out;
        for (const auto& column : list)
            out += fmt::format("{}{} AS k{}", out.empty() ? "" : ", ", expr(column.value), column.id);
        return out.empty() ? "1 AS none" : out;
    }

    std::string scan(const Plan& plan, const TimeBounds& bounds) {
        std::string list;
        for (std::size_t i = 0; i < plan.scan_ids.size(); ++i) {
            if (!used_.contains(plan.scan_ids[i])) continue;
            const auto& column = plan.table->columns[i];
            auto sql = column.sql;
            if (column.storage == Storage::UnixTicks) sql = fmt::format("({} + {})", sql, kUnixEpochTicks);
            if (column.type == ColumnType::String && column.nullable)
                sql = fmt::format("coalesce({}, '')", sql);
            list += fmt::format("{}{} AS k{}", list.empty() ? "" : ", ", sql, plan.scan_ids[i]);
        }
        for (std::size_t i = 0; i < plan.path_ids.size(); ++i) {
            if (used_.contains(plan.path_ids[i]))
                list += fmt::format("{}{} AS k{}", list.empty() ? "" : ", ", plan.table->paths[i].sql,
                                    plan.path_ids[i]);
        }
        return grown(fmt::format(
            "SELECT {} FROM {}", list.empty() ? "1 AS none" : list,
            plan.table->source_within ? plan.table->source_within(bounds) : plan.table->source_sql));
    }

    std::string values(const Plan& plan) {
        if (plan.scan_ids.empty()) return "SELECT 1 AS none";
        std::string rows, names, nulls;
        for (std::size_t i = 0; i < plan.scan_ids.size(); ++i) {
            names += fmt::format("{}k{}", i ? ", " : "", plan.scan_ids[i]);
            nulls += fmt::format("{}CAST(NULL AS {})", i ? ", " : "", sql_type(plan.types[i]));
        }
        for (const auto& row : plan.rows) {
            rows += rows.empty() ? "(" : ", (";
            for (std::size_t i = 0; i < row.size(); ++i)
                rows += (i ? ", " : "") + expr(row[i]);
            rows += ")";
        }
        if (rows.empty())
            return fmt::format("SELECT * FROM (VALUES ({})) AS v({}) WHERE false", nulls, names);
        return grown(fmt::format("SELECT * FROM (VALUES {}) AS v({})", rows, names));
    }

    std::string range(const Plan& plan) {
        // At most a million rows, else the query stops: a cast that fails says why. A step of zero gives
        // none.
        const auto outer = begin_cells();
        const auto low = expr(plan.exprs[0]), high = expr(plan.exprs[1]), step = expr(plan.exprs[2]);
        const auto one = from("SELECT 1 AS none", outer);
        const auto refused = fmt::format("CAST('{}' AS BIGINT)", kTooManyRows);
        if (plan.types[0] == ColumnType::Real)
            return grown(
                fmt::format("SELECT {0} + r * {2} AS k{3} FROM (SELECT unnest(range(CASE WHEN isfinite(({1} "
                            "- {0}) / {2}) "
                            "THEN CASE WHEN ({1} - {0}) / {2} + 1e-9 < 1000000 THEN CAST(greatest(floor(({1} "
                            "- {0}) / {2} + "
                            "1e-9) + 1, 0) AS BIGINT) ELSE {5} END ELSE 0 END)) AS r, * FROM {4}) AS t",
                            low, high, step, plan.scan_ids[0], one, refused));
        return grown(fmt::format(
            "SELECT CAST(CAST({0} AS HUGEINT) + r * {2} AS BIGINT) AS k{3} FROM (SELECT unnest(range(CASE "
            "WHEN {2} <> 0 AND (CAST({1} AS HUGEINT) - {0}) * sign({2}) >= 0 THEN CASE WHEN (CAST({1} AS "
            "HUGEINT) - {0}) // nullif({2}, 0) < 1000000 THEN CAST((CAST({1} AS HUGEINT) - {0}) // "
            "nullif({2}, "
            "0) + 1 AS BIGINT) ELSE {5} END ELSE 0 END)) AS r, * FROM {4}) AS t",
            low, high, step, plan.scan_ids[0], one, refused));
    }

    std::string filter(const Plan& plan) {
        const auto outer = begin_cells();
        const auto* at = &plan;
        std::vector<std::string> conditions;
        std::vector<ExprPtr> exprs;
        while (true) {
            for (const auto& e : at->exprs) {
                conditions.insert(conditions.begin(), condition(e));
                exprs.push_back(e);
            }
            if (at->inputs[0]->kind != PlanKind::Filter) break;
            at = at->inputs[0].get();
        }
        std::string all;
        for (const auto& one : conditions)
            all += (all.empty() ? "" : " AND ") + one;
        const auto& input = at->inputs[0];
        const auto rows =
            input->kind == PlanKind::Scan ? scan(*input, time_bounds(*input, exprs)) : select(input);
        return grown(fmt::format("SELECT t.* FROM {} WHERE {}", from(rows, outer), all));
    }

    std::string aggregate(const Plan& plan) {
        const auto outer = begin_cells();
        std::string list, keys;
        for (std::size_t i = 0; i < plan.keys.size(); ++i) {
            list += fmt::format("{}{} AS k{}", i ? ", " : "", expr(plan.keys[i].value), plan.keys[i].id);
            keys += fmt::format("{}{}", i ? ", " : "", i + 1);
        }
        const auto place = std::exchange(place_, Place{.of_groups = true});
        for (const auto& column : plan.columns)
            list += fmt::format("{}{} AS k{}", list.empty() ? "" : ", ", expr(column.value), column.id);
        place_ = place;
        if (list.empty()) list = "1 AS none";
        return grown(fmt::format("SELECT {} FROM {}{}", list, from(select(plan.inputs[0]), outer),
                                 keys.empty() ? "" : " GROUP BY " + keys));
    }

    std::string join(const Plan& plan) {
        constexpr std::string_view kWords[] = {"INNER", "LEFT", "RIGHT", "FULL", "SEMI", "ANTI"};
        std::string on;
        for (std::size_t i = 0; i + 1 < plan.exprs.size(); i += 2)
            on += fmt::format("{}{} = {}", on.empty() ? "" : " AND ", expr(plan.exprs[i]),
                              expr(plan.exprs[i + 1]));
        if (plan.condition) on += (on.empty() ? "" : " AND ") + expr(plan.condition);
        return grown(fmt::format("SELECT * FROM ({}) AS l {} JOIN ({}) AS r ON {}", select(plan.inputs[0]),
                                 kWords[static_cast<std::size_t>(plan.join)], select(plan.inputs[1]), on));
    }

    std::string union_all(const Plan& plan) {
        std::string out;
        for (std::size_t i = 0; i < plan.inputs.size(); ++i) {
            const auto outer = begin_cells();
            std::string list;
            for (std::size_t c = 0; c < plan.scan_ids.size(); ++c)
                list += fmt::format("{}{} AS k{}", c ? ", " : "", expr(plan.rows[i][c]), plan.scan_ids[c]);
            out += fmt::format("{}SELECT {} FROM {}", i ? " UNION ALL " : "", list,
                               from(select(plan.inputs[i]), outer));
        }
        return grown(std::move(out));
    }

    std::size_t limit_;
    const TypedPaths& paths_;
    bool too_long_ = false;
    std::set<const void*> seen_;
    std::map<const Plan*, std::size_t> shared_at_;
    std::vector<std::string> shared_;
    std::set<std::uint32_t> used_;
    std::vector<Cell> cells_;      ///< of the SELECTs that are being written, the innermost last
    std::size_t cells_begin_ = 0;  ///< of the innermost
    std::size_t cells_named_ = 0;
    struct Place {
        bool closed = false;     ///< no sub-query may stand here
        bool of_groups = false;  ///< beside aggregates, not in one: a column of the rows has no value here
    };
    Place place_;
    std::map<std::string, std::size_t> numbers_;
    std::vector<Parameter> parameters_;
};

}  // namespace

Parsed<CompiledQuery> emit_duckdb(const BoundQuery& query, const Options& options) {
    return Emitter(options, query.typed_paths).run(query);
}

}  // namespace fieldwatch::kql
