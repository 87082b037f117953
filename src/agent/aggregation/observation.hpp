// One thing a collector saw, as fields of an event payload, before it is either sent alone or folded with its
// like.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "fieldwatch/security_message.h"

namespace fieldwatch::agent {

/// What becomes of a field when its event is folded with others: part of what must be equal, or what differs
/// and is set to 0, or left out (spec/security-messages.md section 6).
enum class Fold : std::uint8_t { Key, Zero, Omit };

struct ObservedField {
    const char* name = "";  // static text
    std::string text;
    std::int64_t integer = 0;
    bool is_integer = false;
    Fold fold = Fold::Key;
    bool is_boolean = false;  ///< of `integer`
};

struct ExtraField {
    const char* name = "";  // static text
    std::string text;
};

struct Observation {
    fieldwatch_kind kind = FIELDWATCH_PROCESS_CREATE;
    std::int64_t time_unix_ms = 0;
    std::uint32_t pid = 0;  ///< kept as a sample when folded
    std::vector<ObservedField> fields;
    std::vector<ExtraField> extras;  ///< part of the key

    void text(const char* name, std::string value, Fold fold = Fold::Key) {
        fields.push_back({name, std::move(value), 0, false, fold});
    }
    void integer(const char* name, std::int64_t value, Fold fold = Fold::Key) {
        fields.push_back({name, {}, value, true, fold});
    }
    void boolean(const char* name, bool value) { fields.push_back({name, {}, value, true, Fold::Key, true}); }
    void extra(const char* name, std::string value) {
        if (!value.empty()) extras.push_back({name, std::move(value)});
    }
    std::size_t bytes() const;  ///< what it holds in memory, roughly
};

struct EventIdentity {
    std::int64_t time_unix_ms = 0;
    std::int32_t local_offset_minutes = 0;
    std::string_view boot_id;  ///< "" = not marked
    std::uint64_t sequence = 0;
};

/// Writes one event of these payloads, all of one kind (none = an empty snapshot).
/// Errors: InvalidArgument when the payloads do not follow the schema, TooLarge above `bytes_max`.
Result<std::string> encode_event(fieldwatch_kind kind, const std::vector<const Observation*>& payloads,
                                 const EventIdentity& identity, Random& random, std::size_t bytes_max);

/// UTC offset of the device's local clock at that time, minutes.
std::int32_t local_offset_minutes(std::int64_t unix_ms);

}  // namespace fieldwatch::agent
