// Plugins of evaluate that look for the values that many rows share: basket and autocluster, and what
// diffpatterns (binder_differences.cpp) has in common with them. A pattern names a value for some of the
// columns; a number, whose bits are those columns, tells which.
#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "kql/binder.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

constexpr std::size_t kColumnsMax = 10;  // 1,023 choices of columns
constexpr std::size_t kUnionMax = 64;    // in one text: the engine takes 1,000 one behind the other
constexpr std::int64_t kSeedsMax = 1'000;

/// How many values a pattern names.
ExprPtr values_named(const ExprPtr& choice) {
    return call(Long, "CAST(bit_count({0}) AS BIGINT)", {choice});
}

std::string sum_of(ColumnType type) {
    return type == Real ? "coalesce(sum({0}), 0)" : "TRY_CAST(coalesce(sum({0}), 0) AS BIGINT)";
}

ExprPtr percent(const ExprPtr& part, const ExprPtr& whole) {
    return call(Real, "({0} * 100.0 / nullif({1}, 0))", {part, whole});
}

}  // namespace

/// The argument, or nullptr where it is absent or '~', which stands for the default.
const Node* Binder::given(const Node& node, std::size_t at) {
    if (at >= node.args.size()) return nullptr;
    const auto& arg = *node.args[at];
    const bool passed_over =
        arg.kind == NodeKind::Literal && arg.token.kind == TokenKind::Text && arg.token.text == "~";
    return passed_over ? nullptr : &arg;
}

ExprPtr Binder::names_column(const ExprPtr& choice, std::size_t column) {
    return call(Bool, fmt::format("(({{0}} & {}) <> 0)", std::size_t{1} << column), {choice});
}

/// A constant number of `low` to `high`, or what it is by default.
Parsed<double> Binder::share_argument(const Node& node, std::size_t at, double low, double otherwise,
                                      std::string_view what) {
    const auto* arg = given(node, at);
    if (!arg) return otherwise;
    const auto value = widen(FIELDWATCH_TRY(expression(*arg, {})), Real);
    const auto* share = value ? std::get_if<double>(&value->value) : nullptr;
    if (!share || !(*share >= low && *share <= 1))
        return semantic_error(arg->span, fmt::format("{} is a constant of {} to 1", what, low));
    return *share;
}

/// How many values a pattern names at most.
Parsed<std::int64_t> Binder::most_values(const Node& node, std::size_t at, std::int64_t otherwise) {
    const auto* arg = given(node, at);
    if (!arg) return otherwise;
    const auto most = FIELDWATCH_TRY(constant_count(*arg, node.text, 100));
    if (most == 0) return semantic_error(arg->span, "a pattern names at least one value");
    return most;
}

/// The rows as the plugins look at them: each combination of values once, with how many rows of each set have
/// it, by weight if the argument at `weight_at` is a column.
Parsed<Binder::Patterns> Binder::pattern_rows(const Relation& relation, const Node& node,
                                              const std::vector<ExprPtr>& sets, std::size_t weight_at,
                                              std::string_view left_out) {
    ExprPtr weight;
    std::string weight_name;
    if (const auto* arg = given(node, weight_at)) {
        weight = FIELDWATCH_TRY(expression(*arg, {.relation = &relation}));
        const bool whole = is_integral(weight->type);
        if (arg->kind != NodeKind::Name || !(whole || (weight->type == Real && node.text != "autocluster")))
            return semantic_error(arg->span, fmt::format("the weight is a column of {}numbers, or '~'",
                                                         node.text == "autocluster" ? "whole " : ""));
        weight_name = arg->text;
    }
    auto plan = make_plan(PlanKind::Aggregate, {relation.plan});
    Patterns result;
    for (const auto& field : relation.fields) {
        if (field.hidden || field.value->type == Dynamic || field.name == left_out ||
            field.name == weight_name)
            continue;
        const auto id = new_id();
        plan->keys.push_back({id, field.value});
        result.columns.push_back({field.name, column_ref(id, field.value->type)});
    }
    if (result.columns.empty())
        return semantic_error(node.span, fmt::format("{} needs a column that is not dynamic", node.text));
    if (result.columns.size() > kColumnsMax)
        return unsupported(node.span, fmt::format("{} looks at most at {} columns: project those first",
                                                  node.text, kColumnsMax));
    for (const auto& set : sets) {
        const auto id = new_id();
        const auto type = weight && weight->type == Real ? Real : Long;
        const std::string_view filter = set ? " FILTER (WHERE {0})" : "";
        auto sum = !weight ? fmt::format("count(*){}", filter)
                   : type == Real
                       ? fmt::format("coalesce(sum(greatest({{1}}, 0)){}, 0)", filter)
                       : fmt::format("TRY_CAST(coalesce(sum(greatest({{1}}, 0)){}, 0) AS BIGINT)", filter);
        plan->columns.push_back(
            {id, aggregate_call(type, std::move(sum),
                                {set ? set : constant(Bool, true), weight ? weight : long_constant(1)})});
        result.counts.push_back(column_ref(id, type));
    }
    result.plan = make_plan(PlanKind::Shared, {plan});
    for (const auto& count : result.counts) {
        auto total = make_plan(PlanKind::Aggregate, {result.plan});
        total->columns.push_back({new_id(), aggregate_call(count->type, sum_of(count->type), {count})});
        result.totals.push_back(scalar_of(std::move(total), count->type));
    }
    return result;
}

/// Values that fewer rows of each set have than the threshold are in no pattern that as many have: they
/// become null, so that far fewer combinations are left to count.
void Binder::leave_frequent_values(Patterns& patterns, double threshold) {
    std::vector<ExprPtr> args{constant(Real, threshold - 1e-9)};
    std::string frequent;
    for (std::size_t set = 0; set < patterns.counts.size(); ++set) {
        frequent += fmt::format("{}sum({{{}}}) OVER ({{partition}}) / nullif({{{}}}, 0) >= {{0}}",
                                set ? " OR " : "", args.size(), args.size() + 1);
        args.insert(args.end(), {patterns.counts[set], patterns.totals[set]});
    }
    Relation rows{.plan = patterns.plan};
    for (const auto& column : patterns.columns) {
        auto told = args;
        told.push_back(column.value);
        auto kept = std::make_shared<Expr>(
            *call(column.value->type, fmt::format("CASE WHEN {} THEN {{{}}} END", frequent, args.size()),
                  std::move(told)));
        kept->window = true;
        kept->partition = {column.value};
        rows.fields.push_back({column.name, ExprPtr(kept)});
    }
    for (const auto& count : patterns.counts)
        rows.fields.push_back({"", count});
    seal(rows);
    auto group = make_plan(PlanKind::Aggregate, {rows.plan});
    for (std::size_t i = 0; i < rows.fields.size(); ++i) {
        const auto id = new_id();
        const auto& value = rows.fields[i].value;
        if (i < patterns.columns.size()) {
            group->keys.push_back({id, value});
            patterns.columns[i].value = column_ref(id, value->type);
        } else {
            group->columns.push_back({id, aggregate_call(value->type, sum_of(value->type), {value})});
            patterns.counts[i - patterns.columns.size()] = column_ref(id, value->type);
        }
    }
    patterns.plan = make_plan(PlanKind::Shared, {group});
}

/// What stands where a pattern says nothing of a column: of the arguments from `at` on the one that has the
/// column's type, else null, or '' of a string.
Parsed<> Binder::read_wildcards(Patterns& patterns, const Node& node, std::size_t at) {
    for (const auto& column : patterns.columns)
        patterns.wildcards.push_back(null_of(column.value->type));
    std::set<ColumnType> seen;
    for (; at < node.args.size(); ++at) {
        const auto* arg = given(node, at);
        if (!arg) continue;
        const auto value = FIELDWATCH_TRY(expression(*arg, {}));
        if (!is_constant(value) || is_null(value))
            return semantic_error(arg->span,
                                  "what stands for any value is a constant, such as '*' or int(-1)");
        if (!seen.insert(value->type).second)
            return semantic_error(
                arg->span, fmt::format("what stands for any {} is given already", to_string(value->type)));
        for (std::size_t i = 0; i < patterns.columns.size(); ++i) {
            if (patterns.columns[i].value->type == value->type) patterns.wildcards[i] = value;
        }
    }
    return {};
}

/// Every pattern of at most `most` values, one grouping for each choice of columns, one under the other:
/// fields are the choice, the counts, then the values, null where there is none. With `longest`, of those
/// that the same rows share only the one that says most.
Relation Binder::all_patterns(const Patterns& patterns, std::int64_t most, bool longest) {
    const auto& columns = patterns.columns;
    std::vector<std::shared_ptr<Plan>> parts;
    for (std::size_t choice = 1; choice < (std::size_t{1} << columns.size()); ++choice) {
        if (std::popcount(choice) > most) continue;
        auto group = make_plan(PlanKind::Aggregate, {patterns.plan});
        auto told = make_plan(PlanKind::Filter, {group});
        if (parts.empty() || parts.back()->inputs.size() == kUnionMax)
            parts.push_back(make_plan(PlanKind::Union));
        auto& row = parts.back()->rows.emplace_back();
        row.push_back(long_constant(static_cast<std::int64_t>(choice)));
        for (const auto& count : patterns.counts) {
            const auto id = new_id();
            group->columns.push_back({id, aggregate_call(count->type, sum_of(count->type), {count})});
            row.push_back(column_ref(id, count->type));
        }
        for (std::size_t i = 0; i < columns.size(); ++i) {
            const auto& value = columns[i].value;
            const auto id = new_id();
            if ((choice >> i & 1) != 0) {
                group->keys.push_back({id, value});
                row.push_back(column_ref(id, value->type));
                told->exprs.push_back(call(Bool, "({0} IS NOT NULL)", {row.back()}));
                continue;
            }
            row.push_back(null_of(value->type));
            if (!longest || std::popcount(choice) == most) continue;
            // Where all rows have one value of this column too, the pattern that names it says more.
            group->columns.push_back(
                {id, aggregate_call(Bool, "(count({0}) < count(*) OR min({0}) <> max({0}))", {value})});
            told->exprs.push_back(column_ref(id, Bool));
        }
        parts.back()->inputs.push_back(told);
    }
    auto all = make_plan(PlanKind::Union);
    for (const auto& part : parts) {
        auto& row = all->rows.emplace_back();
        for (const auto& value : part->rows[0]) {
            part->scan_ids.push_back(new_id());
            row.push_back(column_ref(part->scan_ids.back(), value->type));
        }
        all->inputs.push_back(part);
    }
    for (std::size_t i = 0; i < 1 + patterns.counts.size() + columns.size(); ++i)
        all->scan_ids.push_back(new_id());
    Relation result{.plan = all};
    result.fields.push_back({"$choice", column_ref(all->scan_ids[0], Long)});
    for (std::size_t i = 0; i < patterns.counts.size(); ++i)
        result.fields.push_back({"$count", column_ref(all->scan_ids[1 + i], patterns.counts[i]->type)});
    for (std::size_t i = 0; i < columns.size(); ++i)
        result.fields.push_back({columns[i].name, column_ref(all->scan_ids[1 + patterns.counts.size() + i],
                                                             columns[i].value->type)});
    return result;
}

/// What plugins answer: `measures` of each pattern, then its values, numbered from 0 in the order of `by`,
/// the greatest first, and of the values.
Relation Binder::as_segments(const Patterns& patterns, PlanPtr plan, const ExprPtr& choice,
                             const std::vector<ExprPtr>& values, std::vector<Field> measures, ExprPtr by) {
    Relation result{.plan = std::move(plan), .fields = std::move(measures)};
    const auto first = result.fields.size();
    for (std::size_t i = 0; i < values.size(); ++i)
        add_field(result.fields, patterns.columns[i].name,
                  call(values[i]->type, "CASE WHEN {0} THEN {1} ELSE {2} END",
                       {names_column(choice, i), values[i], patterns.wildcards[i]}));
    result.fields.push_back({"$by", std::move(by), true});
    seal(result);
    result.order = {{result.fields.back().value, true, false}};
    for (auto i = first; i + 1 < result.fields.size(); ++i)
        result.order.push_back({result.fields[i].value, false, true});
    result.fields.pop_back();
    auto number = std::make_shared<Expr>(*call(Long, "(row_number() OVER ({order}) - 1)", {}));
    number->window = true;
    number->order = result.order;
    result.fields.insert(result.fields.begin(), {"SegmentId", ExprPtr(number)});
    seal(result);
    return result;
}

/// basket([threshold [, weight [, most values [, what stands for any value, …]]]]): each combination of
/// values that at least that part of the rows share.
Parsed<> Binder::basket(Relation& relation, const Operator& op) {
    const auto& node = *op.on;
    const auto threshold = FIELDWATCH_TRY(share_argument(node, 0, 0.015, 0.05, "the threshold"));
    const auto most = FIELDWATCH_TRY(most_values(node, 2, 5));
    auto patterns = FIELDWATCH_TRY(pattern_rows(relation, node, {nullptr}, 1, ""));
    FIELDWATCH_TRY(read_wildcards(patterns, node, 3));
    leave_frequent_values(patterns, threshold);
    auto found = all_patterns(patterns, most, true);
    const auto rows = found.fields[1].value;
    // A quotient of its own: 7 of 100 are no fewer than 0.07, but 0.07 * 100 is more than 7.
    found.fields.push_back(
        {"$share", call(Real, "(CAST({0} AS DOUBLE) / nullif({1}, 0))", {rows, patterns.totals[0]})});
    seal(found);
    filter(found, call(Bool, "({0} >= {1})", {found.fields.back().value, constant(Real, threshold)}));
    std::vector<ExprPtr> values;
    for (std::size_t i = 0; i < patterns.columns.size(); ++i)
        values.push_back(found.fields[2 + i].value);
    const auto& covered = found.fields[1].value;
    relation = as_segments(patterns, found.plan, found.fields[0].value, values,
                           {{"Count", covered}, {"Percent", percent(covered, patterns.totals[0])}}, covered);
    return {};
}

/// Each part of the values of the most frequent rows, which are the seeds: fields are the choice of columns,
/// the seed's values, and how many rows have those that are chosen.
Relation Binder::parts_of_seeds(const Patterns& patterns, std::int64_t seeds_max) {
    const auto columns = patterns.columns.size();
    // The seeds, and which columns of each row are as theirs.
    auto first = make_plan(PlanKind::Limit, {patterns.plan});
    first->count = seeds_max;
    first->order = {{patterns.counts[0], true, false}};
    for (const auto& column : patterns.columns)
        first->order.push_back({column.value, false, true});
    Relation seeds{.plan = first, .fields = patterns.columns};
    seal(seeds);
    auto pairs = make_plan(PlanKind::Join, {patterns.plan, seeds.plan});
    pairs->condition = constant(Bool, true);
    std::string shared;
    std::vector<ExprPtr> same;
    for (std::size_t i = 0; i < columns; ++i) {
        same.push_back(call(Bool, "({0} = {1})", {patterns.columns[i].value, seeds.fields[i].value}));
        shared +=
            fmt::format("{}CASE WHEN {{{}}} THEN {} ELSE 0 END", i ? " + " : "", i, std::size_t{1} << i);
    }
    const auto agreed = new_id(), agreed_rows = new_id();
    auto agreement = make_plan(PlanKind::Aggregate, {pairs});
    for (const auto& field : seeds.fields)
        agreement->keys.push_back({new_id(), field.value});
    agreement->keys.push_back({agreed, call(Long, "CAST(" + shared + " AS BIGINT)", same)});
    agreement->columns.push_back({agreed_rows, aggregate_call(Long, sum_of(Long), {patterns.counts[0]})});
    // Each part of a seed's values, with the rows that have all of them.
    auto choices = make_plan(PlanKind::Range);
    choices->scan_ids = {new_id()};
    choices->types = {Long};
    choices->exprs = {long_constant(1), long_constant((std::int64_t{1} << columns) - 1), long_constant(1)};
    const auto choice = column_ref(choices->scan_ids[0], Long);
    auto parts = make_plan(PlanKind::Join, {agreement, choices});
    parts->condition = call(Bool, "({0} & {1} = {1})", {column_ref(agreed, Long), choice});
    auto counted = make_plan(PlanKind::Aggregate, {parts});
    Relation found{.plan = counted};
    const auto add = [&](const ExprPtr& key) {
        const auto id = new_id();
        counted->keys.push_back({id, key});
        found.fields.push_back({"", column_ref(id, key->type)});
    };
    add(choice);
    for (std::size_t i = 0; i < columns; ++i)
        add(column_ref(agreement->keys[i].id, patterns.columns[i].value->type));
    const auto covered = new_id();
    counted->columns.push_back(
        {covered, aggregate_call(Long, sum_of(Long), {column_ref(agreed_rows, Long)})});
    found.fields.push_back({"", column_ref(covered, Long)});
    return found;
}

/// autocluster([size weight [, weight [, seeds [, what stands for any value, …]]]]): of each of the most
/// frequent rows that part which has the highest score, share ^ size weight * part of the columns named ^
/// (1 - size weight).
Parsed<> Binder::autocluster(Relation& relation, const Operator& op) {
    const auto& node = *op.on;
    const auto size_weight = FIELDWATCH_TRY(share_argument(node, 0, 0, 0.5, "the weight of size"));
    const auto* count = given(node, 2);
    const auto seeds_max = count ? FIELDWATCH_TRY(constant_count(*count, "autocluster", kSeedsMax)) : 25;
    auto patterns = FIELDWATCH_TRY(pattern_rows(relation, node, {nullptr}, 1, ""));
    FIELDWATCH_TRY(read_wildcards(patterns, node, 3));
    const auto columns = patterns.columns.size();
    auto found = parts_of_seeds(patterns, seeds_max);
    filter(found, call(Bool, "({0} > 1)", {found.fields.back().value}));
    const auto score =
        call(Real, "(pow(CAST({0} AS DOUBLE) / {1}, {2}) * pow(CAST({3} AS DOUBLE) / {4}, {5}))",
             {found.fields.back().value, patterns.totals[0], constant(Real, size_weight),
              values_named(found.fields[0].value), long_constant(static_cast<std::int64_t>(columns)),
              constant(Real, 1 - size_weight)});
    found.fields.push_back({"", score});
    seal(found);
    auto best = std::make_shared<Expr>(*call(Long, "row_number() OVER ({partition}{order})", {}));
    best->window = true;
    for (std::size_t i = 0; i < columns; ++i)
        best->partition.push_back(found.fields[1 + i].value);
    best->order = {{found.fields.back().value, true, false},
                   {values_named(found.fields[0].value), true, false},
                   {found.fields[0].value, false, true}};
    found.fields.push_back({"", ExprPtr(best)});
    seal(found);
    filter(found, call(Bool, "({0} = 1)", {found.fields.back().value}));
    // Several seeds may have the same part: one row.
    auto distinct = make_plan(PlanKind::Aggregate, {found.plan});
    const auto key = [&](const ExprPtr& value) {
        const auto id = new_id();
        distinct->keys.push_back({id, value});
        return column_ref(id, value->type);
    };
    const auto named = key(found.fields[0].value);
    std::vector<ExprPtr> values;
    for (std::size_t i = 0; i < columns; ++i)
        values.push_back(key(call(patterns.columns[i].value->type, "CASE WHEN {0} THEN {1} END",
                                  {names_column(found.fields[0].value, i), found.fields[1 + i].value})));
    const auto rows = key(found.fields[1 + columns].value), by = key(found.fields[2 + columns].value);
    relation = as_segments(patterns, distinct, named, values,
                           {{"Count", rows}, {"Percent", percent(rows, patterns.totals[0])}}, by);
    return {};
}

}  // namespace fieldwatch::kql
