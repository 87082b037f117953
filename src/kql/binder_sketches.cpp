// What the language keeps of many values to count or rank them later: hll and tdigest. Here both keep the
// values themselves, as an array, so that what comes out is exact.
#include <fmt/format.h>

#include "kql/binder.hpp"
#include "kql/functions_sql.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

#define IN_ORDER(list)                                                                    \
    "list_transform(list_sort(list_transform(" list                                       \
    ", lambda e: struct_pack(n := TRY_CAST(json_extract_string(e, '$') AS DOUBLE), t := " \
    "json_extract_string(e, '$'), v := e)), 'ASC', 'NULLS LAST'), lambda e: e.v)"

}  // namespace

/// hll(value[, accuracy]), hll_if(value, condition[, accuracy]), tdigest(value): an array of the values;
/// hll_merge(sketch), tdigest_merge(sketch): all of theirs.
Parsed<ExprPtr> Binder::sketch(const Node& node, std::vector<ExprPtr> args) {
    const auto& n = node.text;
    const bool distinct = n.starts_with("hll"), merge = n.ends_with("_merge") || n.starts_with("merge_");
    const bool conditional = n.ends_with("_if");
    if (args.size() > (conditional ? 3 : n == "hll" ? 2 : 1) || args.size() < (conditional ? 2 : 1))
        return semantic_error(node.span, fmt::format("{} has the wrong number of arguments", n));
    if (conditional && args[1]->type != Bool)
        return semantic_error(node.args[1]->span, "a condition is expected here");
    if (merge && args[0]->type != Dynamic)
        return semantic_error(node.args[0]->span, fmt::format("{} takes what {} gave, which is dynamic", n,
                                                              distinct ? "hll" : "tdigest"));
    if (!distinct && !merge && !is_number(args[0]->type) && args[0]->type != DateTime)
        return semantic_error(node.args[0]->span, fmt::format("{} takes a number or datetime, not {}", n,
                                                              to_string(args[0]->type)));
    if (!merge) args[0] = to_dynamic(args[0]);
    const std::string list =
        merge ? fmt::format("flatten(list({}) FILTER (WHERE json_type({{0}}) = 'ARRAY'))", ELEMENTS("{0}"))
              : fmt::format("list({}{{0}}) FILTER (WHERE {{0}} IS NOT NULL{})", distinct ? "DISTINCT " : "",
                            conditional ? " AND {1}" : "");
    const auto all = distinct && merge ? fmt::format("list_distinct({})", list) : list;
    return aggregate_call(
        Dynamic, fmt::format("'[' || coalesce(array_to_string(" IN_ORDER("{}") ", ','), '') || ']'", all),
        args);
}

/// percentile_tdigest(sketch, percentage[, typeof(T)]), by nearest rank; without a type a real.
Parsed<ExprPtr> Binder::percentile_of_sketch(const Node& node, const Scope& scope) {
    if (node.args.size() < 2 || node.args.size() > 3)
        return semantic_error(node.span,
                              "percentile_tdigest takes a digest, a percentage and perhaps typeof(…)");
    auto type = Real;
    if (node.args.size() == 3) {
        if (node.args[2]->kind != NodeKind::Typeof)
            return semantic_error(node.args[2]->span, "typeof(…) is expected here");
        type = *type_by_name(node.args[2]->text);
    }
    const auto digest = FIELDWATCH_TRY(expression(*node.args[0], scope));
    const auto percent = widen(FIELDWATCH_TRY(expression(*node.args[1], scope)), Real);
    if (digest->type != Dynamic)
        return semantic_error(node.args[0]->span,
                              fmt::format("a digest is dynamic, but this is {}", to_string(digest->type)));
    if (!percent) return semantic_error(node.args[1]->span, "a percentage is a number of 0 to 100");
    return convert(
        call(Dynamic,
             LET("s", ELEMENTS("{0}"),
                 "CASE WHEN {1} BETWEEN 0 AND 100 THEN s[greatest(CAST(ceil(round({1} * len(s) / 100, 9)) AS "
                 "BIGINT), 1)] END"),
             {digest, percent}),
        type);
}

/// rank_tdigest(digest, value): how many of its values are no greater; percentrank_tdigest() in percent.
Parsed<ExprPtr> Binder::rank_in_sketch(const Node& node, const Scope& scope) {
    const auto args = FIELDWATCH_TRY(arguments(node, scope));
    if (args.size() != 2)
        return semantic_error(node.span, fmt::format("{} takes a digest and a value", node.text));
    if (args[0]->type != Dynamic)
        return semantic_error(node.args[0]->span,
                              fmt::format("a digest is dynamic, but this is {}", to_string(args[0]->type)));
    const bool time = args[1]->type == DateTime;
    const auto value = time ? to_dynamic(args[1]) : widen(args[1], Real);
    if (!value)
        return semantic_error(node.args[1]->span, fmt::format("{} takes a number or datetime, not {}",
                                                              node.text, to_string(args[1]->type)));
    // Times are texts of one length there.
    const std::string_view whole = time ? ELEMENTS("{0}") : NUMBERS("{0}");
    const auto rank = fmt::format("CAST(len(list_filter({}, lambda e: e <= {{1}})) AS DOUBLE)", whole);
    const auto part = fmt::format("{} * 100 / nullif(json_array_length({{0}}), 0)", rank);
    return call(Real,
                fmt::format("CASE WHEN json_type({{0}}) = 'ARRAY' AND {{1}} IS NOT NULL THEN {} END",
                            node.text == "rank_tdigest" ? rank : part),
                {args[0], value});
}

}  // namespace fieldwatch::kql
