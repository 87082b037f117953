// The functions over series, which are arrays of numbers: rows of the table that functions.hpp describes.
#include "kql/functions.hpp"
#include "kql/functions_sql.hpp"

namespace fieldwatch::kql {
namespace {

/// Each element `a` of the one and `b` of the other; nulls behind the shorter one's end.
#define PAIRWISE(expression)                                                     \
    IF_ARRAYS("{0}", "{1}",                                                      \
              AS_NUMBERS("list_transform(list_zip(" NUMBERS("{0}") ", " NUMBERS( \
                  "{1}") "), lambda p: " expression ")"))
#define ELEMENTWISE(expression) \
    IF_ARRAY("{0}", AS_NUMBERS("list_transform(" NUMBERS("{0}") ", lambda a: " expression ")"))

// clang-format off
/// A line through the sums `t` of n points: its slope, and what is left over from it of the squares.
#define SXX "(t.n * (t.n * t.n - 1) / 12)"
#define SXY "(t.sxy - (t.n - 1) / 2 * t.sy)"
#define SYY "(t.syy - t.sy * t.sy / t.n)"
#define SLOPE "CASE WHEN t.n > 1 THEN " SXY " / " SXX " ELSE 0 END"
#define REST "(" SYY " - CASE WHEN t.n > 1 THEN " SXY " * " SXY " / " SXX " ELSE 0 END)"
#define FIRST_POINT "(f.middle - f.slope * (f.n - 1) / 2)"
/// What is null, or equal to {1}, becomes the last element before it in `list` that is neither.
#define FILLED(open, list, close) \
    IF_ARRAY("{0}", LET("s", "list_transform(" NUMBERS("{0}") ", lambda a: CASE WHEN a IS DISTINCT FROM TRY_CAST({1} AS DOUBLE) THEN a END)", \
             "CASE WHEN len(s) = 0 THEN '[]' ELSE " AS_NUMBERS(open "list_reduce(list_transform(" list ", lambda a: [a]), " \
             "lambda acc, e: list_append(acc, coalesce(e[1], acc[len(acc)])))" close) " END"))
// clang-format on

constexpr FunctionRow kSeriesRows[] = {
    {"series_add", "jj", 'j', PAIRWISE("p[1] + p[2]"), "element by element; two arrays, or one and a number"},
    {"series_subtract", "jj", 'j', PAIRWISE("p[1] - p[2]"), "as series_add"},
    {"series_multiply", "jj", 'j', PAIRWISE("p[1] * p[2]"), "as series_add"},
    {"series_divide", "jj", 'j', PAIRWISE("p[1] / nullif(p[2], 0)"), "as series_add; by zero is null"},
    {"series_pow", "jj", 'j', PAIRWISE("pow(p[1], p[2])"), "as series_add"},
    {"series_greater", "jj", 'j', PAIRWISE("p[1] > p[2]"), "element by element, true or false"},
    {"series_less", "jj", 'j', PAIRWISE("p[1] < p[2]"), "element by element, true or false"},
    {"series_equals", "jj", 'j', PAIRWISE("p[1] = p[2]"), "element by element, true or false"},
    {"series_abs", "j", 'j', ELEMENTWISE("abs(a)"), "not an array: null"},
    {"series_sign", "j", 'j', ELEMENTWISE("CAST(sign(a) AS BIGINT)"), "not an array: null"},
    {"series_floor", "j", 'j', ELEMENTWISE("floor(a)"), "not an array: null"},
    {"series_ceiling", "j", 'j', ELEMENTWISE("ceil(a)"), "not an array: null"},
    {"series_exp", "j", 'j', ELEMENTWISE("exp(a)"), "not an array: null"},
    {"series_log", "j", 'j', ELEMENTWISE("CASE WHEN a > 0 THEN ln(a) END"), "zero and negative are null"},
    {"series_sum", "j", 'r', IF_ARRAY("{0}", "list_sum(" NUMBERS("{0}") ")"),
     "what is no number is left out"},
    {"series_product", "j", 'r', IF_ARRAY("{0}", "list_product(" NUMBERS("{0}") ")"),
     "what is no number is left out"},
    {"series_magnitude", "j", 'r',
     IF_ARRAY("{0}", "sqrt(list_sum(list_transform(" NUMBERS("{0}") ", lambda a: a * a)))"), ""},
    {"series_dot_product", "jj", 'r',
     IF_ARRAYS(
         "{0}", "{1}",
         "list_sum(list_transform(list_zip(" NUMBERS("{0}") ", " NUMBERS("{1}") "), lambda p: p[1] * p[2]))"),
     ""},
    // clang-format off: an expression reads better in the lines that it has
    {"series_pearson_correlation", "jj", 'r',
     IF_ARRAYS("{0}", "{1}",
               LET("z", "list_filter(list_zip(" NUMBERS("{0}") ", " NUMBERS("{1}") "), lambda p: p[1] IS NOT NULL AND p[2] IS NOT NULL)",
               LET("m", "struct_pack(a := list_avg(list_transform(z, lambda p: p[1])), b := list_avg(list_transform(z, lambda p: p[2])))",
               "list_sum(list_transform(z, lambda p: (p[1] - m.a) * (p[2] - m.b))) / nullif(sqrt(list_sum(list_transform(z, lambda p: "
               "(p[1] - m.a) * (p[1] - m.a))) * list_sum(list_transform(z, lambda p: (p[2] - m.b) * (p[2] - m.b)))), 0)"))),
     "constant series: null"},
    // clang-format on
    {"series_fill_const", "jr", 'j', ELEMENTWISE("coalesce(a, {1})"), "for elements that are no number"},
    // clang-format off: an expression reads better in the lines that it has
    {"series_stats_dynamic", "j", 'j',
     IF_ARRAY("{0}", LET("s", NUMBERS("{0}"),
              "CAST(json_object('min', list_min(s), 'min_idx', list_position(s, list_min(s)) - 1, 'max', list_max(s), 'max_idx', "
              "list_position(s, list_max(s)) - 1, 'avg', list_avg(s), 'stdev', coalesce(list_stddev_samp(list_filter(s, lambda e: abs(e) < 1e150)), 0), 'variance', "
              "coalesce(list_var_samp(list_filter(s, lambda e: abs(e) < 1e150)), 0), 'sum', list_sum(s), 'len', len(s)) AS VARCHAR)")),
     "what is no number is left out"},
    {"series_fit_line_dynamic", "j", 'j',
     IF_ARRAY("{0}", LET("t", LET("s", "list_transform(" NUMBERS("{0}") ", lambda a: coalesce(a, 0))",
              "struct_pack(n := CAST(len(s) AS DOUBLE), sy := list_sum(s), syy := list_sum(list_transform(s, lambda e: e * e)), "
              "sxy := list_sum(list_transform(s, lambda e, i: e * (i - 1))))"),
              LET("f", "struct_pack(n := t.n, slope := " SLOPE ", middle := t.sy / t.n, total := " SYY ", rest := greatest(" REST ", 0))",
              "CAST(json_object('rsquare', CASE WHEN f.total > 0 THEN greatest(1 - f.rest / f.total, 0) ELSE 0 END, 'slope', f.slope, "
              "'variance', f.total / greatest(f.n - 1, 1), 'rvariance', f.rest / greatest(f.n - 1, 1), 'interception', " FIRST_POINT " - f.slope, 'line_fit', "
              "list_transform(range(CAST(f.n AS BIGINT)), lambda e: " FIRST_POINT " + e * f.slope)) AS VARCHAR)"))),
     "least squares over 1, 2, 3 …; variances of a sample; what is no number is 0"},
    {"series_fill_forward", "j?a", 'j', FILLED("", "s", "") "|null", "from the element before; the second, or null, is what is filled"},
    {"series_fill_backward", "j?a", 'j', FILLED("list_reverse(", "list_reverse(s)", ")") "|null", "from the element behind; as series_fill_forward"},
    {"series_fir", "jj?bb", 'j',
     IF_ARRAYS("{0}", "{1}", LET("s", "list_transform(" NUMBERS("{0}") ", lambda a: coalesce(a, 0))", LET("f", "list_transform(" NUMBERS("{1}") ", lambda a: coalesce(a, 0))",
              LET("c", "CASE WHEN coalesce({2}, coalesce(list_min(f), 0) >= 0) THEN CASE WHEN list_min(f) >= 0 THEN list_sum(f) END ELSE 1 END",
              "CASE WHEN c <> 0 THEN CASE WHEN len(s) = 0 THEN '[]' ELSE " AS_NUMBERS("list_transform(s, lambda a, i: list_sum(list_transform(f, lambda b, j: b * coalesce(s[CASE WHEN "
              "i - j + 1 + CASE WHEN {3} THEN (len(f) - 1) // 2 ELSE 0 END > 0 THEN i - j + 1 + CASE WHEN {3} THEN (len(f) - 1) // 2 ELSE 0 END END], 0))) / c)") " END END")))) "|null",
     "(series, filter, whether its sum is made 1, whether centred); beyond the ends is 0; a negative filter made 1: null"},
    {"series_iir", "jjj", 'j',
     IF_ARRAYS("{0}", "{1}", LET("s", "list_transform(" NUMBERS("{0}") ", lambda v: coalesce(v, 0))", LET("n", NUMBERS("{1}"), LET("d", NUMBERS("{2}"),
              "CASE WHEN d[1] <> 0 AND len(s) <= 10000 THEN CASE WHEN len(s) = 0 THEN '[]' ELSE " AS_NUMBERS(
              "list_reduce(list_concat([CAST([] AS DOUBLE[])], list_transform(range(1, CAST(len(s) AS BIGINT) + 1), lambda i: [CAST(i AS DOUBLE)])), "
              "lambda y, e: list_append(y, (coalesce(list_sum(list_transform(n, lambda v, j: v * coalesce(s[CASE WHEN e[1] - j + 1 > 0 THEN "
              "CAST(e[1] AS BIGINT) - j + 1 END], 0))), 0) - coalesce(list_sum(list_transform(d[2:], lambda v, j: v * coalesce(y[CASE WHEN "
              "e[1] - j > 0 THEN CAST(e[1] AS BIGINT) - j END], 0))), 0)) / d[1]))") " END END")))),
     "(series, numerators, denominators); a first denominator of zero, or more than 10,000 elements: null"},
    {"series_fill_linear", "j?abr", 'j',
     IF_ARRAY("{0}", LET("s", "list_transform(" NUMBERS("{0}") ", lambda a: CASE WHEN a IS DISTINCT FROM TRY_CAST({1} AS DOUBLE) THEN a END)",
              LET("k", "list_filter(range(1, CAST(len(s) AS BIGINT) + 1), lambda i: s[i] IS NOT NULL)",
              "CASE WHEN len(s) = 0 THEN '[]' WHEN len(k) = 0 THEN " AS_NUMBERS("list_transform(s, lambda a: coalesce({3}, 0))") " ELSE "
              AS_NUMBERS("list_transform(s, lambda a, i: coalesce(a, " LET("b", "struct_pack(p := list_max(list_filter(k, lambda j: j < i)), n := "
              "list_min(list_filter(k, lambda j: j > i)))", "CASE WHEN b.p IS NOT NULL AND b.n IS NOT NULL THEN s[b.p] + (s[b.n] - s[b.p]) * (i - b.p) / "
              "(b.n - b.p) WHEN coalesce({2}, true) THEN s[coalesce(b.p, b.n)] END") "))") " END"))) "|null",
     "on the line between the neighbours, at the ends the nearest; (series, what is missing, whether the ends too, what all missing gives)"},
    {"series_not_equals", "jj", 'j', PAIRWISE("p[1] <> p[2]"), "element by element, true or false"},
    {"series_greater_equals", "jj", 'j', PAIRWISE("p[1] >= p[2]"), "element by element, true or false"},
    {"series_less_equals", "jj", 'j', PAIRWISE("p[1] <= p[2]"), "element by element, true or false"},
    {"series_sin", "j", 'j', ELEMENTWISE("TRY(sin(a))"), "not an array: null"},
    {"series_cos", "j", 'j', ELEMENTWISE("TRY(cos(a))"), "not an array: null"},
    {"series_tan", "j", 'j', ELEMENTWISE("TRY(tan(a))"), "not an array: null"},
    {"series_asin", "j", 'j', ELEMENTWISE("CASE WHEN a BETWEEN -1 AND 1 THEN asin(a) END"), "beyond 1 null"},
    {"series_acos", "j", 'j', ELEMENTWISE("CASE WHEN a BETWEEN -1 AND 1 THEN acos(a) END"), "beyond 1 null"},
    {"series_atan", "j", 'j', ELEMENTWISE("atan(a)"), "not an array: null"},
    {"series_cosine_similarity", "jj", 'r',
     IF_ARRAYS("{0}", "{1}", LET("z", "list_zip(" NUMBERS("{0}") ", " NUMBERS("{1}") ")",
               "list_sum(list_transform(z, lambda p: p[1] * p[2])) / nullif(sqrt(list_sum(list_transform(z, lambda p: p[1] * p[1]))) * "
               "sqrt(list_sum(list_transform(z, lambda p: p[2] * p[2]))), 0)")),
     "a series of zeros: null"},
    // clang-format on
};

}  // namespace

std::span<const FunctionRow> series_function_rows() {
    return kSeriesRows;
}

}  // namespace fieldwatch::kql
