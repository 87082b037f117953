/* The schema of all event kinds as data: what the encoder checks fields against (spec/security-messages.md
 * 5). */
#pragma once

#include "fieldwatch/security_message.h"

enum field_type { FIELD_TEXT, FIELD_INTEGER, FIELD_BOOLEAN, FIELD_IP, FIELD_CHOICE };

struct field {
    const char* name;
    const char* choices; /* for FIELD_CHOICE: `A|B|C` */
    uint8_t type;
    uint8_t required;
};

struct kind {
    const char* name;
    const char* event_type;
    const struct field* fields;
    uint8_t field_count; /* at most 32: the encoder's `seen` has a bit for each */
    uint8_t periodic;
    uint8_t priority;
    uint8_t version; /* of the payload schema: 1 or 2 */
};

/* NULL unless 1 <= kind <= FIELDWATCH_KIND_COUNT. */
const struct kind* fieldwatch_kind_find(unsigned kind);
