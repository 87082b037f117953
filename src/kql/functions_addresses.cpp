// The functions over addresses, paths and other texts with parts: rows of the table that functions.hpp
// describes.
#include "kql/functions.hpp"
#include "kql/functions_sql.hpp"

namespace fieldwatch::kql {
namespace {

// clang-format off
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
/// What stands before an address in a text, for a pattern.
#define ALONE "'(^|[^0-9A-Za-z.])' || "
/// The address of IPv6 or IPv4 in `x` with IPv4 written as two groups, its groups, and its 128 bits as text; null if it is none.
#define IPV6_PLAIN(x) \
    LET("t", "CASE WHEN " IS_IPV4("lower(" CIDR_ADDRESS(x) ")") " THEN '::ffff:' || " CIDR_ADDRESS(x) " ELSE lower(" CIDR_ADDRESS(x) ") END", \
        LET("v", "regexp_extract(t, '[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+$')", "CASE WHEN " IS_IPV4("v") \
            " THEN left(t, length(t) - length(v)) || printf('%x:%x', " IPV4_NUMBER("v") " // 65536, " IPV4_NUMBER("v") " % 65536) ELSE t END"))
#define IPV6_GROUPS(t) \
    LET("p", "string_split(" t ", '::')", "CASE WHEN len(p) = 2 THEN list_concat(" GROUPS("p[1]") ", list_transform(range(8 - len(" \
        GROUPS("p[1]") ") - len(" GROUPS("p[2]") ")), lambda z: '0'), " GROUPS("p[2]") ") ELSE string_split(" t ", ':') END")
#define GROUPS(text) "list_filter(string_split(" text ", ':'), lambda g: g <> '')"
#define IPV6_VALID(x) "regexp_full_match(" x ", '[^/]*(/(\\d|[1-9]\\d|1[01]\\d|12[0-8]))?')"
#define LET_BITS_AS(name, x, expression) \
    LET(name, LET("w", IPV6_PLAIN(x), "CASE WHEN " IPV6_VALID(x) " AND NOT regexp_matches(w, ':::|^:[^:]|[^:]:$') AND len(" IPV6_GROUPS("w") \
        ") = 8 AND len(list_filter(" IPV6_GROUPS("w") ", lambda g: NOT regexp_full_match(g, '[0-9a-f][0-9a-f]?[0-9a-f]?[0-9a-f]?'))) = 0 " \
        "THEN CAST(CAST(unhex(array_to_string(list_transform(" IPV6_GROUPS("w") ", lambda g: lpad(g, 4, '0')), '')) AS BIT) AS VARCHAR) END"), \
        "CASE WHEN " name " IS NOT NULL THEN " expression " END")
#define LET_BITS(x, expression) LET_BITS_AS("b", x, expression)
#define LET_BITS_2(x, expression) LET_BITS_AS("d", x, expression)
/// How many bits a mask leaves; one of an IPv4 address counts from the 96th.
#define IPV6_BITS(x) "coalesce(TRY_CAST(nullif(split_part(" x ", '/', 2), '') AS BIGINT) + CASE WHEN contains(" x ", ':') THEN 0 ELSE 96 END, 128)"
#define IPV6_LEAST "least(" IPV6_BITS("{0}") ", " IPV6_BITS("{1}") ", {2})"
#define IPV6_TEXT(bits) \
    LET("m", bits, "array_to_string(list_transform(range(8), lambda g: printf('%04x', list_sum(list_transform(range(16), lambda j: " \
        "CAST(substring(m, g * 16 + j + 1, 1) AS BIGINT) << (15 - j)))::BIGINT)), ':')")
// clang-format on

constexpr FunctionRow kAddressRows[] = {
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
    // clang-format off
    {"parse_ipv4", "s", 'l', "CASE WHEN " IS_CIDR("{0}") " THEN " CIDR_NETWORK("{0}", CIDR_BITS("{0}")) " END",
     "a mask keeps its bits; no address: null"},
    {"ipv4_is_private", "s", 'b',
     "CASE WHEN " IS_CIDR("{0}") " THEN regexp_matches({0}, '^(10\\.|192\\.168\\.|172\\.(1[6-9]|2\\d|3[01])\\.)') END",
     "no address: null"},
    {"has_ipv4", "ss", 'b', "(" IS_IPV4("{1}") " AND regexp_matches({0}, " ALONE "regexp_escape({1}) || '($|[^0-9A-Za-z.])'))",
     "the address stands alone in the text; no address: false"},
    {"has_ipv4_prefix", "ss", 'b',
     "CASE WHEN " IS_IPV4("{1}") " THEN regexp_matches({0}, " ALONE "regexp_escape({1}) || '($|[^0-9A-Za-z.])') "
     "WHEN regexp_full_match({1}, '(\\d\\d?\\d?\\.)+') THEN regexp_matches({0}, " ALONE "regexp_escape({1}) || "
     "repeat('\\d\\d?\\d?\\.', CAST(length({1}) - length(replace({1}, '.', '')) AS BIGINT) * -1 + 3) || "
     "'\\d\\d?\\d?($|[^0-9A-Za-z.])') ELSE false END",
     "an address that begins with it stands alone in the text; a prefix is an address, or ends with a dot"},
    {"parse_ipv6", "s", 's', "coalesce(" LET_BITS("{0}", IPV6_TEXT("left(b, " IPV6_BITS("{0}") ") || repeat('0', 128 - " IPV6_BITS("{0}") ")")) ", '')",
     "eight groups of four digits; an IPv4 address is mapped; a mask keeps its bits; no address: ''"},
    {"parse_ipv6_mask", "sl", 's',
     "coalesce(CASE WHEN {1} BETWEEN 0 AND 128 THEN " LET_BITS("{0}", IPV6_TEXT("left(b, least({1}, " IPV6_BITS("{0}")
     ")) || repeat('0', 128 - least({1}, " IPV6_BITS("{0}") "))")) " END, '')",
     "as parse_ipv6; no address: ''"},
    {"ipv6_compare", "ss?l", 'l',
     "CASE WHEN {2} BETWEEN 0 AND 128 THEN " LET_BITS("{0}", LET_BITS_2("{1}",
     "CAST(CASE WHEN left(b, " IPV6_LEAST ") < left(d, " IPV6_LEAST ") THEN -1 WHEN left(b, " IPV6_LEAST ") > left(d, "
     IPV6_LEAST ") THEN 1 ELSE 0 END AS BIGINT)")) " END|128",
     "-1, 0 or 1 after the shortest mask; IPv4 too; no address: null"},
    {"ipv6_is_match", "ss?l", 'b',
     "CASE WHEN {2} BETWEEN 0 AND 128 THEN " LET_BITS("{0}", LET_BITS_2("{1}", "left(b, " IPV6_LEAST ") = left(d, " IPV6_LEAST ")")) " END|128",
     "as ipv6_compare"},
    {"ipv6_is_in_range", "ss", 'b',
     LET_BITS("{0}", LET_BITS_2("{1}", "left(b, " IPV6_BITS("{1}") ") = left(d, " IPV6_BITS("{1}") ")")),
     "IPv4 too; no address or range: null"},
    // clang-format on
    {"parse_csv", "s", 'j',
     AS_ARRAY("list_transform(regexp_extract_all({0} || ',', '(\"(?:[^\"]|\"\")*\"|[^,\\n]*),', 1), "
              "lambda e: CAST(to_json(CASE WHEN starts_with(e, '\"') THEN replace(substring(e, 2, "
              "length(e) - 2), '\"\"', '\"') ELSE e END) AS VARCHAR))"),
     "one record; RFC 4180 quotes"},
    {"parse_path", "s", 'j',
     LET("p", "regexp_replace({0}, '^[A-Za-z][A-Za-z0-9+.-]*://', '')",
         LET("f", "regexp_extract(p, '([^/\\\\]*)$', 1)",
             "CAST(json_object('Scheme', regexp_extract({0}, '^([A-Za-z][A-Za-z0-9+.-]*)://', 1), "
             "'RootPath', "
             "regexp_extract(p, '^(?:\\\\\\\\[?]\\\\)?([A-Za-z]:)', 1), 'DirectoryPath', regexp_extract(p, "
             "'^(.*)[/\\\\][^/\\\\]*$', 1), 'DirectoryName', regexp_extract(p, "
             "'([^/\\\\]+)[/\\\\][^/\\\\]*$', 1), 'Filename', regexp_extract(f, '^[^:]*'), 'Extension', "
             "regexp_extract(f, '^[^:]*\\.([^:.]+)(?::|$)', 1), 'AlternateDataStreamName', regexp_extract(f, "
             "':(.*)$', 1)) AS VARCHAR)")),
     "with / or \\; a name of a stream stands behind a colon"},
    {"parse_version", "s", 'd',
     "CASE WHEN regexp_full_match({0}, '\\d{1,8}(\\.\\d{1,8}){0,3}') THEN "
     "TRY_CAST(list_sum(list_transform(range(4), "
     "lambda i: CAST(coalesce(nullif(split_part({0}, '.', i + 1), ''), '0') AS HUGEINT) * CAST('1' || "
     "repeat('0', 24 - 8 * "
     "i) AS HUGEINT))) AS DECIMAL(38, 10)) END",
     "up to four parts of eight digits each; no version, or 10,000 and more in the first part: null"},
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
};

}  // namespace

std::span<const FunctionRow> address_function_rows() {
    return kAddressRows;
}

}  // namespace fieldwatch::kql
