// The functions over arrays and bags: rows of the table that functions.hpp describes.
#include "kql/functions.hpp"
#include "kql/functions_sql.hpp"

namespace fieldwatch::kql {
namespace {

// clang-format off
#define BOUNDED(n) "least(greatest(" n ", -1048577), 1048577)"
/// Where an array is cut: a negative place counts from the end.
#define CUT(x, n) "CASE WHEN " n " < 0 THEN greatest(json_array_length(" x ") + " BOUNDED(n) ", 0) ELSE " BOUNDED(n) " END"
#define TURN(x, n) "(((" n ") % json_array_length(" x ") + json_array_length(" x ")) % json_array_length(" x "))"
/// Each once, where it is first; a long list is sorted instead, because looking for each takes too long.
#define UNIQUE(list) \
    LET("u", list, "CASE WHEN len(u) > 5000 THEN list_sort(list_distinct(u)) ELSE " \
        "list_filter(u, lambda e, i: list_position(u, e) = i) END")
/// The element at `i`, from 1, of an array, or the value itself.
#define NTH(x) "CASE WHEN json_type(" x ") = 'ARRAY' THEN CAST(json_extract(" x ", '$[' || CAST(i - 1 AS VARCHAR) || ']') AS VARCHAR) ELSE " x " END"
/// What NTH() gives of each element of {0} together, at most.
#define MOST_OF(x) "coalesce(CASE WHEN json_type(" x ") = 'ARRAY' THEN strlen(" x ") ELSE strlen(" x ") * json_array_length({0}) END, 0)"
/// The key `k` of a bag and its value, as they stand in one.
#define PAIR_OF(x) "CAST(to_json(k) AS VARCHAR) || ':' || CAST(json_extract(" x ", '/' || replace(replace(k, '~', '~0'), '/', '~1')) AS VARCHAR)"
#define SHIFTED(n) \
    IF_ARRAY("{0}", LET("s", ELEMENTS(WITHIN_BYTES("strlen({0}) + least(abs(" BOUNDED(n) "), json_array_length({0})) * coalesce(strlen({2}), 4)", "{0}")), AS_ARRAY("list_transform(range(1, CAST(len(s) AS BIGINT) + 1), lambda i: CASE WHEN i + " \
             BOUNDED(n) " BETWEEN 1 AND len(s) THEN s[i + " BOUNDED(n) "] ELSE coalesce({2}, 'null') END)")))
#define ROTATED(x, n) \
    AS_ARRAY("list_concat(list_slice(" ELEMENTS(x) ", " TURN(x, n) " + 1, 1048577), list_slice(" ELEMENTS(x) ", 1, " TURN(x, n) "))")
/// Whether a key is a path below a bag, `$.a.b`; array elements have no such name.
#define IS_PATH(k) "regexp_full_match(" k ", '\\$(?:[.][^.\"\\[\\]*\\\\]+)+')"
/// What json_merge_patch() takes to put `value` at such a path.
#define AT_PATH(k, value) \
    "'{\"' || replace(substring(" k ", 3), '.', '\":{\"') || '\":" value "' || repeat('}', length(" k ") - length(replace(" k ", '.', '')))"
/// Where an element `is` it, from {2} on, of {3} elements, the {4}th such.
#define PLACE_OF(is)                                                                                        \
    IF_ARRAY("{0}", LET("t", TEXTS("{0}"), LET("f", "CASE WHEN {2} < 0 THEN greatest(len(t) + {2}, 0) ELSE {2} END", \
             "CAST(coalesce(list_filter(range(1, CAST(len(t) AS BIGINT) + 1), lambda i: i > f AND (coalesce({3}, -1) < 0 OR i - f <= {3}) AND " is \
             ")[coalesce({4}, 1)], 0) - 1 AS BIGINT)"))) "|null"
// clang-format on

constexpr FunctionRow kDynamicRows[] = {
    // dynamic
    {"array_length", "j", 'l',
     "CASE WHEN json_type({0}) = 'ARRAY' THEN CAST(json_array_length({0}) AS BIGINT) END",
     "not an array: null"},
    {"dcount_hll", "j", 'l',
     "CASE WHEN json_type({0}) = 'ARRAY' THEN CAST(json_array_length({0}) AS BIGINT) END",
     "what hll() or hll_merge() gave; exact"},
    {"bag_keys", "j", 'j',
     "CASE WHEN json_type({0}) = 'OBJECT' THEN CAST(to_json(json_keys({0})) AS VARCHAR) END",
     "not a bag: null"},
    {"bag_has_key", "js", 'b',
     "CASE WHEN json_type({0}) = 'OBJECT' THEN CASE WHEN " IS_PATH(
         "{1}") " THEN json_exists({0}, {1}) ELSE "
                "list_contains(json_keys({0}), {1}) END END",
     "a key of the top level or a path, '$.a.b'; not a bag: null"},
    // clang-format off
    {"bag_merge", "jj", 'j',
     "CASE WHEN json_type({0}) = 'OBJECT' AND json_type({1}) = 'OBJECT' THEN '{' || coalesce(array_to_string(list_concat("
     "list_transform(json_keys({0}), lambda k: " PAIR_OF("{0}") "), list_transform(list_filter(json_keys({1}), lambda k: NOT "
     "list_contains(json_keys({0}), k)), lambda k: " PAIR_OF("{1}") ")), ','), '') || '}' "
     "WHEN {0} IS NULL AND json_type({1}) = 'OBJECT' THEN {1} WHEN {1} IS NULL AND json_type({0}) = 'OBJECT' THEN {0} END",
     "the first bag that has a key gives its value; null arguments are left out"},
    // clang-format on
    {"array_concat", "jj", 'j',
     "CASE WHEN json_type({0}) = 'ARRAY' AND json_type({1}) = 'ARRAY' THEN "
     "CAST(to_json(list_concat(CAST(json_extract({0}, '$[*]') AS JSON[]), CAST(json_extract({1}, '$[*]') "
     "AS "
     "JSON[]))) AS VARCHAR) END",
     "two arrays; anything else is null"},
    {"set_has_element", "js", 'b',
     "coalesce(list_contains(CAST(json_extract_string({0}, '$[*]') AS VARCHAR[]), {1}), false)",
     "elements compared as text"},
    {"set_has_element", "jl", 'b',
     "coalesce(list_contains(CAST(json_extract_string({0}, '$[*]') AS VARCHAR[]), CAST({1} AS VARCHAR)), "
     "false)",
     "elements compared as text"},
    {"set_has_element", "jr", 'b', "coalesce(list_contains(" NUMBERS("{0}") ", {1}), false)",
     "elements compared as numbers"},
    {"strcat_array", "js", 's',
     "coalesce(array_to_string(CAST(json_extract_string(" WITHIN_BYTES(
         BYTES_OR("strlen({0}) * (strlen({1}) // 2 + 1)",
                  "strlen({0}) + json_array_length({0}) * strlen({1})"),
         "{0}") ", '$[*]') AS VARCHAR[]), {1}), '')",
     "null elements are left out; at most 16 MiB"},
    {"range", "ll?l", 'j',
     "CASE WHEN {2} > 0 AND {1} >= {0} AND (CAST({1} AS HUGEINT) - {0}) // nullif({2}, 0) < 1048576 THEN "
     "CAST(to_json(range({0}, {1} + 1, {2})) AS VARCHAR) WHEN {2} > 0 AND {1} < {0} THEN '[]' END|1",
     "both ends included; a step of zero or less, or more than 1,048,576 elements: null"},
    {"array_slice", "jll", 'j',
     IF_ARRAY("{0}", AS_ARRAY("list_slice(" ELEMENTS(
                         "{0}") ", {1} + CAST({1} >= 0 AS BIGINT), {2} + CAST({2} >= 0 AS "
                                "BIGINT))")),
     "both ends included; negative counts from the end"},
    {"array_index_of", "js", 'l',
     IF_ARRAY("{0}", "CAST(coalesce(list_position(" TEXTS("{0}") ", {1}), 0) - 1 AS BIGINT)"),
     "-1 when absent; elements compared as text"},
    {"array_index_of", "jl", 'l',
     IF_ARRAY("{0}",
              "CAST(coalesce(list_position(" TEXTS("{0}") ", CAST({1} AS VARCHAR)), 0) - 1 AS BIGINT)"),
     "-1 when absent; elements compared as text"},
    {"array_index_of", "jr", 'l',
     IF_ARRAY("{0}", "CAST(coalesce(list_position(" NUMBERS("{0}") ", {1}), 0) - 1 AS BIGINT)"),
     "elements compared as numbers"},
    {"array_index_of", "jsl?ll", 'l', PLACE_OF("t[i] = {1}"),
     "from the given place on, a negative one from the end; of so many elements, -1 is all; the so manieth"},
    {"array_index_of", "jll?ll", 'l', PLACE_OF("t[i] = CAST({1} AS VARCHAR)"), ""},
    {"array_index_of", "jrl?ll", 'l', PLACE_OF("TRY_CAST(t[i] AS DOUBLE) = {1}"), ""},
    {"array_reverse", "j", 'j', IF_ARRAY("{0}", AS_ARRAY("list_reverse(" ELEMENTS("{0}") ")")),
     "not an array: null"},
    // clang-format off: an expression reads better in the lines that it has
    {"set_union", "jj", 'j',
     IF_ARRAYS("{0}", "{1}", AS_ARRAY(UNIQUE("list_concat(" ELEMENTS("{0}") ", " ELEMENTS("{1}") ")"))),
     "in the order of first appearance, beyond 5,000 elements by JSON text; arrays, anything else is null"},
    {"set_intersect", "jj", 'j',
     IF_ARRAYS("{0}", "{1}",
               AS_ARRAY(UNIQUE("list_filter(" ELEMENTS("{0}") ", lambda e: list_contains(" ELEMENTS("{1}") ", e))"))),
     "as set_union"},
    {"set_difference", "jj", 'j',
     IF_ARRAYS("{0}", "{1}",
               AS_ARRAY(UNIQUE("list_filter(" ELEMENTS("{0}") ", lambda e: NOT list_contains(" ELEMENTS("{1}") ", e))"))),
     "what is in the first and not in the others; as set_union"},
    {"set_equals", "jj", 'b',
     IF_ARRAYS("{0}", "{1}", "(list_has_all(" ELEMENTS("{0}") ", " ELEMENTS("{1}") ") AND list_has_all(" ELEMENTS("{1}")
               ", " ELEMENTS("{0}") "))"),
     "whatever the order and however often; two arrays, anything else is null"},
    {"array_iff", "jaa", 'j',
     IF_ARRAY("{0}", AS_ARRAY("list_transform(" TEXTS(WITHIN_BYTES(MOST_OF("{1}") " + " MOST_OF("{2}"), "{0}")) ", lambda e, i: coalesce(CASE WHEN e = 'true' OR "
              "coalesce(TRY_CAST(e AS DOUBLE), 0) <> 0 THEN " NTH("{1}") " ELSE " NTH("{2}") " END, 'null'))")),
     "each from the second or the third, arrays or one value for all; beyond the end null"},
    {"array_shift_left", "jl?a", 'j', SHIFTED("{1}") "|null", "as long as before, filled with null or the third; negative shifts right"},
    {"array_shift_right", "jl?a", 'j', SHIFTED("(-{1})") "|null", "as array_shift_left; negative shifts left"},
    {"array_split", "jj", 'j',
     IF_ARRAYS("{0}", "{1}", LET("cuts", "list_concat([CAST(0 AS BIGINT)], list_transform(" TEXTS("{1}") ", lambda e: "
               "CASE WHEN TRY_CAST(e AS BIGINT) < 0 THEN greatest(json_array_length({0}) + TRY_CAST(e AS BIGINT), 0) ELSE TRY_CAST(e AS BIGINT) END), [CAST(json_array_length({0}) AS BIGINT)])",
               AS_ARRAY("list_transform(range(2, CAST(len(cuts) AS BIGINT) + 1), lambda i: '[' || coalesce(array_to_string(list_slice("
                        ELEMENTS(WITHIN_BYTES("CASE WHEN list_sort(cuts) = cuts THEN 0 ELSE strlen({0}) END", "{0}")) ", cuts[i - 1] + 1, cuts[i]), ','), '') || ']')"))),
     "before, between and behind the indexes; negative counts from the end"},
    {"bag_zip", "jj", 'j',
     IF_ARRAYS("{0}", "{1}", "'{' || coalesce(array_to_string(list_transform(" TEXTS("{0}") ", lambda e, i: CAST(to_json(coalesce(e, "
               "'')) AS VARCHAR) || ':' || coalesce(CAST(json_extract({1}, '$[' || CAST(i - 1 AS VARCHAR) || ']') AS VARCHAR), "
               "'null')), ','), '') || '}'"),
     "keys and their values; behind the values' end null"},
    // clang-format on
    {"array_sum", "j", 'r',
     "list_sum(list_transform(CAST(json_extract_string({0}, '$[*]') AS VARCHAR[]), lambda e: TRY_CAST(e "
     "AS "
     "DOUBLE)))",
     "what is no number is left out"},
    // clang-format off: an expression reads better in the lines that it has
    {"array_split", "jl", 'j',
     IF_ARRAY("{0}", "'[' || " AS_ARRAY("list_slice(" ELEMENTS("{0}") ", 1, " CUT("{0}", "{1}") ")") " || ',' || "
                     AS_ARRAY("list_slice(" ELEMENTS("{0}") ", " CUT("{0}", "{1}") " + 1, 1048577)") " || ']'"),
     "before and from one index on; negative counts from the end"},
    {"array_rotate_left", "jl", 'j',
     IF_ARRAY("{0}", "CASE WHEN json_array_length({0}) = 0 THEN '[]' ELSE " ROTATED("{0}", "{1}") " END"),
     "negative rotates right"},
    {"array_rotate_right", "jl", 'j',
     IF_ARRAY("{0}", "CASE WHEN json_array_length({0}) = 0 THEN '[]' ELSE "
                     ROTATED("{0}", "json_array_length({0}) - {1} % json_array_length({0})") " END"),
     "negative rotates left"},
    // clang-format on
    {"zip", "jj", 'j',
     IF_ARRAYS("{0}", "{1}",
               AS_ARRAY("list_transform(list_zip(" ELEMENTS("{0}") ", " ELEMENTS(
                   "{1}") "), lambda p: '[' || coalesce(p[1], 'null') || ',' || coalesce(p[2], 'null') "
                          "|| ']')")),
     "two arrays; nulls behind the shorter one's end"},
    // clang-format off: an expression reads better in the lines that it has
    {"bag_remove_keys", "jj", 'j',
     "CASE WHEN json_type({0}) = 'OBJECT' AND json_type({1}) = 'ARRAY' THEN list_reduce(list_concat(['{' || "
     "coalesce(array_to_string(list_transform(list_filter(json_keys({0}), lambda k: NOT list_contains(" TEXTS("{1}") ", k)), lambda k: "
     PAIR_OF("{0}") "), ','), '') || '}'], list_filter(" TEXTS("{1}") ", lambda k: " IS_PATH("k") ")), lambda x, y: "
     "CASE WHEN json_exists(x, y) THEN CAST(json_merge_patch(x, " AT_PATH("y", "null") ") AS VARCHAR) ELSE x END) END",
     "keys of the top level or paths, '$.a.b', as far as they are there"},
    {"bag_set_key", "jsa", 'j',
     "CASE WHEN json_type({0}) = 'OBJECT' THEN CASE WHEN " IS_PATH("{1}") " THEN "
     "replace(CAST(json_merge_patch({0}, " AT_PATH("{1}", "\"\\u0001\"") ") AS VARCHAR), '\"\\u0001\"', coalesce({2}, 'null')) "
     "ELSE '{' || array_to_string(list_append(list_transform(list_filter(json_keys({0}), lambda k: k <> {1}), lambda k: " PAIR_OF("{0}")
     "), CAST(to_json({1}) AS VARCHAR) || ':' || coalesce({2}, 'null')), ',') || '}' END END",
     "a key of the top level or a path, '$.a.b'"},
    // clang-format on
    {"jaccard_index", "jj", 'r',
     IF_ARRAYS(
         "{0}", "{1}",
         "CAST(len(list_distinct(list_intersect(" ELEMENTS("{0}") ", " ELEMENTS(
             "{1}") "))) AS DOUBLE) / nullif(len(list_distinct(list_concat(" ELEMENTS("{0}") ","
                                                                                             " " ELEMENTS(
                                                                                                 "{1}") "))),"
                                                                                                        " 0"
                                                                                                        ")"),
     "two empty arrays: null"},
};

}  // namespace

std::span<const FunctionRow> dynamic_function_rows() {
    return kDynamicRows;
}

}  // namespace fieldwatch::kql
