// diffpatterns: the values by which the rows of two sets differ.
#include <fmt/format.h>

#include "kql/binder.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

}  // namespace

/// Of patterns whose last field is how much the sets differ in them, those that none with one value more or
/// less differs more in; if as much, the one that says more.
PlanPtr Binder::most_different(const Patterns& patterns, Relation& found) {
    const auto columns = patterns.columns.size();
    // A text for each pattern, and for those that name one value less.
    const auto key_of = [&](const Relation& of, const ExprPtr& choice) {
        std::string sql = "(CAST({0} AS VARCHAR)";
        std::vector<ExprPtr> parts{choice};
        for (std::size_t i = 0; i < columns; ++i) {
            parts.push_back(names_column(choice, i));
            parts.push_back(to_dynamic(of.fields[3 + i].value));
            sql += fmt::format(" || ',' || CASE WHEN {{{}}} THEN {{{}}} ELSE '' END", parts.size() - 2,
                               parts.size() - 1);
        }
        return call(String, sql + ")", std::move(parts));
    };
    found.fields.push_back({"", key_of(found, found.fields[0].value)});
    seal(found);
    found.plan = make_plan(PlanKind::Shared, {found.plan});
    const auto key = found.fields.size() - 1, differs = key - 1;
    auto less = found;
    seal(less);
    auto each = make_plan(PlanKind::Unnest, {found.plan});
    const auto bit = new_id();
    each->columns.push_back(
        {bit, call(Dynamic,
                   fmt::format("list_filter(list_transform(range({}), lambda i: 1::BIGINT << i), lambda b: "
                               "({{0}} & b) <> 0)",
                               columns),
                   {found.fields[0].value})});
    Relation more{.plan = each, .fields = found.fields};
    const auto fewer = call(Long, "({0} - {1})", {found.fields[0].value, column_ref(bit, Long)});
    more.fields.push_back({"", key_of(found, fewer)});
    seal(more);
    auto pairs = make_plan(PlanKind::Join, {more.plan, less.plan});
    pairs->exprs = {more.fields.back().value, less.fields[key].value};
    auto beaten = make_plan(PlanKind::Aggregate, {pairs});
    const auto beaten_key = new_id();
    beaten->keys.push_back({beaten_key, call(String, "CASE WHEN {0} >= {1} THEN {2} ELSE {3} END",
                                             {more.fields[differs].value, less.fields[differs].value,
                                              less.fields[key].value, more.fields[key].value})});
    auto kept = make_plan(PlanKind::Join, {found.plan, beaten});
    kept->join = JoinKind::LeftAnti;
    kept->exprs = {found.fields[key].value, column_ref(beaten_key, String)};
    return kept;
}

/// diffpatterns(split column, 'A', 'B' [, weight [, threshold [, most values [, what stands for any value,
/// …]]]]): the combinations of values that the shares of two sets differ by at least the threshold in, and
/// that no other differs more in that names one value more or one less.
Parsed<> Binder::diffpatterns(Relation& relation, const Operator& op) {
    const auto& node = *op.on;
    if (node.args.size() < 3 || node.args[0]->kind != NodeKind::Name)
        return semantic_error(node.span,
                              "diffpatterns takes the column that tells two sets apart, and the value "
                              "of each set");
    const auto split = to_string_expr(FIELDWATCH_TRY(expression(*node.args[0], {.relation = &relation})));
    std::vector<ExprPtr> sets;
    for (const std::size_t at : {std::size_t{1}, std::size_t{2}}) {
        const auto value = FIELDWATCH_TRY(expression(*node.args[at], {}));
        if (!text_value(value))
            return semantic_error(node.args[at]->span, "the value of a set is a constant string");
        sets.push_back(call(Bool, "({0} = {1})", {split, value}));
    }
    if (*text_value(sets[0]->args[1]) == *text_value(sets[1]->args[1]))
        return semantic_error(node.args[2]->span, "the two sets have the same value");
    const auto threshold = FIELDWATCH_TRY(share_argument(node, 4, 0.015, 0.05, "the threshold"));
    const auto most = FIELDWATCH_TRY(most_values(node, 5, 100));
    auto rows = relation;
    filter(rows, call(Bool, "({0} OR {1})", {sets[0], sets[1]}));
    auto patterns = FIELDWATCH_TRY(pattern_rows(rows, node, sets, 3, node.args[0]->text));
    FIELDWATCH_TRY(read_wildcards(patterns, node, 6));
    leave_frequent_values(patterns, threshold);
    auto found = all_patterns(patterns, most, false);
    for (const std::size_t set : {std::size_t{0}, std::size_t{1}})
        found.fields.push_back({"", call(Real, "coalesce({0} * 100.0 / nullif({1}, 0), 0)",
                                         {found.fields[1 + set].value, patterns.totals[set]})});
    seal(found);
    const auto percents = found.fields.size() - 2;
    // Rounded, because 35 % less 30 % are no fewer than 5, but their quotients' difference is.
    found.fields.push_back({"", call(Real, "round(abs({0} - {1}), 9)",
                                     {found.fields[percents].value, found.fields[percents + 1].value})});
    seal(found);
    filter(found, call(Bool, "({0} >= {1})", {found.fields.back().value, constant(Real, threshold * 100)}));
    const auto differs = found.fields.size() - 1;
    auto kept = most_different(patterns, found);
    std::vector<ExprPtr> values;
    for (std::size_t i = 0; i < patterns.columns.size(); ++i)
        values.push_back(found.fields[3 + i].value);
    relation = as_segments(patterns, kept, found.fields[0].value, values,
                           {{"CountA", found.fields[1].value},
                            {"CountB", found.fields[2].value},
                            {"PercentA", found.fields[percents].value},
                            {"PercentB", found.fields[percents + 1].value},
                            {"PercentDiffAB", found.fields[differs].value}},
                           found.fields[differs].value);
    return {};
}

}  // namespace fieldwatch::kql
