/* The streaming encoder: a state machine over message, event and payload that writes as it is called and
 * keeps nothing but a few bytes of state. What cannot be valid under the schema is refused at the call that
 * makes it so. */
#include <string.h>

#include "fieldwatch/security_message.h"
#include "sdk/kinds.h"

enum state { STATE_START = 1, STATE_MESSAGE, STATE_EVENT, STATE_PAYLOAD, STATE_DONE };

int fieldwatch_arena_write(void* arena, const char* data, size_t size) {
    fieldwatch_arena* into = (fieldwatch_arena*)arena;
    if (size > into->capacity - into->size) return 1;
    memcpy(into->data + into->size, data, size);
    into->size += size;
    return 0;
}

fieldwatch_status fieldwatch_encoder_init(fieldwatch_encoder* encoder, fieldwatch_write write, void* context,
                                          size_t bytes_max) {
    if (!encoder || !write) return FIELDWATCH_INVALID_ARGUMENT;
    memset(encoder, 0, sizeof *encoder);
    encoder->write = write;
    encoder->context = context;
    encoder->bytes_max = bytes_max ? bytes_max : FIELDWATCH_MESSAGE_BYTES_MAX;
    encoder->state = STATE_START;
    return FIELDWATCH_OK;
}

fieldwatch_status fieldwatch_encoder_status(const fieldwatch_encoder* encoder) {
    return encoder ? (fieldwatch_status)encoder->status : FIELDWATCH_INVALID_ARGUMENT;
}
size_t fieldwatch_encoder_bytes(const fieldwatch_encoder* encoder) {
    return encoder ? encoder->bytes : 0;
}
uint32_t fieldwatch_encoder_replaced(const fieldwatch_encoder* encoder) {
    return encoder ? encoder->replaced : 0;
}

static fieldwatch_status stop(fieldwatch_encoder* encoder, fieldwatch_status why) {
    if (encoder->status == FIELDWATCH_OK) encoder->status = (uint8_t)why;
    return (fieldwatch_status)encoder->status;
}

/* Whether a call may go on: no earlier error, and the encoder stands where the call belongs. */
static fieldwatch_status expect(fieldwatch_encoder* encoder, enum state state) {
    if (!encoder) return FIELDWATCH_INVALID_ARGUMENT;
    if (encoder->status != FIELDWATCH_OK) return (fieldwatch_status)encoder->status;
    return encoder->state == (uint8_t)state ? FIELDWATCH_OK : stop(encoder, FIELDWATCH_INVALID_ARGUMENT);
}

static void put(fieldwatch_encoder* encoder, const char* data, size_t size) {
    if (encoder->status != FIELDWATCH_OK || size == 0) return;
    if (size > encoder->bytes_max - encoder->bytes || encoder->write(encoder->context, data, size) != 0) {
        stop(encoder, FIELDWATCH_TOO_LARGE);
        return;
    }
    encoder->bytes += size;
}

static void put_text(fieldwatch_encoder* encoder, const char* text) {
    put(encoder, text, strlen(text));
}

static void put_integer(fieldwatch_encoder* encoder, int64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0) put(encoder, "-", 1);
    put(encoder, digits + at, sizeof digits - at);
}

/* Length of the valid UTF-8 sequence at the start, 0 if there is none. RFC 3629: no overlong forms, no
 * surrogates. */
static size_t sequence(const unsigned char* s, size_t size) {
    size_t length, i;
    if (s[0] < 0x80) return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
    length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (size < length) return 0;
    for (i = 1; i < length; ++i) {
        if ((s[i] & 0xc0) != 0x80) return 0;
    }
    if (s[0] == 0xe0 && s[1] < 0xa0) return 0;
    if (s[0] == 0xed && s[1] > 0x9f) return 0;
    if (s[0] == 0xf0 && s[1] < 0x90) return 0;
    if (s[0] == 0xf4 && s[1] > 0x8f) return 0;
    return length;
}

static void put_escape(fieldwatch_encoder* encoder, unsigned char c) {
    static const char digits[] = "0123456789abcdef";
    char out[6] = {'\\', 'u', '0', '0', 0, 0};
    switch (c) {
        case '"':
            put(encoder, "\\\"", 2);
            return;
        case '\\':
            put(encoder, "\\\\", 2);
            return;
        case '\n':
            put(encoder, "\\n", 2);
            return;
        case '\r':
            put(encoder, "\\r", 2);
            return;
        case '\t':
            put(encoder, "\\t", 2);
            return;
        default:
            break;
    }
    out[4] = digits[c >> 4];
    out[5] = digits[c & 15];
    put(encoder, out, 6);
}

/* A JSON string of any bytes: runs of plain text go out in one piece. */
static void put_string(fieldwatch_encoder* encoder, const char* value, size_t size) {
    const unsigned char* s = (const unsigned char*)value;
    size_t start = 0, i = 0;
    put(encoder, "\"", 1);
    while (i < size && encoder->status == FIELDWATCH_OK) {
        const size_t length = sequence(s + i, size - i);
        const int plain =
            length > 1 || (length == 1 && s[i] >= 0x20 && s[i] != '"' && s[i] != '\\' && s[i] != 0x7f);
        if (plain) {
            i += length;
            continue;
        }
        put(encoder, value + start, i - start);
        if (length == 0) {
            put(encoder, "\xef\xbf\xbd", 3);
            ++encoder->replaced;
        } else {
            put_escape(encoder, s[i]);
        }
        start = ++i;
    }
    put(encoder, value + start, i - start);
    put(encoder, "\"", 1);
}

static void put_name(fieldwatch_encoder* encoder, const char* name) {
    if (encoder->comma) put(encoder, ",", 1);
    encoder->comma = 1;
    put(encoder, "\"", 1);
    put_text(encoder, name);
    put(encoder, "\":", 2);
}

fieldwatch_status fieldwatch_message_begin(fieldwatch_encoder* encoder, const char* agent_version,
                                           const char* agent_id) {
    const fieldwatch_status ready = expect(encoder, STATE_START);
    if (ready != FIELDWATCH_OK) return ready;
    if (!agent_version || !agent_id) return stop(encoder, FIELDWATCH_INVALID_ARGUMENT);
    if (strlen(agent_id) != 36) return stop(encoder, FIELDWATCH_SCHEMA_VIOLATION);
    put_text(encoder, "{\"AgentVersion\":");
    put_string(encoder, agent_version, strlen(agent_version));
    put_text(encoder, ",\"AgentId\":");
    put_string(encoder, agent_id, 36);
    put_text(encoder, ",\"MessageSchemaVersion\":\"1.0\",\"Events\":[");
    encoder->in_message = 1;
    encoder->state = STATE_MESSAGE;
    return (fieldwatch_status)encoder->status;
}

/* A comma before every event of a message but the first. */
static void next_event(fieldwatch_encoder* encoder) {
    if (encoder->in_message && encoder->events) put(encoder, ",", 1);
    encoder->events = 1;
}

fieldwatch_status fieldwatch_message_raw_event(fieldwatch_encoder* encoder, const char* json, size_t size) {
    const fieldwatch_status ready = expect(encoder, STATE_MESSAGE);
    if (ready != FIELDWATCH_OK) return ready;
    if (!json || size == 0) return stop(encoder, FIELDWATCH_INVALID_ARGUMENT);
    next_event(encoder);
    put(encoder, json, size);
    return (fieldwatch_status)encoder->status;
}

fieldwatch_status fieldwatch_message_end(fieldwatch_encoder* encoder) {
    const fieldwatch_status ready = expect(encoder, STATE_MESSAGE);
    if (ready != FIELDWATCH_OK) return ready;
    if (!encoder->events) return stop(encoder, FIELDWATCH_SCHEMA_VIOLATION);
    put(encoder, "]}", 2);
    encoder->state = STATE_DONE;
    return (fieldwatch_status)encoder->status;
}

fieldwatch_status fieldwatch_event_begin(fieldwatch_encoder* encoder, fieldwatch_kind kind,
                                         const fieldwatch_event_header* header) {
    const struct kind* found = fieldwatch_kind_find((unsigned)kind);
    char time[FIELDWATCH_TIME_TEXT_SIZE];
    fieldwatch_status ready;
    if (!encoder) return FIELDWATCH_INVALID_ARGUMENT;
    ready = expect(encoder, encoder->in_message ? STATE_MESSAGE : STATE_START);
    if (ready != FIELDWATCH_OK) return ready;
    if (!found || !header || !header->id) return stop(encoder, FIELDWATCH_INVALID_ARGUMENT);
    if (strlen(header->id) != 36) return stop(encoder, FIELDWATCH_SCHEMA_VIOLATION);
    if (header->is_empty && !found->periodic) return stop(encoder, FIELDWATCH_SCHEMA_VIOLATION);
    if (!header->is_empty && found->field_count == 0) return stop(encoder, FIELDWATCH_SCHEMA_VIOLATION);
    next_event(encoder);
    put_text(encoder, "{\"Id\":");
    put_string(encoder, header->id, 36);
    put_text(encoder, ",\"TimestampLocal\":\"");
    put(encoder, time, fieldwatch_format_time(header->time_unix_ms, header->local_offset_minutes, time));
    put_text(encoder, "\",\"TimestampUTC\":\"");
    put(encoder, time, fieldwatch_format_time(header->time_unix_ms, 0, time));
    put_text(encoder, found->periodic ? "\",\"Category\":\"Periodic\"" : "\",\"Category\":\"Triggered\"");
    put_text(encoder, ",\"Name\":\"");
    put_text(encoder, found->name);
    put_text(encoder, "\",\"EventType\":\"");
    put_text(encoder, found->event_type);
    put_text(encoder, header->is_empty ? "\",\"IsEmpty\":true" : "\",\"IsEmpty\":false");
    put_text(encoder, found->version == 2 ? ",\"PayloadSchemaVersion\":\"2.0\",\"Payload\":["
                                          : ",\"PayloadSchemaVersion\":\"1.0\",\"Payload\":[");
    encoder->kind = (uint8_t)kind;
    encoder->is_empty = header->is_empty != 0;
    encoder->payloads = 0;
    encoder->state = STATE_EVENT;
    return (fieldwatch_status)encoder->status;
}

fieldwatch_status fieldwatch_event_end(fieldwatch_encoder* encoder) {
    const fieldwatch_status ready = expect(encoder, STATE_EVENT);
    if (ready != FIELDWATCH_OK) return ready;
    if (!encoder->is_empty && encoder->payloads == 0) return stop(encoder, FIELDWATCH_SCHEMA_VIOLATION);
    put(encoder, "]}", 2);
    encoder->state = encoder->in_message ? STATE_MESSAGE : STATE_DONE;
    return (fieldwatch_status)encoder->status;
}

fieldwatch_status fieldwatch_payload_begin(fieldwatch_encoder* encoder) {
    const fieldwatch_status ready = expect(encoder, STATE_EVENT);
    if (ready != FIELDWATCH_OK) return ready;
    if (encoder->is_empty) return stop(encoder, FIELDWATCH_SCHEMA_VIOLATION);
    if (encoder->payloads++) put(encoder, ",", 1);
    put(encoder, "{", 1);
    encoder->seen = 0;
    encoder->in_extra = 0;
    encoder->comma = 0;
    encoder->state = STATE_PAYLOAD;
    return (fieldwatch_status)encoder->status;
}

/* Finds the field in the kind's table and notes that it is there; NULL after stopping the encoder. */
static const struct field* take_field(fieldwatch_encoder* encoder, const char* name) {
    const struct kind* kind;
    unsigned i;
    if (expect(encoder, STATE_PAYLOAD) != FIELDWATCH_OK) return NULL;
    if (!name || encoder->in_extra) {
        stop(encoder, FIELDWATCH_INVALID_ARGUMENT);
        return NULL;
    }
    kind = fieldwatch_kind_find(encoder->kind);
    for (i = 0; i < kind->field_count; ++i) {
        if (strcmp(kind->fields[i].name, name) != 0) continue;
        if (encoder->seen & ((uint32_t)1 << i)) break; /* twice */
        encoder->seen |= (uint32_t)1 << i;
        return &kind->fields[i];
    }
    stop(encoder, FIELDWATCH_SCHEMA_VIOLATION);
    return NULL;
}

static int is_choice(const char* choices, const char* value, size_t size) {
    while (*choices) {
        const char* end = strchr(choices, '|');
        const size_t length = end ? (size_t)(end - choices) : strlen(choices);
        if (length == size && memcmp(choices, value, size) == 0) return 1;
        choices += length + (end ? 1 : 0);
    }
    return 0;
}

fieldwatch_status fieldwatch_field_text(fieldwatch_encoder* encoder, const char* name, const char* value,
                                        size_t size) {
    const struct field* field;
    if (!encoder) return FIELDWATCH_INVALID_ARGUMENT;
    if (!value && size) return stop(encoder, FIELDWATCH_INVALID_ARGUMENT);
    field = take_field(encoder, name);
    if (!field) return (fieldwatch_status)encoder->status;
    if (field->type == FIELD_INTEGER || field->type == FIELD_BOOLEAN ||
        (field->type == FIELD_IP && !fieldwatch_is_ip(value, size)) ||
        (field->type == FIELD_CHOICE && !is_choice(field->choices, value ? value : "", size))) {
        return stop(encoder, FIELDWATCH_SCHEMA_VIOLATION);
    }
    put_name(encoder, name);
    put_string(encoder, value ? value : "", size);
    return (fieldwatch_status)encoder->status;
}

fieldwatch_status fieldwatch_field_integer(fieldwatch_encoder* encoder, const char* name, int64_t value) {
    const struct field* field;
    if (!encoder) return FIELDWATCH_INVALID_ARGUMENT;
    field = take_field(encoder, name);
    if (!field) return (fieldwatch_status)encoder->status;
    if (field->type != FIELD_INTEGER) return stop(encoder, FIELDWATCH_SCHEMA_VIOLATION);
    put_name(encoder, name);
    put_integer(encoder, value);
    return (fieldwatch_status)encoder->status;
}

fieldwatch_status fieldwatch_field_boolean(fieldwatch_encoder* encoder, const char* name, int value) {
    const struct field* field;
    if (!encoder) return FIELDWATCH_INVALID_ARGUMENT;
    field = take_field(encoder, name);
    if (!field) return (fieldwatch_status)encoder->status;
    if (field->type != FIELD_BOOLEAN) return stop(encoder, FIELDWATCH_SCHEMA_VIOLATION);
    put_name(encoder, name);
    put_text(encoder, value ? "true" : "false");
    return (fieldwatch_status)encoder->status;
}

/* Opens ExtraDetails at its first entry and writes the key. */
static fieldwatch_status begin_extra(fieldwatch_encoder* encoder, const char* key) {
    const fieldwatch_status ready = expect(encoder, STATE_PAYLOAD);
    if (ready != FIELDWATCH_OK) return ready;
    if (!key) return stop(encoder, FIELDWATCH_INVALID_ARGUMENT);
    if (!encoder->in_extra) {
        put_name(encoder, "ExtraDetails");
        put(encoder, "{", 1);
        encoder->in_extra = 1;
        encoder->comma = 0;
    }
    if (encoder->comma) put(encoder, ",", 1);
    encoder->comma = 1;
    put_string(encoder, key, strlen(key));
    put(encoder, ":", 1);
    return (fieldwatch_status)encoder->status;
}

fieldwatch_status fieldwatch_extra_text(fieldwatch_encoder* encoder, const char* key, const char* value,
                                        size_t size) {
    fieldwatch_status begun;
    if (!encoder) return FIELDWATCH_INVALID_ARGUMENT;
    if (!value && size) return stop(encoder, FIELDWATCH_INVALID_ARGUMENT);
    begun = begin_extra(encoder, key);
    if (begun != FIELDWATCH_OK) return begun;
    put_string(encoder, value ? value : "", size);
    return (fieldwatch_status)encoder->status;
}

fieldwatch_status fieldwatch_extra_integer(fieldwatch_encoder* encoder, const char* key, int64_t value) {
    const fieldwatch_status begun = begin_extra(encoder, key);
    if (begun != FIELDWATCH_OK) return begun;
    put(encoder, "\"", 1); /* the map holds strings only */
    put_integer(encoder, value);
    put(encoder, "\"", 1);
    return (fieldwatch_status)encoder->status;
}

fieldwatch_status fieldwatch_payload_end(fieldwatch_encoder* encoder) {
    const struct kind* kind;
    unsigned i;
    const fieldwatch_status ready = expect(encoder, STATE_PAYLOAD);
    if (ready != FIELDWATCH_OK) return ready;
    kind = fieldwatch_kind_find(encoder->kind);
    for (i = 0; i < kind->field_count; ++i) {
        if (kind->fields[i].required && !(encoder->seen & ((uint32_t)1 << i))) {
            return stop(encoder, FIELDWATCH_SCHEMA_VIOLATION);
        }
    }
    if (encoder->kind == FIELDWATCH_LOGIN && !(encoder->seen & 6u))
        return stop(encoder, FIELDWATCH_SCHEMA_VIOLATION);
    put_text(encoder, encoder->in_extra ? "}}" : "}");
    encoder->state = STATE_EVENT;
    return (fieldwatch_status)encoder->status;
}
