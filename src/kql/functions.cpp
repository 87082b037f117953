#include "kql/functions.hpp"

#include <array>
#include <iterator>

#include "kql/functions_sql.hpp"

namespace fieldwatch::kql {
namespace {

#define DAY "864000000000"
/// Days since 1970-01-01 of a datetime, as DATE.
#define AS_DATE(x) "(DATE '1970-01-01' + CAST(" x " // " DAY " - 719162 AS INTEGER))"
#define FROM_DATE(d) "(CAST((" d ") - DATE '1970-01-01' AS BIGINT) * " DAY " + 621355968000000000)"
/// Calendar work keeps the time of day aside, so that no tick is lost.
#define TIME_OF_DAY(x) "(((" x ") % " DAY "))"
/// {0} as a timestamp, and a timestamp as ticks; the tick below a microsecond is carried along.
#define AS_TIMESTAMP "make_timestamp(({0} - {0} % 10 - 621355968000000000) // 10)"
#define FROM_TIMESTAMP(t) "(epoch_us(" t ") * 10 + 621355968000000000 + {0} % 10)"
/// The bytes as `reader` gives them. Within CASE: what two expressions have in common the engine computes
/// apart, also out of TRY, and then stops at what is malformed.
#define FROM_BASE64(reader) \
    LET("b", "{0}", "CASE WHEN length(b) % 4 = 0 THEN TRY(" reader "(from_base64(b))) END")
/// {0} is at most {2} from {1}.
#define WITHIN "({0} BETWEEN CAST({1} AS HUGEINT) - {2} AND CAST({1} AS HUGEINT) + {2})"
/// Where {1} stands in {0}: the places from {2} on within `length` characters, and one of them.
#define PLACES(length, which)                                                                            \
    "list_transform([CASE WHEN {2} < 0 THEN greatest(length({0}) + greatest({2}, -2147483647), 0) ELSE " \
    "least({2}, 2147483646) END], lambda f: list_transform([substring({0}, f + 1, CASE WHEN " length     \
    " < 0 THEN 2147483647 ELSE least(" length                                                            \
    ", 2147483647) END)], lambda w: coalesce(list_filter(range(CAST(length(w) AS BIGINT)), lambda i: "   \
    "starts_with(substring(w, i + 1), {1}))" which " + f, -1))[1])[1]"
/// Percent-encoded as .NET does it: hexadecimal in lower case, and what it leaves as it is.
#define URL_ENCODED(blank)                                                                                \
    "replace(replace(replace(replace(replace(coalesce(array_to_string(list_transform(regexp_extract_all(" \
    "replace("                                                                                            \
    "url_encode({0}), '~', '%7E'), '%[0-9A-F][0-9A-F]|[^%]+'), lambda e: CASE WHEN starts_with(e, '%') "  \
    "THEN "                                                                                               \
    "lower(e) ELSE e END), ''), ''), '%21', '!'), '%2a', '*'), '%28', '('), '%29', ')'), '%20', '" blank  \
    "')"
/// The hexadecimal digits of a guid in the order of its bytes, and back: the first three groups lie reversed.
#define GUID_BYTES(h)                                                                                       \
    "substr(" h ", 7, 2) || substr(" h ", 5, 2) || substr(" h ", 3, 2) || substr(" h ", 1, 2) || substr(" h \
    ", 11, 2) || "                                                                                          \
    "substr(" h ", 9, 2) || substr(" h ", 15, 2) || substr(" h ", 13, 2) || substr(" h ", 17)"
/// The power of 1024 that a unit of bytes stands for; `unit` is SQL of its name.
#define POWER_OF_UNIT(unit) \
    "list_position(['BYTES', 'KB', 'MB', 'GB', 'TB', 'PB', 'EB'], upper(" unit ")) - 1"
#define FITTING_UNIT                                                                                  \
    "CASE WHEN isfinite({0}) THEN ['Bytes', 'KB', 'MB', 'GB', 'TB', 'PB', 'EB'][1 + len(list_filter(" \
    "range(1, 7), lambda i: abs({0}) >= pow(1024, i)))] END"
#define BYTES_TEXT(unit, digits)                                                                        \
    "coalesce(" LET(                                                                                    \
        "u", unit,                                                                                      \
        LET("t",                                                                                        \
            "printf('%.*f', CAST(least(greatest(" digits ", 0), 15) AS INTEGER), round({0} / "          \
            "pow(1024, " POWER_OF_UNIT("u") "), CAST(least(greatest(" digits ", 0), 15) AS INTEGER)))", \
            "CASE WHEN " digits " > 0 THEN rtrim(rtrim(t, '0'), '.') ELSE t END || ' ' || u")) ", '')"
#define REPEATED_TEXT                                                                   \
    "coalesce(repeat({0}, " WITHIN_BYTES("strlen({0}) * least(greatest({1}, 0), 1024)", \
                                         "CAST(least(greatest({1}, 0), 1024) AS BIGINT)") "), '')"
/// Every place could match, and a match may be said again as often as two characters of `by` ask for it.
#define BY_PATTERN(text, pattern, by)                                                                     \
    "regexp_replace(" text ", " pattern ", " WITHIN_BYTES(                                                \
        BYTES_OR("(strlen(" text ") + 1) * (strlen(" by ") + 1)",                                         \
                 "strlen(" text ") * (1 + CASE WHEN contains(" by ", '\\') THEN strlen(" by               \
                 ") // 2 ELSE 0 END) + len(regexp_extract_all(" text ", " pattern ")) * strlen(" by ")"), \
        by) ", 'g')"
#define FROM_CODE_POINTS                                                                                     \
    "CASE WHEN json_type({0}) = 'ARRAY' THEN "                                                               \
    "coalesce(array_to_string(list_transform(CAST(json_extract_string("                                      \
    "{0}, '$[*]') AS VARCHAR[]), lambda e: CASE WHEN coalesce(TRY_CAST(e AS INTEGER), 32) BETWEEN 0 AND "    \
    "55295 OR "                                                                                              \
    "TRY_CAST(e AS INTEGER) BETWEEN 57344 AND 1114111 THEN chr(coalesce(TRY_CAST(e AS INTEGER), 32)) END), " \
    "''), "                                                                                                  \
    "'') ELSE '' END"

constexpr FunctionRow kScalarRows[] = {
    // text
    {"tolower", "s", 's', "lower({0})", "Unicode; '' stays ''"},
    {"toupper", "s", 's', "upper({0})", "Unicode; '' stays ''"},
    {"strlen", "s", 'l', "CAST(length({0}) AS BIGINT)", "characters, not bytes"},
    {"string_size", "s", 'l', "CAST(octet_length(encode({0})) AS BIGINT)", "bytes of UTF-8"},
    {"substring", "sl", 's',
     "coalesce(substring({0}, CASE WHEN {1} < 0 THEN greatest(length({0}) + greatest({1}, -2147483647), 0) "
     "ELSE least({1}, 2147483646) END + 1), '')",
     "counts from 0; a negative start counts from the end; beyond the end ''"},
    {"substring", "sll", 's',
     "coalesce(substring({0}, CASE WHEN {1} < 0 THEN greatest(length({0}) + greatest({1}, -2147483647), 0) "
     "ELSE least({1}, 2147483646) END + 1, least(greatest({2}, 0), 2147483647)), '')",
     "counts from 0; a negative length is 0"},
    {"replace_string", "sss", 's',
     "CASE WHEN {1} = '' THEN {0} ELSE replace({0}, {1}, " WITHIN_BYTES(
         BYTES_OR("strlen({0}) + strlen({0}) // greatest(strlen({1}), 1) * strlen({2})",
                  "strlen({0}) + (strlen({0}) - strlen(replace({0}, {1}, ''))) // greatest(strlen({1}), 1) * "
                  "strlen({2})"),
         "{2}") ") END",
     "an empty pattern changes nothing; at most 16 MiB"},
    {"replace_regex", "sks", 's', BY_PATTERN("{0}", "{1}", "{2}"), "RE2; the pattern is a constant"},
    {"replace", "kss", 's', BY_PATTERN("{2}", "{0}", "{1}"), "replace(regex, rewrite, text)"},
    {"trim", "ks", 's',
     "regexp_replace(regexp_replace({1}, '^(?:' || {0} || ')+', ''), '(?:' || {0} || ')+$', '')",
     "regex at both ends, as often as it matches"},
    {"trim_start", "ks", 's', "regexp_replace({1}, '^(' || {0} || ')', '')", "regex, once"},
    {"trim_end", "ks", 's', "regexp_replace({1}, '(' || {0} || ')$', '')", "regex, once"},
    {"extract", "kcs", 's', "regexp_extract({2}, {0}, {1})", "RE2, constant pattern; no match ''"},
    {"translate", "sss", 's',
     "translate({2}, {0}, CASE WHEN {1} = '' THEN '' ELSE {1} || repeat(right({1}, 1), "
     "CAST(greatest(length({0}) - length({1}), 0) AS BIGINT)) END)",
     "translate(from, to, text); the last of to stands for those that are missing in it, of '' nothing"},
    {"reverse", "s", 's', "reverse({0})", "by grapheme"},
    {"indexof", "ss", 'l', "CAST(strpos({0}, {1}) - 1 AS BIGINT)", "-1 when absent"},
    {"repeat_string", "sl", 's', REPEATED_TEXT, "at most 1024 times, and 16 MiB"},
    {"strrep", "sl", 's', REPEATED_TEXT, "as repeat_string"},
    {"strrep", "sls", 's',
     "CASE WHEN {1} <= 0 THEN '' ELSE {0} || repeat({2} || {0}, " WITHIN_BYTES(
         "(strlen({0}) + strlen({2})) * least(greatest({1}, 0), 1024)",
         "CAST(least(greatest({1}, 1), 1024) - 1 AS BIGINT)") ") END",
     "with a delimiter between them"},
    {"indexof", "ssl", 'l', PLACES("-1", "[1]"),
     "from the given place on, a negative one from the end; -1 when absent"},
    {"indexof", "ssll", 'l', "CASE WHEN {3} >= -1 THEN " PLACES("{3}", "[1]") " END",
     "wholly within that many characters; -1 is all, less is null"},
    {"indexof", "sslll", 'l', "CASE WHEN {3} >= -1 AND {4} >= 0 THEN " PLACES("{3}", "[{4}]") " END",
     "the so manieth, counted from 1; a negative one is null"},
    {"format_bytes", "r", 's', BYTES_TEXT(FITTING_UNIT, "0"), "as with a precision of 0"},
    {"format_bytes", "rl", 's', BYTES_TEXT(FITTING_UNIT, "{1}"),
     "so many digits behind the point, without zeros at the end; the greatest unit of 1024 that leaves 1 or "
     "more"},
    {"format_bytes", "rls", 's', BYTES_TEXT("{2}", "{1}"),
     "in Bytes, KB, MB, GB, TB, PB or EB; another unit: ''"},
    {"regex_quote", "s", 's', "regexp_escape({0})", ""},
    {"parse_command_line", "ss", 'j',
     "CASE WHEN {1} = 'windows' AND trim({0}) <> '' THEN CAST(to_json(list_transform(regexp_extract_all({0}, "
     "'(?:\\\\\\\\|\\\\\"|[^\\s\"]|\"(?:\\\\\\\\|\\\\\"|[^\"])*\"?)+'), lambda e: "
     "array_to_string(list_transform("
     "regexp_extract_all(e, '\\\\*\"|[^\\\\\"]+|\\\\+'), lambda p: CASE WHEN ends_with(p, '\"') THEN "
     "repeat('\\', "
     "CAST((length(p) - 1) // 2 AS BIGINT)) || CASE WHEN length(p) % 2 = 0 THEN '\"' ELSE '' END ELSE p "
     "END), '')"
     ")) AS VARCHAR) END",
     "an array of its words, as Windows takes them apart; the second is 'windows'; '' is null"},
    {"indexof_regex", "sk", 'l',
     "CASE WHEN regexp_matches({0}, {1}) THEN CAST(length(regexp_extract({0}, '(?s)^(.*?)(?-s:' || {1} || "
     "')', "
     "1)) AS BIGINT) ELSE -1 END",
     "RE2, constant pattern; -1 when absent"},
    {"has_any_index", "sj", 'l',
     "CASE WHEN json_type({1}) = 'ARRAY' THEN "
     "CAST(coalesce(list_position(list_transform(CAST(json_extract_string("
     "{1}, '$[*]') AS VARCHAR[]), lambda e: regexp_matches({0}, '(?i)' || CASE WHEN regexp_matches(e, "
     "'^[\\pL\\pN]') THEN '(^|[^\\pL\\pN])' ELSE '' END || regexp_escape(e) || CASE WHEN regexp_matches(e, "
     "'[\\pL\\pN]$') THEN '($|[^\\pL\\pN])' ELSE '' END)), true), 0) - 1 AS BIGINT) END",
     "which element the text has as a term; -1 when none"},
    {"strcmp", "ss", 'i', "CAST(CASE WHEN {0} < {1} THEN -1 WHEN {0} > {1} THEN 1 ELSE 0 END AS INTEGER)",
     "-1, 0 or 1, by code points"},
    {"isutf8", "s", 'b', "({0} IS NOT NULL)", "all texts are"},
    {"isascii", "s", 'b', "regexp_full_match({0}, '[\\x00-\\x7F]*')", ""},
    {"url_decode", "s", 's', LET("u", "{0}", "coalesce(TRY(url_decode(replace(u, '+', ' '))), u)"),
     "+ is a blank; what is no encoding stays"},
    {"url_encode", "s", 's', URL_ENCODED("+"), "lower-case hexadecimal; a blank is +"},
    {"url_encode_component", "s", 's', URL_ENCODED("%20"), "as url_encode; a blank is %20"},
    {"base64_encode_tostring", "s", 's', "base64(encode({0}))", ""},
    {"base64_encodestring", "s", 's', "base64(encode({0}))", "as base64_encode_tostring"},
    {"base64_encode_fromarray", "j", 's',
     "CASE WHEN json_type({0}) = 'ARRAY' THEN coalesce(TRY(base64(unhex(array_to_string(list_transform("
     "CAST(json_extract_string({0}, '$[*]') AS VARCHAR[]), lambda e: CASE WHEN TRY_CAST(e AS BIGINT) BETWEEN "
     "0 AND "
     "255 THEN printf('%02x', CAST(e AS BIGINT)) ELSE 'x' END), '')))), '') ELSE '' END",
     "an array of bytes; anything else ''"},
    {"base64_decode_tostring", "s", 's', "coalesce(" FROM_BASE64("decode") ", '')",
     "malformed input or no UTF-8: ''"},
    {"base64_decodestring", "s", 's', "coalesce(" FROM_BASE64("decode") ", '')", "as base64_decode_tostring"},
    {"base64_decode_toarray", "s", 'j',
     "list_transform([" FROM_BASE64("hex") "], lambda h: CASE WHEN h IS NOT NULL THEN "
                                           "CAST(to_json(list_transform(range(CAST(length(h) // 2 AS "
                                           "BIGINT)), lambda i: CAST('0x' || substring(h, "
                                           "i * 2 "
                                           "+ 1, 2) AS BIGINT))) AS VARCHAR) END)[1]",
     "the bytes; malformed input is null"},
    {"base64_encode_fromguid", "g", 's',
     LET("h", "replace({0}, '-', '')", "coalesce(base64(unhex(" GUID_BYTES("h") ")), '')"),
     "in the order of bytes that .NET gives a guid; null is ''"},
    {"base64_decode_toguid", "s", 'g',
     LET("h", "lower(" FROM_BASE64("hex") ")",
         LET("g", "CASE WHEN length(h) = 32 THEN " GUID_BYTES("h") " END",
             "CAST(CAST(g AS UUID) AS VARCHAR)")),
     "what base64_encode_fromguid gave; anything else null"},
    {"replace_strings", "sjj", 's',
     "coalesce(" IF_ARRAYS(
         "{1}", "{2}",
         LET("f", TEXTS("{1}"),
             "array_to_string(list_transform(regexp_extract_all(" WITHIN_BYTES(
                 BYTES_OR(
                     "(strlen({0}) + 1) * (strlen({2}) + 1)",
                     "strlen({0}) + strlen({0}) // greatest(coalesce(list_min(list_transform(list_filter("
                     "f, lambda e: e <> ''), lambda e: strlen(e))), 1), 1) * coalesce(list_max("
                     "list_transform(" TEXTS("{2}") ", lambda e: strlen(e))), 0)"),
                 "{0}") ", '(?s)' || "
                        "coalesce(array_to_string(list_transform("
                        "list_filter(f, lambda e: e <> ''), lambda e: regexp_escape(e) || '|'), ''), '') || "
                        "'.'), "
                        "lambda m: coalesce(" TEXTS("{2}") "[list_position(f, m)], m)), '')")) ", '')",
     "each of the first array's texts by that of the second, in one pass; no arrays: ''"},
    {"to_utf8", "s", 'j',
     "CAST(to_json(list_transform(string_split({0}, ''), lambda e: CAST(unicode(e) AS BIGINT))) AS VARCHAR)",
     "code points of its characters"},
    {"unicode_codepoints_from_string", "s", 'j',
     "CAST(to_json(list_transform(string_split({0}, ''), lambda e: CAST(unicode(e) AS BIGINT))) AS VARCHAR)",
     "code points of its characters"},
    {"unicode_codepoints_to_string", "j", 's', FROM_CODE_POINTS, "an array of code points; no array: ''"},
    {"make_string", "j", 's', FROM_CODE_POINTS, "as unicode_codepoints_to_string"},
    {"hash_sha256", "s", 's', "sha256({0})", "lower-case hexadecimal"},
    {"hash_md5", "s", 's', "md5({0})", "lower-case hexadecimal"},
    {"hash_sha1", "s", 's', "sha1({0})", "lower-case hexadecimal"},
    {"isempty", "s", 'b', "({0} = '')", "strings are never null"},
    {"isempty", "j", 'b', "({0} IS NULL OR {0} = '\"\"')", "null is empty"},
    {"isempty", "r", 'b', "({0} IS NULL)", "null is empty"},
    {"isempty", "t", 'b', "({0} IS NULL)", "null is empty"},
    {"isempty", "n", 'b', "({0} IS NULL)", "null is empty"},
    {"isempty", "b", 'b', "({0} IS NULL)", "null is empty"},
    {"isempty", "g", 'b', "({0} IS NULL)", "null is empty"},
    {"isnotempty", "s", 'b', "({0} <> '')", "strings are never null"},
    {"isnotempty", "j", 'b', "({0} IS NOT NULL AND {0} <> '\"\"')", "null is empty"},
    {"isnotempty", "r", 'b', "({0} IS NOT NULL)", "null is empty"},
    {"isnotempty", "t", 'b', "({0} IS NOT NULL)", "null is empty"},
    {"isnotempty", "n", 'b', "({0} IS NOT NULL)", "null is empty"},
    {"isnotempty", "b", 'b', "({0} IS NOT NULL)", "null is empty"},
    {"isnotempty", "g", 'b', "({0} IS NOT NULL)", "null is empty"},
    {"around", "lll", 'b', WITHIN, "within so much of the second"},
    {"around", "rrr", 'b', "({0} BETWEEN {1} - {2} AND {1} + {2})", "within so much of the second"},
    {"around", "ttn", 'b', WITHIN, "within so much of the second"},
    {"not", "b", 'b', "(NOT {0})", "null stays null"},
    // numbers
    {"abs", "l", 'l', "TRY_CAST(abs(CAST({0} AS HUGEINT)) AS BIGINT)", "overflow is null"},
    {"abs", "r", 'r', "abs({0})", ""},
    {"abs", "n", 'n', "TRY_CAST(abs(CAST({0} AS HUGEINT)) AS BIGINT)", "overflow is null"},
    {"sign", "r", 'l', "CAST(sign({0}) AS BIGINT)", ""},
    {"ceiling", "r", 'r', "ceil({0})", ""},
    {"round", "r", 'r', "round({0})", "half away from zero"},
    {"round", "rl", 'r', "round({0}, CAST(least(greatest({1}, -15), 15) AS INTEGER))", "half away from zero"},
    {"sqrt", "r", 'r', "CASE WHEN {0} >= 0 THEN sqrt({0}) END", "negative is null"},
    {"exp", "r", 'r', "exp({0})", "overflow is infinity"},
    {"exp2", "r", 'r', "pow(2::DOUBLE, {0})", ""},
    {"exp10", "r", 'r', "pow(10::DOUBLE, {0})", ""},
    {"log", "r", 'r', "CASE WHEN {0} > 0 THEN ln({0}) END", "natural; zero and negative are null"},
    {"log10", "r", 'r', "CASE WHEN {0} > 0 THEN log10({0}) END", "zero and negative are null"},
    {"log2", "r", 'r', "CASE WHEN {0} > 0 THEN log2({0}) END", "zero and negative are null"},
    {"pow", "rr", 'r', "pow({0}, {1})", ""},
    {"pi", "", 'r', "pi()", ""},
    {"isnan", "r", 'b', "coalesce(isnan({0}), false)", "null is not NaN"},
    {"isinf", "r", 'b', "coalesce(isinf({0}), false)", "null is not infinite"},
    {"isfinite", "r", 'b', "coalesce(isfinite({0}), false)", "null is not finite"},
    {"tohex", "l", 's', "coalesce(lower(to_hex({0})), '')", "two's complement; null is ''"},
    {"tohex", "ll", 's',
     "coalesce(CASE WHEN length(to_hex({0})) >= {1} THEN lower(to_hex({0})) ELSE "
     "lpad(lower(to_hex({0})), CAST(least(greatest({1}, 0), 1024) AS INTEGER), '0') END, '')",
     "at least so many digits"},
    {"binary_and", "ll", 'l', "({0} & {1})", ""},
    {"binary_or", "ll", 'l', "({0} | {1})", ""},
    {"binary_xor", "ll", 'l', "xor({0}, {1})", ""},
    {"binary_not", "l", 'l', "(~{0})", ""},
    {"binary_shift_left", "ll", 'l',
     "CASE WHEN {1} BETWEEN 0 AND 63 THEN CAST(((CAST({0} AS HUGEINT) * CAST(pow(2, "
     "{1}) AS HUGEINT)) % 18446744073709551616 + 27670116110564327424) % 18446744073709551616 - "
     "9223372036854775808 AS BIGINT) END",
     "what is shifted out is lost; by under 0 or over 63: null"},
    {"binary_shift_right", "ll", 'l', "CASE WHEN {1} BETWEEN 0 AND 63 THEN {0} >> {1} END",
     "arithmetic; by under 0 or over 63: null"},
    {"bitset_count_ones", "l", 'l', "CAST(bit_count({0}) AS BIGINT)", ""},
    {"sin", "r", 'r', "TRY(sin({0}))", ""},
    {"cos", "r", 'r', "TRY(cos({0}))", ""},
    {"tan", "r", 'r', "TRY(tan({0}))", ""},
    {"asin", "r", 'r', "CASE WHEN {0} BETWEEN -1 AND 1 THEN asin({0}) END", "beyond 1 null"},
    {"acos", "r", 'r', "CASE WHEN {0} BETWEEN -1 AND 1 THEN acos({0}) END", "beyond 1 null"},
    {"atan", "r", 'r', "atan({0})", ""},
    {"atan2", "rr", 'r', "atan2({0}, {1})", ""},
    {"cot", "r", 'r', "TRY(cot({0}))", "of zero null"},
    {"gamma", "r", 'r', "CASE WHEN {0} > 0 THEN TRY(gamma({0})) END", "zero and negative are null"},
    {"loggamma", "r", 'r', "CASE WHEN {0} > 0 THEN TRY(lgamma({0})) END", "zero and negative are null"},
    {"degrees", "r", 'r', "degrees({0})", ""},
    {"radians", "r", 'r', "radians({0})", ""},
    {"rand", "", 'r', "random()", "from 0 to 1, another for each row", {.random = true}},
    {"rand",
     "l",
     'l',
     "TRY_CAST(floor(random() * {0}) AS BIGINT)",
     "a whole number from 0 to below it",
     {.random = true}},
    {"bin_at", "lll", 'l',
     "CASE WHEN {1} > 0 THEN TRY_CAST(CAST({0} AS HUGEINT) - (((CAST({0} AS HUGEINT) - {2}) % {1}) + {1}) % "
     "{1} AS BIGINT) END",
     "size zero or less is null"},
    {"bin_at", "rrr", 'r', "CASE WHEN {1} > 0 THEN {2} + floor(({0} - {2}) / {1}) * {1} END",
     "size zero or less is null"},
    {"bin_at", "tnt", 't',
     "CASE WHEN {1} > 0 THEN TRY_CAST(CAST({0} AS HUGEINT) - (((CAST({0} AS HUGEINT) - {2}) % {1}) + {1}) % "
     "{1} AS BIGINT) END",
     "size zero or less is null"},
    {"bin_at", "nnn", 'n',
     "CASE WHEN {1} > 0 THEN TRY_CAST(CAST({0} AS HUGEINT) - (((CAST({0} AS HUGEINT) - {2}) % {1}) + {1}) % "
     "{1} AS BIGINT) END",
     "size zero or less is null"},
    {"new_guid", "", 'g', "CAST(uuid() AS VARCHAR)", "another for each row", {.random = true}},
    // time
    {"startofday", "t?l", 't', "({0} - {0} % " DAY " + least(greatest({1}, -500000), 500000) * " DAY ")|0",
     "null stays null"},
    {"endofday", "t?l", 't',
     "({0} - {0} % " DAY " + (least(greatest({1}, -500000), 500000) + 1) * " DAY " - 1)|0",
     "last tick of the day"},
    {"startofweek", "t?l", 't',
     "({0} - ({0} + " DAY ") % (7 * " DAY ") + least(greatest({1}, -500000), 500000) * 7 * " DAY ")|0",
     "weeks begin on Sunday"},
    {"endofweek", "t?l", 't',
     "({0} - ({0} + " DAY ") % (7 * " DAY ") + (least(greatest({1}, -500000), 500000) + 1) * 7 * " DAY
     " - 1)|0",
     "weeks end on Saturday"},
    {"startofmonth", "t?c", 't',
     FROM_DATE("CAST(date_trunc('month', " AS_DATE(
         "{0}") ") + INTERVAL (CAST({1} AS INTEGER)) MONTH AS DATE)") "|0",
     ""},
    {"endofmonth", "t?c", 't',
     "(" FROM_DATE("CAST(date_trunc('month', " AS_DATE(
         "{0}") ") + INTERVAL (CAST({1} AS INTEGER) + 1) MONTH AS DATE)") " - 1)|0",
     ""},
    {"startofyear", "t?c", 't',
     FROM_DATE(
         "CAST(date_trunc('year', " AS_DATE("{0}") ") + INTERVAL (CAST({1} AS INTEGER)) YEAR AS DATE)") "|0",
     ""},
    {"endofyear", "t?c", 't',
     "(" FROM_DATE("CAST(date_trunc('year', " AS_DATE(
         "{0}") ") + INTERVAL (CAST({1} AS INTEGER) + 1) YEAR AS DATE)") " - 1)|0",
     ""},
    {"dayofweek", "t", 'n', "((({0} // " DAY " + 1) % 7) * " DAY ")", "timespan since the last Sunday"},
    {"dayofmonth", "t", 'i', "CAST(day(" AS_DATE("{0}") ") AS INTEGER)", ""},
    {"dayofyear", "t", 'i', "CAST(dayofyear(" AS_DATE("{0}") ") AS INTEGER)", ""},
    {"hourofday", "t", 'i', "CAST({0} // 36000000000 % 24 AS INTEGER)", ""},
    {"monthofyear", "t", 'i', "CAST(month(" AS_DATE("{0}") ") AS INTEGER)", ""},
    {"getmonth", "t", 'i', "CAST(month(" AS_DATE("{0}") ") AS INTEGER)", ""},
    {"getyear", "t", 'i', "CAST(year(" AS_DATE("{0}") ") AS INTEGER)", ""},
    {"week_of_year", "t", 'i', "CAST(weekofyear(" AS_DATE("{0}") ") AS INTEGER)", "ISO 8601"},
    {"unixtime_seconds_todatetime", "l", 't',
     "TRY_CAST(CAST({0} AS HUGEINT) * 10000000 + 621355968000000000 AS BIGINT)", "out of range is null"},
    {"unixtime_milliseconds_todatetime", "l", 't',
     "TRY_CAST(CAST({0} AS HUGEINT) * 10000 + 621355968000000000 AS BIGINT)", "out of range is null"},
    {"unixtime_microseconds_todatetime", "l", 't',
     "TRY_CAST(CAST({0} AS HUGEINT) * 10 + 621355968000000000 AS BIGINT)", "out of range is null"},
    {"unixtime_nanoseconds_todatetime", "l", 't', "({0} // 100 + 621355968000000000)", "cut to 100 ns"},
    {"datetime_utc_to_local",
     "ts",
     't',
     FROM_TIMESTAMP("timezone(" KNOWN_ZONE ", timezone('UTC', " AS_TIMESTAMP "))"),
     "a name of the IANA time zone database; unknown: null",
     {.asks_table = true}},
    {"datetime_local_to_utc",
     "ts",
     't',
     FROM_TIMESTAMP("timezone('UTC', timezone(" KNOWN_ZONE ", " AS_TIMESTAMP "))"),
     "as datetime_utc_to_local",
     {.asks_table = true}},
    {"datetime_list_timezones",
     "",
     'j',
     "(SELECT CAST(to_json(list(name ORDER BY name)) AS VARCHAR) FROM pg_timezone_names())",
     "what datetime_utc_to_local knows",
     {.asks_table = true}},
    {"make_datetime", "lll", 't', FROM_DATE("TRY(make_date({0}, {1}, {2}))"), "no such day: null"},
    {"make_datetime", "lllllr", 't',
     "CASE WHEN {3} BETWEEN 0 AND 23 AND {4} BETWEEN 0 AND 59 AND {5} >= 0 AND {5} < 60 THEN " FROM_DATE(
         "TRY(make_date({0}, {1}, {2}))") " + {3} * 36000000000 + {4} * 600000000 + CAST(round({5} * "
                                          "10000000) AS "
                                          "BIGINT) END",
     "no such time: null"},
    {"make_datetime", "lllll", 't',
     "CASE WHEN {3} BETWEEN 0 AND 23 AND {4} BETWEEN 0 AND 59 THEN " FROM_DATE(
         "TRY(make_date({0}, {1}, {2}))") " + {3} * 36000000000 + {4} * 600000000 END",
     "no such time: null"},
    {"make_timespan", "lllr", 'n',
     "TRY_CAST(CAST({0} AS HUGEINT) * 864000000000 + CAST({1} AS HUGEINT) * 36000000000 + CAST({2} AS "
     "HUGEINT) * "
     "600000000 + TRY_CAST(round({3} * 10000000) AS HUGEINT) AS BIGINT)",
     "days, hours, minutes, seconds"},
    {"make_timespan", "ll", 'n',
     "TRY_CAST(CAST({0} AS HUGEINT) * 36000000000 + CAST({1} AS HUGEINT) * 600000000 AS BIGINT)",
     "hours and minutes"},
    {"make_timespan", "llr", 'n',
     "TRY_CAST(CAST({0} AS HUGEINT) * 36000000000 + CAST({1} AS HUGEINT) * 600000000 + TRY_CAST(round({2} * "
     "10000000) AS HUGEINT) AS BIGINT)",
     "hours, minutes, seconds"},
};

}  // namespace

const std::vector<FunctionRow>& function_rows() {
    static const std::vector<FunctionRow> rows = [] {
        std::vector<FunctionRow> all(std::begin(kScalarRows), std::end(kScalarRows));
        for (const auto more : {dynamic_function_rows(), address_function_rows(), series_function_rows(),
                                engine_function_rows()})
            all.insert(all.end(), more.begin(), more.end());
        return all;
    }();
    return rows;
}

}  // namespace fieldwatch::kql
