// A series taken apart into season, trend and rest, and what in it is far out: series_decompose and its kin,
// series_outliers.
#include <algorithm>

#include <fmt/format.h>

#include "kql/binder.hpp"
#include "kql/functions_sql.hpp"

namespace fieldwatch::kql {
namespace {

using enum ColumnType;

// clang-format off: an expression reads better in the lines that it has
/// The rise of a line through the points of `s`, by least squares.
#define RISE(s) \
    "CASE WHEN len(" s ") > 1 THEN (list_inner_product(" s ", list_transform(range(len(" s ")), lambda i: CAST(i AS DOUBLE))) - " \
    "list_sum(" s ") * (len(" s ") - 1) / 2) / (len(" s ") * (len(" s ") * len(" s ") - 1.0) / 12) ELSE 0 END"
#define QUANTILE(s, p) "list_aggregate(" s ", 'quantile_cont', " p ")"
/// `s` with what is far out brought nearer: it has no period, and would turn the line.
#define NEARER(s) \
    LET("h", "struct_pack(a := " QUANTILE(s, "0.1") ", b := " QUANTILE(s, "0.9") ")", \
        "list_transform(" s ", lambda e: least(greatest(e, h.a - (h.b - h.a) / 2), h.b + (h.b - h.a) / 2))")
/// That without its line.
#define LEVELLED(s) \
    LET("q", NEARER(s), LET("f", "struct_pack(m := list_avg(q), b := " RISE("q") ")", \
    LET("g", "list_transform(q, lambda e, i: e - f.m - f.b * (i - 1 - (len(q) - 1) / 2))", NEARER("g"))))
/// How alike `d` is to itself after 1, 2, 3 … points, up to half its length.
#define ALIKE(d) \
    "list_transform(range(1, least(len(" d ") // 2, 1000) + 2), lambda k: list_inner_product(" d "[1:len(" d ") - k], " d "[k + 1:]) / " \
    "nullif(list_inner_product(" d ", " d "), 0) * len(" d ") / (len(" d ") - k))"
/// The shortest distance that is a peak of that, at least {4} high and near the highest; 0 when there is none.
#define PERIOD(s) \
    LET("d", LEVELLED(s), LET("r", ALIKE("d"), \
    LET("g", "list_filter(range(2, CAST(len(r) AS BIGINT)), lambda k: coalesce(r[k] >= {4} AND r[k] > r[k - 1] AND r[k] >= r[k + 1], false))", \
        "coalesce(list_filter(g, lambda k: r[k] >= 0.95 * list_max(list_transform(g, lambda j: r[j])))[1], 0)")))

/// {0} series, {1} period (-1: find it), {2} trend, {3} points at the end that are not learnt from, {4} how alike.
/// The season is the median of the points at one place of the period; the trend is that of what is left then.
constexpr std::string_view kDecomposed =
    LET("s", "list_transform(" NUMBERS("{0}") ", lambda e: coalesce(e, 0))",
    LET("l", "s[1:greatest(len(s) - {3}, 0)]",
    LET("p", "CASE WHEN {1} >= 0 THEN least({1}, len(l)) ELSE " PERIOD("l") " END",
    LET("m", "list_transform(range(CAST(p AS BIGINT)), lambda j: list_aggregate(list_filter(l, lambda e, i: (i - 1) % p = j), 'median'))",
    LET("c", "list_transform(s, lambda e, i: CASE WHEN p > 0 THEN m[(i - 1) % p + 1] ELSE 0 END)",
    LET("d", "list_transform(l, lambda e, i: e - c[i])",
    LET("t", "struct_pack(m := CASE WHEN {2} = 'none' THEN 0 ELSE coalesce(list_avg(d), 0) END, b := CASE WHEN {2} = 'linefit' THEN " RISE("d") " ELSE 0 END)",
    LET("u", "list_transform(s, lambda e, i: t.m + t.b * (i - 1 - (len(d) - 1) / 2))",
    "CAST(json_object('baseline', list_transform(s, lambda e, i: c[i] + u[i]), 'seasonal', c, 'trend', u, 'residual', "
    "list_transform(s, lambda e, i: e - c[i] - u[i])) AS VARCHAR)"))))))));

/// {0} series, {1} and {2} the parts of one that the fence stands at. How far out a point is, in fence widths; a
/// width of nothing is taken from the deviation.
constexpr std::string_view kScores =
    IF_ARRAY("{0}",
    LET("s", NUMBERS("{0}"),
    LET("f", "struct_pack(a := " QUANTILE("s", "{1}") ", b := " QUANTILE("s", "{2}") ", d := list_aggregate(list_filter(s, lambda e: abs(e) < 1e150), 'stddev_pop'))",
    AS_NUMBERS("list_transform(s, lambda e: coalesce(CASE WHEN e > f.b THEN e - f.b WHEN e < f.a THEN e - f.a END / "
               "coalesce(nullif(f.b - f.a, 0), nullif(f.d, 0)), 0))"))));
// clang-format on

ExprPtr scores(const ExprPtr& series, double low, double high) {
    const auto part = [](double p) { return fmt::format("{:.17g}", p); };
    std::string sql(kScores);
    for (const auto& [hole, value] : {std::pair{"{1}", part(low)}, std::pair{"{2}", part(high)}}) {
        for (auto at = sql.find(hole); at != std::string::npos; at = sql.find(hole, at))
            sql.replace(at, 3, value);
    }
    return call(Dynamic, std::move(sql), {series});
}

}  // namespace

/// series_decompose(series[, period, trend, points, threshold]) as one bag, and its kin from that:
/// _anomalies(series[, threshold, period, trend, points, fence, season threshold]),
/// _forecast(series, points[, period, trend, season threshold]), series_seasonal(series[, period]).
Parsed<ExprPtr> Binder::decompose(const Node& node, std::vector<ExprPtr> args) {
    const auto& n = node.text;
    const bool anomalies = n.ends_with("_anomalies"), forecast = n.ends_with("_forecast");
    const std::size_t most = anomalies ? 7 : n == "series_seasonal" ? 2 : 5, least = forecast ? 2 : 1;
    if (args.size() < least || args.size() > most)
        return semantic_error(
            node.span, fmt::format("{} takes {} to {} arguments, not {}", n, least, most, args.size()));
    if (args[0]->type != Dynamic)
        return semantic_error(node.args[0]->span, fmt::format("{} takes a series, which is dynamic, not {}",
                                                              n, to_string(args[0]->type)));
    const auto number = [&](std::size_t at, double otherwise) -> Parsed<double> {
        if (at >= args.size()) return otherwise;
        const auto real = widen(args[at], Real);
        if (const auto* whole = real ? std::get_if<std::int64_t>(&args[at]->value) : nullptr)
            return static_cast<double>(*whole);
        if (const auto* value = real ? std::get_if<double>(&real->value) : nullptr) return *value;
        return semantic_error(node.args[at]->span, fmt::format("{} takes a constant number here", n));
    };
    const auto word = [&](std::size_t at,
                          std::initializer_list<std::string_view> known) -> Parsed<std::string> {
        if (at >= args.size()) return std::string(*known.begin());
        const auto text = text_value(args[at]);
        if (text && std::ranges::find(known, *text) != known.end()) return *text;
        std::string all;
        for (const auto one : known)
            all += fmt::format("{}'{}'", all.empty() ? "" : ", ", one);
        return semantic_error(node.args[at]->span, fmt::format("{} takes one of {} here", n, all));
    };
    const std::size_t at = anomalies || forecast ? 2 : 1;
    const auto period = FIELDWATCH_TRY(number(at, -1));
    const auto trend = FIELDWATCH_TRY(word(at + 1, {"avg", "linefit", "none"}));
    const auto points = FIELDWATCH_TRY(number(forecast ? 1 : at + 2, 0));
    const auto alike = FIELDWATCH_TRY(number(anomalies ? 6 : 4, 0.6));
    if (!(period >= -1 && period <= 1'000'000 && points >= 0 && points <= 1'000'000))
        return semantic_error(node.span, "the period is -1 or more, and the points are not negative");
    auto bag = call(Dynamic, fmt::format("CASE WHEN json_type({{0}}) = 'ARRAY' THEN {} END", kDecomposed),
                    {args[0], long_constant(static_cast<std::int64_t>(period)), text_constant(trend),
                     long_constant(static_cast<std::int64_t>(points)), constant(Real, alike)});
    if (forecast) return json_member(bag, "baseline");
    if (n == "series_seasonal") return json_member(bag, "seasonal");
    if (!anomalies) return bag;
    const auto limit = FIELDWATCH_TRY(number(1, 1.5));
    const auto fence = FIELDWATCH_TRY(word(5, {"ctukey", "tukey"}));
    const double low = fence == "tukey" ? 0.25 : 0.1;
    // The parts are written once; the bag of all is read twice.
    const auto score = scores(call(Dynamic, "d", {}), low, 1 - low);
    return call(
        Dynamic,
        fmt::format(
            LET("b", "{{0}}",
                LET("d", "CAST(json_extract(b, '$.residual') AS VARCHAR)",
                    LET("o", "{{1}}",
                        "CASE WHEN b IS NOT NULL THEN CAST(json_object('ad_flag', list_transform(" NUMBERS(
                            "o") ", "
                                 "lambda e: CASE WHEN e > {0} THEN 1 WHEN e < -({0}) THEN -1 ELSE 0 END), "
                                 "'ad_score', "
                                 "json(o), 'baseline', json_extract(b, '$.baseline')) AS VARCHAR) END"))),
            fmt::format("{:.17g}", limit)),
        {bag, score});
}

/// series_outliers(series[, kind[, ignored[, low, high]]])
Parsed<ExprPtr> Binder::outliers(const Node& node, std::vector<ExprPtr> args) {
    if (args.empty() || args.size() > 5)
        return semantic_error(node.span, "series_outliers takes 1 to 5 arguments");
    if (args[0]->type != Dynamic)
        return semantic_error(node.args[0]->span, fmt::format("series_outliers takes a series, not {}",
                                                              to_string(args[0]->type)));
    const auto kind = args.size() > 1 ? text_value(args[1]) : "ctukey";
    if (!kind || (*kind != "ctukey" && *kind != "tukey"))
        return semantic_error(node.args[1]->span, "the kind is 'ctukey' or 'tukey'");
    double parts[] = {10, 90};
    for (std::size_t i = 3; i < args.size(); ++i) {
        const auto real = convert(args[i], Real);
        const auto whole = integer_value(args[i]);
        const auto* value = std::get_if<double>(&real->value);
        if (!whole && !value)
            return semantic_error(node.args[i]->span, "the percentile is a constant number");
        parts[i - 3] = whole ? static_cast<double>(*whole) : *value;
        if (!(parts[i - 3] >= 2 && parts[i - 3] <= 98))
            return semantic_error(node.args[i]->span, "the percentile is 2 to 98");
    }
    if (*kind == "tukey") parts[0] = 25, parts[1] = 75;
    auto series = args[0];
    if (args.size() > 2 && !is_null(args[2])) {
        const auto ignored = widen(args[2], Real);
        if (!ignored) return semantic_error(node.args[2]->span, "what is ignored is a number");
        series =
            call(Dynamic,
                 IF_ARRAY("{0}", AS_NUMBERS("list_transform(" NUMBERS("{0}") ", lambda e: nullif(e, {1}))")),
                 {series, ignored});
    }
    return scores(series, parts[0] / 100, parts[1] / 100);
}

}  // namespace fieldwatch::kql
