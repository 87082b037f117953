// SQL that several tables of functions are made of: JSON arrays as lists, and lists as arrays again.
#pragma once

/// The elements of a JSON array: as JSON texts, as plain texts, and a list of JSON texts as one array again.
#define ELEMENTS(x) "CAST(json_extract(" x ", '$[*]') AS VARCHAR[])"
#define TEXTS(x) "CAST(json_extract_string(" x ", '$[*]') AS VARCHAR[])"
/// array_to_string() of no element is NULL, which no list is here: IF_ARRAY has seen to it.
#define AS_ARRAY(list) "'[' || coalesce(array_to_string(" list ", ','), '') || ']'"
#define IF_ARRAY(x, then) "CASE WHEN json_type(" x ") = 'ARRAY' THEN " then " END"
#define IF_ARRAYS(x, y, then) \
    "CASE WHEN json_type(" x ") = 'ARRAY' AND json_type(" y ") = 'ARRAY' THEN " then " END"
/// `expression` over `name`, which stands for `value`: computed once, however often it is read.
#define LET(name, value, expression) "list_transform([" value "], lambda " name ": " expression ")[1]"

/// The zone {1}: the engine stops at one that it does not know. The other form where {1} goes over a list,
/// which the engine does not take inside a sub-query that asks for each row.
#define KNOWN_ZONE "(SELECT any_value(name) FROM pg_timezone_names() WHERE name = {1})"
#define LISTED_ZONE "CASE WHEN list_contains((SELECT list(name) FROM pg_timezone_names()), {1}) THEN {1} END"

/// The elements as numbers, null where one is none; and a list of numbers as an array.
#define NUMBERS(x) "list_transform(" TEXTS(x) ", lambda e: TRY_CAST(e AS DOUBLE))"
#define AS_NUMBERS(list) "CAST(to_json(" list ") AS VARCHAR)"

/// An argument, unless what is made with it would take more than there is room for (kql::Room): then the
/// query stops. It is the argument that is refused, so that nothing is made beforehand of constants either.
#define WITHIN_BYTES(bytes, argument) \
    "CASE WHEN coalesce(kql_room(CAST(" bytes " AS BIGINT)), 0) >= 0 THEN " argument " END"
/// A number of bytes that is quick to say, or where it is not small the one that takes longer.
#define BYTES_OR(quick, longer) "CASE WHEN " quick " <= 4096 THEN " quick " ELSE " longer " END"
