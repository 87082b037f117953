// scan: the rows one after the other, each looked at with what the steps remember of those before. The engine
// reduces the list of rows to the list of what comes out; that list then meets the rows again.
#include <algorithm>

#include <fmt/format.h>

#include "kql/binder.hpp"
#include "kql/functions_sql.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

/// Of one group: the time grows with the square of the rows.
constexpr int kScanRowsMax = 5000;

void scanned_names(const Node& node, std::set<std::string>& names) {
    if (node.kind == NodeKind::Name || node.kind == NodeKind::Member) names.insert(node.text);
    // column_ifexists() names its column so.
    if (node.kind == NodeKind::Literal && node.token.kind == TokenKind::Text) names.insert(node.token.text);
    for (const auto& arg : node.args)
        scanned_names(*arg, names);
}

}  // namespace

/// A column that the steps remember: of the row (no fallback), or declared.
struct Remembered {
    std::string name;
    ColumnType type;
    ExprPtr fallback;
    std::string slot;
};

struct ScanStep {
    std::string name;
    bool puts_out = true;
    const Node* condition = nullptr;
    std::map<std::string, const Node*> values;
};

/// Writes the lambda's text. SQL names: scan_a what was remembered, scan_x the row, and for step k: scan_tk
/// what is remembered after it, scan_mk how it matched (0 not, 1 coming from the step before, 2 again),
/// scan_ek the row with its values. What is remembered: s.sk of each step (a: active, m: match, v1 … vk: rows
/// of the steps), c the next match, o what the row puts out.
class Binder::ScanWriter {
  public:
    ScanWriter(Binder& binder, std::vector<ScanStep> steps, std::vector<Remembered> columns)
        : binder_(binder), steps_(std::move(steps)), columns_(std::move(columns)) {}

    /// The list of what comes out of the list of rows {0}: n, the declared columns, m.
    Parsed<ExprPtr> write(const ExprPtr& rows) {
        args_ = {rows};
        std::string row_type = "n BIGINT", value_type, out_type = "n BIGINT";
        for (const auto& column : columns_) {
            const auto member = fmt::format(", {} {}", column.slot, sql_type(column.type));
            value_type += member;
            (column.fallback ? out_type : row_type) += member;
        }
        const auto value =
            fmt::format("STRUCT({}z BOOLEAN)", value_type.empty() ? "" : value_type.substr(2) + ", ");
        std::string state;
        for (std::size_t k = 1; k <= steps_.size(); ++k) {
            state += fmt::format("{}s{} STRUCT(a BOOLEAN, m BIGINT", k > 1 ? ", " : "", k);
            for (std::size_t j = 1; j <= k; ++j)
                state += fmt::format(", v{} {}", j, value);
            state += ")";
        }
        const auto none = fmt::format("CAST([] AS STRUCT({}, m BIGINT)[])", out_type);
        const auto element = [&](std::string_view row) {
            return fmt::format(
                "struct_pack(r := CAST({} AS STRUCT({})), s := CAST(NULL AS STRUCT({})), c := CAST(0 "
                "AS BIGINT), o := {})",
                row, row_type, state, none);
        };
        const auto stepped = FIELDWATCH_TRY(step(steps_.size(), "scan_t0"));
        const auto body = let(
            "scan_w",
            let("scan_t0", fmt::format("struct_pack(s := scan_a.s, c := scan_a.c, o := {})", none), stepped),
            "struct_pack(r := scan_x.r, s := scan_w.s, c := scan_w.c, o := list_concat(scan_a.o, scan_w.o))");
        return call(
            Dynamic,
            fmt::format("CASE WHEN len({{0}}) > {} THEN error('scan goes over at most {} rows of a group: "
                        "filter them first') ELSE list_reduce(list_prepend({}, list_transform({{0}}, lambda "
                        "scan_r: {})), lambda scan_a, scan_x: {}).o END",
                        kScanRowsMax, kScanRowsMax, element("NULL"), element("scan_r"), body),
            args_);
    }

  private:
    static std::string let(std::string_view name, std::string_view value, std::string_view body) {
        return fmt::format("list_transform([{}], lambda {}: {})[1]", value, name, body);
    }
    std::string hole(const ExprPtr& expr) {
        args_.push_back(expr);
        return fmt::format("{{{}}}", args_.size() - 1);
    }

    /// The row as step k sees it, and what the steps remember then: as it is promoted from the step before,
    /// or as it is.
    Relation row() const {
        Relation relation;
        for (const auto& column : columns_)
            relation.fields.push_back({column.name, column.fallback
                                                        ? column.fallback
                                                        : call(column.type, "scan_x.r." + column.slot, {})});
        return relation;
    }
    std::map<std::string, Relation> memory(std::size_t k, const std::string& state, bool promoted) const {
        std::map<std::string, Relation> out;
        for (std::size_t j = 1; j <= k; ++j) {
            auto& relation = out[steps_[j - 1].name];
            for (const auto& column : columns_) {
                const auto unset = column.fallback ? column.fallback : null_of(column.type);
                auto value = unset;
                if (!promoted || j < k) {
                    const auto of = fmt::format("{}.s.s{}.v{}", state, promoted ? k - 1 : k, j);
                    // A step may have assigned null: what it remembers is then that, not what was declared.
                    value = call(column.type,
                                 fmt::format("CASE WHEN {0}.z THEN {0}.{1} ELSE {{0}} END", of, column.slot),
                                 {unset});
                }
                relation.fields.push_back({column.name, value});
            }
        }
        return out;
    }

    /// `bind` with the steps' names in reach.
    template <class Bind>
    auto remembering(const std::map<std::string, Relation>& steps, Bind bind) {
        binder_.scan_steps_ = &steps;
        auto result = bind();
        binder_.scan_steps_ = nullptr;
        return result;
    }
    Parsed<std::string> condition(std::size_t k, const std::string& state, bool promoted) {
        const auto relation = row();
        const auto steps = memory(k, state, promoted);
        const auto& node = *steps_[k - 1].condition;
        const auto bound = FIELDWATCH_TRY(
            remembering(steps, [&] { return binder_.boolean(node, {.relation = &relation}); }));
        if (bound->subquery) return unsupported(node.span, "a step of scan does not ask another table");
        return hole(bound);
    }
    Parsed<std::string> value(std::size_t k, const std::string& state, bool promoted) {
        const auto relation = row();
        const auto steps = memory(k, state, promoted);
        std::string out = "struct_pack(";
        for (const auto& column : columns_) {
            auto bound = column.fallback ? column.fallback : call(column.type, "scan_x.r." + column.slot, {});
            if (const auto given = steps_[k - 1].values.find(column.name);
                given != steps_[k - 1].values.end()) {
                const auto& node = *given->second;
                const auto assigned = FIELDWATCH_TRY(
                    remembering(steps, [&] { return binder_.expression(node, {.relation = &relation}); }));
                if (assigned->subquery)
                    return unsupported(node.span, "a step of scan does not ask another table");
                bound = widen(assigned, column.type);
                if (!bound)
                    return semantic_error(node.span,
                                          fmt::format("'{}' is {}, but this is {}", column.name,
                                                      to_string(column.type), to_string(assigned->type)));
            }
            out += fmt::format("{} := CAST({} AS {}), ", column.slot, hole(bound), sql_type(column.type));
        }
        return out + "z := true)";
    }

    /// Step k over what `t` remembers, then those before it.
    Parsed<std::string> step(std::size_t k, const std::string& t) {
        if (k == 0) return t;
        const auto m = fmt::format("scan_m{}", k), e = fmt::format("scan_e{}", k),
                   next = fmt::format("scan_t{}", k);
        std::string how = "CASE";
        if (k > 1)
            how += fmt::format(" WHEN {}.s.s{}.a AND {} THEN 1", t, k - 1,
                               FIELDWATCH_TRY(condition(k, t, true)));
        how += fmt::format(" WHEN {} AND {} THEN 2 ELSE 0 END",
                           k == 1 ? "true" : fmt::format("{}.s.s{}.a", t, k),
                           FIELDWATCH_TRY(condition(k, t, false)));
        std::string with = fmt::format("CASE {}", m), match = with;
        if (k > 1) {
            with += fmt::format(" WHEN 1 THEN {}", FIELDWATCH_TRY(value(k, t, true)));
            match += fmt::format(" WHEN 1 THEN {}.s.s{}.m", t, k - 1);
        }
        with += fmt::format(" WHEN 2 THEN {} END", FIELDWATCH_TRY(value(k, t, false)));
        match += k == 1
                     ? fmt::format(" WHEN 2 THEN CASE WHEN {0}.s.s1.a THEN {0}.s.s1.m ELSE {0}.c END END", t)
                     : fmt::format(" WHEN 2 THEN {}.s.s{}.m END", t, k);
        std::string states;
        for (std::size_t j = 1; j <= steps_.size(); ++j) {
            const auto same = fmt::format("{}.s.s{}", t, j);
            auto changed = same;
            if (j == k) {
                changed =
                    fmt::format("CASE WHEN {} = 0 THEN {} ELSE struct_pack(a := true, m := {}.m", m, same, e);
                for (std::size_t i = 1; i < k; ++i)
                    changed +=
                        fmt::format(", v{0} := CASE {1} WHEN 1 THEN {2}.s.s{3}.v{0} ELSE {2}.s.s{4}.v{0} END",
                                    i, m, t, k - 1, k);
                changed += fmt::format(", v{} := {}.v) END", k, e);
            } else if (j + 1 == k) {
                changed = fmt::format("CASE WHEN {} = 1 THEN NULL ELSE {} END", m, same);
            }
            states += fmt::format("{}s{} := {}", j > 1 ? ", " : "", j, changed);
        }
        auto out = fmt::format("{}.o", t);
        if (steps_[k - 1].puts_out) {
            std::string columns;
            for (const auto& column : columns_) {
                if (column.fallback) columns += fmt::format("{0} := {1}.v.{0}, ", column.slot, e);
            }
            out = fmt::format(
                "CASE WHEN {} = 0 THEN {}.o ELSE list_append({}.o, struct_pack(n := scan_x.r.n, {}m := "
                "{}.m)) END",
                m, t, t, columns, e);
        }
        const auto count =
            k == 1 ? fmt::format("{0}.c + CAST({1} <> 0 AND NOT coalesce({0}.s.s1.a, false) AS BIGINT)", t, m)
                   : fmt::format("{}.c", t);
        const auto rest = FIELDWATCH_TRY(step(k - 1, next));
        return let(
            m, how,
            let(e, fmt::format("struct_pack(v := {}, m := {})", with, match),
                let(next,
                    fmt::format("struct_pack(s := struct_pack({}), c := {}, o := {})", states, count, out),
                    rest)));
    }

    Binder& binder_;
    std::vector<ScanStep> steps_;
    std::vector<Remembered> columns_;
    std::vector<ExprPtr> args_;
};

Parsed<> Binder::scan_rows(Relation& relation, const Operator& op) {
    std::vector<ScanStep> steps;
    std::set<std::string> names;
    for (const auto& item : op.items) {
        if (std::ranges::find(steps, item.names[0], &ScanStep::name) != steps.end())
            return semantic_error(item.span, fmt::format("two steps are named '{}'", item.names[0]));
        steps.push_back({item.names[0], item.order != "none", item.value.get(), {}});
        scanned_names(*item.value, names);
    }
    std::vector<Remembered> columns;
    for (const auto& item : op.by) {
        if (item.names.size() > 1) continue;
        if (std::ranges::find(relation.fields, item.names[0], &Field::name) != relation.fields.end())
            return semantic_error(item.span, fmt::format("the column '{}' is there already", item.names[0]));
        const auto type = *type_by_name(item.type);
        auto fallback = null_of(type);
        if (item.fallback) fallback = widen(FIELDWATCH_TRY(expression(*item.fallback, {})), type);
        if (!fallback)
            return semantic_error(item.fallback->span, fmt::format("the default of '{}' is no {}",
                                                                   item.names[0], to_string(type)));
        columns.push_back({item.names[0], type, fallback, fmt::format("d{}", columns.size())});
    }
    const auto declared = columns.size();
    for (const auto& item : op.by) {
        if (item.names.size() < 2) continue;
        scanned_names(*item.value, names);
        if (std::ranges::find(columns, item.names[1], &Remembered::name) == columns.end())
            return semantic_error(item.span,
                                  fmt::format("'{}' is assigned, but not declared: declare ({}: type)",
                                              item.names[1], item.names[1]));
        std::ranges::find(steps, item.names[0], &ScanStep::name)->values[item.names[1]] = item.value.get();
    }
    // Each row gets a number, by which what comes out meets it again.
    auto number = std::make_shared<Expr>(*call(Long, "row_number() OVER ({order})", {}));
    number->window = true;
    number->order = relation.order;
    relation.fields.push_back({"$row", ExprPtr(number), true});
    seal(relation);
    relation.plan = make_plan(PlanKind::Shared, {relation.plan});
    const auto row = relation.fields.back().value;
    relation.fields.pop_back();
    std::string members = "n := {0}";
    std::vector<ExprPtr> values{row};
    for (const auto& field : relation.fields) {
        if (!names.contains(field.name)) continue;
        columns.push_back({field.name, field.value->type, nullptr, fmt::format("f{}", columns.size())});
        members += fmt::format(", {} := {{{}}}", columns.back().slot, values.size());
        values.push_back(field.value);
    }
    auto lists = make_plan(PlanKind::Aggregate, {relation.plan});
    for (const auto& key : relation.partition.keys)
        lists->keys.push_back({new_id(), key});
    const auto list =
        aggregate_call(Dynamic, fmt::format("list(struct_pack({}) ORDER BY {{0}})", members), values);
    const auto all = new_id(), reduced = new_id(), one = new_id(), place = new_id();
    lists->columns.push_back({all, list});
    const auto slots =
        std::vector<Remembered>(columns.begin(), columns.begin() + static_cast<std::ptrdiff_t>(declared));
    const auto out = FIELDWATCH_TRY(
        ScanWriter(*this, std::move(steps), std::move(columns)).write(column_ref(all, Dynamic)));
    auto project = make_plan(PlanKind::Project, {lists});
    project->columns.push_back({reduced, out});
    auto unnest = make_plan(PlanKind::Unnest, {project});
    unnest->columns.push_back({one, column_ref(reduced, Dynamic)});
    unnest->columns.push_back({place, call(Dynamic, "range(len({0}))", {column_ref(reduced, Dynamic)})});
    auto join = make_plan(PlanKind::Join, {unnest, relation.plan});
    const auto member = [&](ColumnType type, std::string_view name) {
        return call(type, fmt::format("struct_extract({{0}}, '{}')", name), {column_ref(one, Dynamic)});
    };
    join->exprs = {member(Long, "n"), row};
    relation.plan = join;
    for (const auto& column : slots)
        relation.fields.push_back({column.name, column.type == String ? call(String, "coalesce({0}, '')",
                                                                             {member(String, column.slot)})
                                                                      : member(column.type, column.slot)});
    if (const auto match = op.parameter("with_match_id"); !match.empty())
        set_field(relation, match, member(Long, "m"));
    relation.order = {{row, false, true}, {column_ref(place, Long), false, true}};
    return {};
}

}  // namespace fieldwatch::kql
