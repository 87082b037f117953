// The functions over arrays, bags, series and addresses: rows of the table that functions.hpp describes.
#include "kql/functions.hpp"

namespace fieldwatch::kql {
namespace {

/// The elements of a JSON array: as JSON texts, as plain texts, and a list of JSON texts as one array again.
#define ELEMENTS(x) "CAST(json_extract(" x ", '$[*]') AS VARCHAR[])"
#define TEXTS(x) "CAST(json_extract_string(" x ", '$[*]') AS VARCHAR[])"
/// array_to_string() of no element is NULL, which no list is here: IF_ARRAY has seen to it.
#define AS_ARRAY(list) "'[' || coalesce(array_to_string(" list ", ','), '') || ']'"
#define IF_ARRAY(x, then) "CASE WHEN json_type(" x ") = 'ARRAY' THEN " then " END"
#define IF_ARRAYS(x, y, then) \
    "CASE WHEN json_type(" x ") = 'ARRAY' AND json_type(" y ") = 'ARRAY' THEN " then " END"
/// Numbers before texts, each in their own order.
#define SORTED(x, order)                                                                                    \
    IF_ARRAY(x,                                                                                             \
             AS_ARRAY("list_transform(list_sort(list_transform(" ELEMENTS(                                  \
                 x) ", lambda e: struct_pack(n := "                                                         \
                    "TRY_CAST(json_extract_string(e, '$') AS DOUBLE), t := json_extract_string(e, '$'), v " \
                    ":= e)), '" order "', 'NULLS LAST'), lambda e: e.v)"))

/// The elements as numbers, null where one is none; and a list of numbers as an array.
#define NUMBERS(x) "list_transform(" TEXTS(x) ", lambda e: TRY_CAST(e AS DOUBLE))"
#define AS_NUMBERS(list) "CAST(to_json(" list ") AS VARCHAR)"
/// Each element `a` of the one and `b` of the other; nulls behind the shorter one's end.
#define PAIRWISE(expression)                                                     \
    IF_ARRAYS("{0}", "{1}",                                                      \
              AS_NUMBERS("list_transform(list_zip(" NUMBERS("{0}") ", " NUMBERS( \
                  "{1}") "), lambda p: " expression ")"))
#define ELEMENTWISE(expression) \
    IF_ARRAY("{0}", AS_NUMBERS("list_transform(" NUMBERS("{0}") ", lambda a: " expression ")"))
// clang-format off
#define BOUNDED(n) "least(greatest(" n ", -1048577), 1048577)"
/// Where an array is cut: a negative place counts from the end.
#define CUT(x, n) "CASE WHEN " n " < 0 THEN greatest(json_array_length(" x ") + " BOUNDED(n) ", 0) ELSE " BOUNDED(n) " END"
#define TURN(x, n) "(((" n ") % json_array_length(" x ") + json_array_length(" x ")) % json_array_length(" x "))"
#define ROTATED(x, n) \
    AS_ARRAY("list_concat(list_slice(" ELEMENTS(x) ", " TURN(x, n) " + 1, 1048577), list_slice(" ELEMENTS(x) ", 1, " TURN(x, n) "))")
#define IS_IPV4(x) "regexp_full_match(" x ", '((25[0-5]|2[0-4]\\d|1?\\d?\\d)\\.){3}(25[0-5]|2[0-4]\\d|1?\\d?\\d)')"
#define PART(x, n, times) "CAST(split_part(" x ", '.', " #n ") AS BIGINT) * " #times
#define IPV4_NUMBER(x) "(" PART(x, 1, 16777216) " + " PART(x, 2, 65536) " + " PART(x, 3, 256) " + " PART(x, 4, 1) ")"
#define IPV4_TEXT(n) \
    "(CAST((" n ") // 16777216 AS VARCHAR) || '.' || CAST((" n ") // 65536 % 256 AS VARCHAR) || '.' || " \
    "CAST((" n ") // 256 % 256 AS VARCHAR) || '.' || CAST((" n ") % 256 AS VARCHAR))"
/// An address with or without /bits: its address and its bits.
#define CIDR_ADDRESS(x) "split_part(" x ", '/', 1)"
#define CIDR_BITS(x) "coalesce(TRY_CAST(nullif(split_part(" x ", '/', 2), '') AS BIGINT), 32)"
#define IS_CIDR(x) "(" IS_IPV4(CIDR_ADDRESS(x)) " AND regexp_full_match(" x ", '[^/]*(/(\\d|[12]\\d|3[0-2]))?'))"
#define BITS(n) "least(greatest(" n ", 0), 32)"
/// The first bits of an address, the others zero.
#define MASKED(number, bits) "((" number ") // CAST(pow(2, 32 - " BITS(bits) ") AS BIGINT) * CAST(pow(2, 32 - " BITS(bits) ") AS BIGINT))"
#define CIDR_NETWORK(x, bits) MASKED(IPV4_NUMBER(CIDR_ADDRESS(x)), bits)
#define LEAST_BITS "least(" CIDR_BITS("{0}") ", " CIDR_BITS("{1}") ", {2})"
#define OWN_BITS "least({1}, " CIDR_BITS("{0}") ")"
// clang-format on

constexpr FunctionRow kRows[] =
    {
        // dynamic
        {"array_length", "j", 'l',
         "CASE WHEN json_type({0}) = 'ARRAY' THEN CAST(json_array_length({0}) AS BIGINT) END",
         "not an array: null"},
        {"bag_keys", "j", 'j',
         "CASE WHEN json_type({0}) = 'OBJECT' THEN CAST(to_json(json_keys({0})) AS VARCHAR) END",
         "not a bag: null"},
        {"bag_has_key", "js", 'b',
         "CASE WHEN json_type({0}) = 'OBJECT' THEN list_contains(json_keys({0}), {1}) END",
         "not a bag: null"},
        {"bag_merge", "jj", 'j', "CAST(json_merge_patch({1}, {0}) AS VARCHAR)", "the first bag wins"},
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
        {"strcat_array", "js", 's',
         "coalesce(array_to_string(CAST(json_extract_string({0}, '$[*]') AS VARCHAR[]), {1}), '')",
         "null elements are left out"},
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
        {"array_reverse", "j", 'j', IF_ARRAY("{0}", AS_ARRAY("list_reverse(" ELEMENTS("{0}") ")")),
         "not an array: null"},
        {"array_sort_asc", "j", 'j', SORTED("{0}", "ASC"), "numbers, then texts; not an array: null"},
        {"array_sort_desc", "j", 'j', SORTED("{0}", "DESC"), "texts, then numbers; not an array: null"},
        {"set_union", "jj", 'j',
         IF_ARRAYS(
             "{0}", "{1}",
             AS_ARRAY("list_sort(list_distinct(list_concat(" ELEMENTS("{0}") ", " ELEMENTS("{1}") ")))")),
         "sorted by JSON text; two arrays, anything else is null"},
        {"set_intersect", "jj", 'j',
         IF_ARRAYS(
             "{0}", "{1}",
             AS_ARRAY("list_sort(list_distinct(list_intersect(" ELEMENTS("{0}") ", " ELEMENTS("{1}") ")))")),
         "as set_union"},
        {"set_difference", "jj", 'j',
         IF_ARRAYS("{0}", "{1}",
                   AS_ARRAY("list_sort(list_distinct(list_filter(" ELEMENTS(
                       "{0}") ", lambda e: NOT list_contains(" ELEMENTS("{1}") ", e))))")),
         "what is in the first and not in the second; as set_union"},
        {"array_sum", "j", 'r',
         "list_sum(list_transform(CAST(json_extract_string({0}, '$[*]') AS VARCHAR[]), lambda e: TRY_CAST(e "
         "AS "
         "DOUBLE)))",
         "what is no number is left out"},
        // clang-format off
    {"parse_url", "s", 'j',
     "CAST(json_object('Scheme', regexp_extract({0}, '^([A-Za-z][A-Za-z0-9+.-]*)://', 1), "
     "'Host', regexp_extract({0}, '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(\\[[^\\]]*\\]|[^/?#:]*)', 1), "
     "'Port', regexp_extract({0}, '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(?:\\[[^\\]]*\\]|[^/?#:]*):(\\d+)', 1), "
     "'Path', regexp_extract({0}, '^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*(/[^?#]*)', 1), "
     "'Username', regexp_extract({0}, '^[A-Za-z][A-Za-z0-9+.-]*://([^/?#@:]*)(?::[^/?#@]*)?@', 1), "
     "'Password', regexp_extract({0}, '^[A-Za-z][A-Za-z0-9+.-]*://[^/?#@:]*:([^/?#@]*)@', 1), "
     "'Query Parameters', json('{' || coalesce(array_to_string(list_transform(list_filter(string_split("
     "regexp_extract({0}, '^[^?#]*[?]([^#]*)', 1), '&'), lambda e: e <> ''), lambda e: CAST(to_json(split_part(e, '=', 1)) AS "
     "VARCHAR) || ':' || CAST(to_json(substring(e, length(split_part(e, '=', 1)) + 2)) AS VARCHAR)), ','), '') || '}'), "
     "'Fragment', regexp_extract({0}, '#(.*)$', 1)) AS VARCHAR)",
     "as written, not decoded"},
        // clang-format on
        // addresses
        {"parse_ipv4", "s", 'l',
         "CASE WHEN regexp_full_match({0}, "
         "'((25[0-5]|2[0-4]\\d|1?\\d?\\d)\\.){3}(25[0-5]|2[0-4]\\d|1?\\d?\\d)') "
         "THEN "
         "CAST(split_part({0}, '.', 1) AS BIGINT) * 16777216 + CAST(split_part({0}, '.', 2) AS BIGINT) * "
         "65536 + "
         "CAST(split_part({0}, '.', 3) AS BIGINT) * 256 + CAST(split_part({0}, '.', 4) AS BIGINT) END",
         "no address: null"},
        {"has_ipv4", "ss", 'b',
         "regexp_matches({0}, '(^|[^0-9A-Za-z.])' || regexp_escape({1}) || '($|[^0-9A-Za-z.])')",
         "the address stands alone in the text"},
        {"ipv4_is_private", "s", 'b',
         "CASE WHEN regexp_full_match({0}, "
         "'((25[0-5]|2[0-4]\\d|1?\\d?\\d)\\.){3}(25[0-5]|2[0-4]\\d|1?\\d?\\d)') "
         "THEN "
         "regexp_matches({0}, '^(10\\.|192\\.168\\.|172\\.(1[6-9]|2\\d|3[01])\\.)') END",
         "no address: null"},
        {"array_concat", "jjj", 'j',
         "CASE WHEN json_type({0}) = 'ARRAY' AND json_type({1}) = 'ARRAY' AND json_type({2}) = 'ARRAY' "
         "THEN " AS_ARRAY("list_concat(list_concat(" ELEMENTS("{0}") ", " ELEMENTS("{1}") "), " ELEMENTS(
             "{2}") ")") " END",
         "three arrays; anything else is null"},
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
        {"bag_remove_keys", "jj", 'j',
         "CASE WHEN json_type({0}) = 'OBJECT' AND json_type({1}) = 'ARRAY' THEN '{' || "
         "coalesce(array_to_string(list_transform(list_filter(json_keys({0}), lambda k: NOT "
         "list_contains(" TEXTS(
             "{1}") ", k)), lambda k: CAST(to_json(k) AS VARCHAR) || ':' || CAST(json_extract({0}, '/' || "
                    "replace(replace(k, '~', '~0'), '/', '~1')) AS VARCHAR)), ','), '') || '}' END",
         "keys of the top level"},
        {"bag_set_key", "jsj", 'j',
         "CASE WHEN json_type({0}) = 'OBJECT' THEN '{' || "
         "array_to_string(list_append(list_transform(list_filter(json_keys({0}), lambda k: k <> {1}), lambda "
         "k: CAST(to_json(k) AS VARCHAR) || ':' || CAST(json_extract({0}, '/' || replace(replace(k, '~', "
         "'~0'), '/', '~1')) AS VARCHAR)), CAST(to_json({1}) AS VARCHAR) || ':' || coalesce({2}, 'null')), "
         "',') || '}' END",
         "a key of the top level"},
        {"jaccard_index", "jj", 'r',
         IF_ARRAYS(
             "{0}", "{1}",
             "CAST(len(list_distinct(list_intersect(" ELEMENTS("{0}") ", " ELEMENTS(
                 "{1}") "))) AS DOUBLE) / nullif(len(list_distinct(list_concat(" ELEMENTS("{0}") ","
                                                                                                 " " ELEMENTS(
                                                                                                     "{1}") "))), 0)"),
         "two empty arrays: null"},
        {"parse_csv", "s", 'j',
         AS_ARRAY("list_transform(regexp_extract_all({0} || ',', '(\"(?:[^\"]|\"\")*\"|[^,\\n]*),', 1), "
                  "lambda e: CAST(to_json(CASE WHEN starts_with(e, '\"') THEN replace(substring(e, 2, "
                  "length(e) - 2), '\"\"', '\"') ELSE e END) AS VARCHAR))"),
         "one record; RFC 4180 quotes"},
        {"parse_path", "s", 'j',
         "CAST(json_object('Scheme', regexp_extract({0}, '^([A-Za-z][A-Za-z0-9+.-]*)://', 1), 'RootPath', "
         "regexp_extract({0}, '^([A-Za-z]:)', 1), 'DirectoryPath', regexp_replace(regexp_extract({0}, "
         "'^(.*)[/\\\\][^/\\\\]*$', 1), '', ''), 'DirectoryName', regexp_extract({0}, "
         "'([^/\\\\]+)[/\\\\][^/\\\\]*$', 1), 'Filename', regexp_extract({0}, '([^/\\\\]*)$', 1), "
         "'Extension', regexp_extract({0}, '[^/\\\\]*\\.([^/\\\\.]+)$', 1), 'AlternateDataStreamName', '') "
         "AS VARCHAR)",
         "with / or \\"},
        {"parse_version", "s", 'l',
         "CASE WHEN regexp_full_match({0}, '\\d{1,9}(\\.\\d{1,9}){0,3}') THEN TRY_CAST(CAST(split_part({0}, "
         "'.', 1) AS HUGEINT) * 1000000000000 + coalesce(TRY_CAST(nullif(split_part({0}, '.', 2), '') AS "
         "HUGEINT), 0) * 100000000 + coalesce(TRY_CAST(nullif(split_part({0}, '.', 3), '') AS HUGEINT), 0) * "
         "10000 + coalesce(TRY_CAST(nullif(split_part({0}, '.', 4), '') AS HUGEINT), 0) AS BIGINT) END",
         "a number that orders versions of up to four parts below 10,000; no version: null"},
        {"parse_urlquery", "s", 'j',
         "'{\"Query Parameters\":{' || "
         "coalesce(array_to_string(list_transform(list_filter(string_split(regexp_replace({0}, '^[?]', ''), "
         "'&'), "
         "lambda e: e <> ''), lambda e: CAST(to_json(split_part(e, '=', 1)) AS VARCHAR) || ':' || "
         "CAST(to_json(substring(e, length(split_part(e, '=', 1)) + 2)) AS VARCHAR)), ','), '') || '}}'",
         "as written, not decoded"},
        // addresses, with masks
        // clang-format off
    {"ipv4_compare", "ss?l", 'l',
     "CASE WHEN " IS_CIDR("{0}") " AND " IS_CIDR("{1}") " AND {2} BETWEEN 0 AND 32 THEN CAST(sign("
     CIDR_NETWORK("{0}", LEAST_BITS) " - " CIDR_NETWORK("{1}", LEAST_BITS) ") AS BIGINT) END|32",
     "-1, 0 or 1 after the shortest mask; no address: null"},
    {"ipv4_is_match", "ss?l", 'b',
     "CASE WHEN " IS_CIDR("{0}") " AND " IS_CIDR("{1}") " AND {2} BETWEEN 0 AND 32 THEN "
     CIDR_NETWORK("{0}", LEAST_BITS) " = " CIDR_NETWORK("{1}", LEAST_BITS) " END|32",
     "after the shortest mask; no address: null"},
    {"ipv4_is_in_range", "ss", 'b',
     "CASE WHEN " IS_IPV4("{0}") " AND " IS_CIDR("{1}") " THEN "
     MASKED(IPV4_NUMBER("{0}"), CIDR_BITS("{1}")) " = " CIDR_NETWORK("{1}", CIDR_BITS("{1}")) " END",
     "no address or range: null"},
    {"ipv4_netmask_suffix", "s", 'l', "CASE WHEN " IS_CIDR("{0}") " THEN " CIDR_BITS("{0}") " END", "no address: null"},
    {"parse_ipv4_mask", "sl", 'l',
     "CASE WHEN " IS_IPV4("{0}") " AND {1} BETWEEN 0 AND 32 THEN " MASKED(IPV4_NUMBER("{0}"), "{1}") " END",
     "no address: null"},
    {"format_ipv4", "s?l", 's',
     "coalesce(CASE WHEN " IS_CIDR("{0}") " AND {1} BETWEEN 0 AND 32 THEN "
     IPV4_TEXT(MASKED(IPV4_NUMBER(CIDR_ADDRESS("{0}")), OWN_BITS)) " END, '')|32",
     "the network's address; no address: ''"},
    {"format_ipv4", "l?l", 's',
     "coalesce(CASE WHEN {0} BETWEEN 0 AND 4294967295 AND {1} BETWEEN 0 AND 32 THEN " IPV4_TEXT(MASKED("{0}", "{1}"))
     " END, '')|32",
     "the network's address; out of range: ''"},
    {"format_ipv4_mask", "s?l", 's',
     "coalesce(CASE WHEN " IS_CIDR("{0}") " AND {1} BETWEEN 0 AND 32 THEN "
     IPV4_TEXT(MASKED(IPV4_NUMBER(CIDR_ADDRESS("{0}")), OWN_BITS)) " || '/' || CAST(" OWN_BITS " AS VARCHAR) END, '')|32",
     "as format_ipv4, with its bits"},
        // clang-format on
        // series
        {"series_add", "jj", 'j', PAIRWISE("p[1] + p[2]"),
         "element by element; two arrays, anything else is null"},
        {"series_subtract", "jj", 'j', PAIRWISE("p[1] - p[2]"), "as series_add"},
        {"series_multiply", "jj", 'j', PAIRWISE("p[1] * p[2]"), "as series_add"},
        {"series_divide", "jj", 'j', PAIRWISE("p[1] / nullif(p[2], 0)"), "as series_add; by zero is null"},
        {"series_pow", "jj", 'j', PAIRWISE("pow(p[1], p[2])"), "as series_add"},
        {"series_greater", "jj", 'j',
         IF_ARRAYS("{0}", "{1}",
                   AS_NUMBERS("list_transform(list_zip(" NUMBERS("{0}") ", " NUMBERS(
                       "{1}") "), lambda p: p[1] > p[2])")),
         "element by element, true or false"},
        {"series_less", "jj", 'j',
         IF_ARRAYS("{0}", "{1}",
                   AS_NUMBERS("list_transform(list_zip(" NUMBERS("{0}") ", " NUMBERS(
                       "{1}") "), lambda p: p[1] < p[2])")),
         "element by element, true or false"},
        {"series_equals", "jj", 'j',
         IF_ARRAYS("{0}", "{1}",
                   AS_NUMBERS("list_transform(list_zip(" NUMBERS("{0}") ", " NUMBERS(
                       "{1}") "), lambda p: p[1] = p[2])")),
         "element by element, true or false"},
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
         IF_ARRAYS("{0}", "{1}",
                   "list_sum(list_transform(list_zip(" NUMBERS("{0}") ", " NUMBERS(
                       "{1}") "), lambda p: p[1] * p[2]))"),
         ""},
        {"series_pearson_correlation", "jj", 'r',
         IF_ARRAYS("{0}", "{1}",
                   "(SELECT corr(p[1], p[2]) FROM (SELECT unnest(list_zip(" NUMBERS("{0}") ", " NUMBERS(
                       "{1}") ")) AS p))"),
         "constant series: null"},
        {"series_fill_const", "jr", 'j', ELEMENTWISE("coalesce(a, {1})"), "for elements that are no number"},
        {"series_stats_dynamic", "j", 'j',
         IF_ARRAY(
             "{0}",
             "CAST(json_object('min', list_min(" NUMBERS("{0}") "), 'min_idx', list_position(" NUMBERS("{0}") ", list_min(" NUMBERS("{0}") ")) - 1, 'max', list_max(" NUMBERS("{0}") "), 'max_idx', list_position(" NUMBERS(
                 "{0}") ", list_max(" NUMBERS("{0}") ")) - 1, 'avg', list_avg(" NUMBERS("{0}") "), 'stdev', "
                                                                                               "coalesce("
                                                                                               "list_stddev_"
                                                                                               "samp"
                                                                                               "(" NUMBERS(
                                                                                                   "{"
                                                                                                   "0"
                                                                                                   "}") "), "
                                                                                                        "0), "
                                                                                                        "'var"
                                                                                                        "ianc"
                                                                                                        "e', "
                                                                                                        "coal"
                                                                                                        "esce"
                                                                                                        "(lis"
                                                                                                        "t_"
                                                                                                        "var_"
                                                                                                        "samp"
                                                                                                        "(" NUMBERS("{0}") "), 0), 'sum', list_sum(" NUMBERS(
                                                                                                            "{0}") "), 'len', len(" NUMBERS("{0}") ")) AS VARCHAR)"),
         "what is no number is left out"},
};

}  // namespace

std::span<const FunctionRow> dynamic_function_rows() {
    return kRows;
}

}  // namespace fieldwatch::kql
