// One audit record as text: its stamp, its type, its fields. Three spellings of the same: as auditd writes it
// (raw, or enriched), as the kernel's log has it (`audit: type=1309 audit(…)`), and as `ausearch -i` reads it
// out to people, where dates, names and arguments stand without quotes. audit-userspace's record fields.
// Internal to input.
#pragma once

#include <optional>

#include "pipeline/input/record_maker.hpp"

namespace fieldwatch::pipeline {

struct AuditStamp {
    Timestamp time;
    std::uint64_t serial = 0;
    std::size_t end = 0;       ///< behind the closing parenthesis
    bool interpreted = false;  ///< a date instead of seconds: fields are words for people
};

/// `audit(1551485405.594:7507)`, or `audit(03/02/2019 00:10:05.594:7507)`; a date is taken as UTC.
std::optional<AuditStamp> audit_stamp(std::string_view line);

/// `type=` of `head`, what stands before the stamp, by name: `1309` and `UNKNOWN[1309]` are `EXECVE`.
std::string audit_type(std::string_view head);

/// `node=` before the stamp, and the like: the word behind `key`.
std::string_view audit_word(std::string_view head, std::string_view key);

/// Whether `key` is an argument of an exec: a0, a12, a1[3].
bool is_audit_argument(std::string_view key);

/// The bytes that a field spells in hexadecimal; nothing when it does not.
std::optional<std::string> audit_hex(std::string_view text);

/// `key=value` pairs of a record; quotes are taken off, what the kernel wrote in hexadecimal is decoded, and
/// what stands inside `msg='…'` is on one level with the rest.
TextFields parse_audit_fields(std::string_view text);

/// The same of an interpreted record, where a value lasts until the next `key=`; `type` says which keys there
/// can be.
TextFields parse_interpreted_fields(std::string_view type, std::string_view text);

}  // namespace fieldwatch::pipeline
