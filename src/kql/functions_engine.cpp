// The functions that no SQL has or that are geometry: rows of the table that functions.hpp describes, over
// what engine_functions.hpp computes.
#include "kql/functions.hpp"
#include "kql/functions_sql.hpp"

namespace fieldwatch::kql {
namespace {

// clang-format off
#define HASH(letter, x) "CAST(kql_hash('" letter "' || CAST(" x " AS VARCHAR)) AS BIGINT)"
/// From 0 to below {1}, whatever the sign.
#define HASH_BELOW(letter, x) "CASE WHEN {1} > 0 THEN CAST((CAST(" HASH(letter, x) " % {1} AS HUGEINT) + {1}) % {1} AS BIGINT) END"
#define HASH_ROWS(name) \
    {name, "s", 'l', HASH("s", "{0}"), "xxHash64"}, \
    {name, "l", 'l', HASH("l", "{0}"), "of its eight bytes; of an int as of a long"}, \
    {name, "r", 'l', HASH("r", "{0}"), ""}, \
    {name, "t", 'l', HASH("l", "{0}"), "of its ticks"}, \
    {name, "n", 'l', HASH("l", "{0}"), "of its ticks"}, \
    {name, "j", 'l', HASH("s", "{0}"), "of its JSON text"}, \
    {name, "sl", 'l', HASH_BELOW("s", "{0}"), "0 to below the second; that zero or less: null"}, \
    {name, "ll", 'l', HASH_BELOW("l", "{0}"), ""}, \
    {name, "rl", 'l', HASH_BELOW("r", "{0}"), ""}, \
    {name, "tl", 'l', HASH_BELOW("l", "{0}"), ""}, \
    {name, "nl", 'l', HASH_BELOW("l", "{0}"), ""}, \
    {name, "jl", 'l', HASH_BELOW("s", "{0}"), ""}

#define IS_PLACE(longitude, latitude) longitude " BETWEEN -180 AND 180 AND " latitude " BETWEEN -90 AND 90"
/// Along the great circle of a sphere with the earth's mean radius, in metres.
#define DISTANCE \
    "(2 * 6371010.0::DOUBLE * asin(sqrt(least(1, pow(sin(radians({3} - {1}) / 2), 2) + cos(radians({1})) * cos(radians({3})) * " \
    "pow(sin(radians({2} - {0}) / 2), 2)))))"
#define WORDS_OF_PLACE "CAST({0} AS VARCHAR) || ' ' || CAST({1} AS VARCHAR) || ' ' || CAST({2} AS VARCHAR)"

/// The labels of a domain name, each as `one` makes it of `e`.
#define PUNYCODE_LABELS(one) "coalesce(array_to_string(list_transform(string_split({0}, '.'), lambda e: " one "), '.'), '')"

constexpr FunctionRow kEngineRows[] = {
    HASH_ROWS("hash"),
    HASH_ROWS("hash_xxhash64"),
    {"parse_xml", "s", 'j', "kql_xml({0})",
     "attributes are @name, text beside them #text, elements of one name an array; no XML, over 1 MiB, or with a document type: null"},
    {"dynamic_to_json", "j", 's', "coalesce(kql_sorted_json({0}), '')", "with the names of each bag in order; null is ''"},
    {"treepath", "j", 'j', "kql_tree_paths({0})",
     "the path of each member; elements of an array share one, [0]; no bag and no array: null"},
    {"ipv4_range_to_cidr_list", "ss", 'j', "kql_ipv4_networks({0} || ' ' || {1})",
     "the fewest networks between two addresses; no addresses, or the second before the first: null"},
    {"punycode_from_string", "s", 's', "coalesce(kql_to_punycode({0}), '')", "RFC 3492, without a prefix"},
    {"punycode_to_string", "s", 's', "coalesce(kql_from_punycode({0}), '')", "no Punycode: ''"},
    {"punycode_domain_from_string", "s", 's', PUNYCODE_LABELS("CASE WHEN regexp_full_match(e, '[\\x00-\\x7F]*') THEN e ELSE 'xn--' || kql_to_punycode(e) END"),
     "each label that is not ASCII, with the prefix xn--"},
    {"punycode_domain_to_string", "s", 's', PUNYCODE_LABELS("CASE WHEN starts_with(lower(e), 'xn--') THEN coalesce(kql_from_punycode(substring(e, 5)), e) ELSE e END"),
     "as punycode_domain_from_string"},
    {"geo_distance_2points", "rrrr", 'r',
     "CASE WHEN " IS_PLACE("{0}", "{1}") " AND " IS_PLACE("{2}", "{3}") " THEN " DISTANCE " END",
     "longitude and latitude of two places; metres on a sphere; no such place: null"},
    {"geo_point_in_circle", "rrrrr", 'b',
     "CASE WHEN " IS_PLACE("{0}", "{1}") " AND " IS_PLACE("{2}", "{3}") " AND {4} > 0 AND isfinite({4}) THEN " DISTANCE " <= {4} END",
     "place, centre, radius in metres; no such place, or a radius that is not positive: null"},
    {"geo_point_to_geohash", "rr?l", 's', "coalesce(kql_geohash(" WORDS_OF_PLACE "), '')|5",
     "longitude, latitude and 1 to 18 characters; no such place: ''"},
};
// clang-format on

}  // namespace

std::span<const FunctionRow> engine_function_rows() {
    return kEngineRows;
}

}  // namespace fieldwatch::kql
