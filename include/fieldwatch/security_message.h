/* Fieldwatch security messages for any device program: a C99 core that needs no allocator, no stdio, no
 * threads and no operating system. The caller gives a function that takes bytes (a socket, a flash page, an
 * arena) and describes events field by field; the core checks each against the published schema (version 1.0)
 * and writes UTF-8 JSON as it goes, so that no whole message needs to fit in memory. The Fieldwatch agent
 * sends all its events through this file.
 *
 * Every call returns a status; the first error sticks to the encoder, later calls return it and write
 * nothing. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FIELDWATCH_VERSION_MAJOR 0
#define FIELDWATCH_VERSION_MINOR 1
#define FIELDWATCH_VERSION_PATCH 0

/* Device-to-cloud message bound of the hub, bytes of body and properties. */
#define FIELDWATCH_MESSAGE_BYTES_MAX 262144u
#define FIELDWATCH_ID_TEXT_SIZE 37u   /* 36 characters and the final zero */
#define FIELDWATCH_TIME_TEXT_SIZE 30u /* `2026-11-22T21:04:52.123+01:00` and the final zero */

typedef enum fieldwatch_status {
    FIELDWATCH_OK = 0,
    FIELDWATCH_INVALID_ARGUMENT = 1, /* null pointer, bad enumerator, call out of order */
    FIELDWATCH_OUT_OF_MEMORY = 2,
    FIELDWATCH_SCHEMA_VIOLATION = 3, /* unknown, repeated, mistyped or missing field */
    FIELDWATCH_TOO_LARGE = 4,        /* over the encoder's bytes_max or the arena's capacity */
    FIELDWATCH_NOT_CONNECTED = 5,
    FIELDWATCH_UNAUTHORIZED = 6,
    FIELDWATCH_NOT_FOUND = 7,
    FIELDWATCH_THROTTLED = 8,
    FIELDWATCH_TIMEOUT = 9,
    FIELDWATCH_CANCELLED = 10,
    FIELDWATCH_QUEUE_FULL = 11,
    FIELDWATCH_INTERNAL = 12
} fieldwatch_status;

/* The 14 event kinds of schema 1.0, in the order of the published catalogue, then the kinds of the newer
 * generation, which travel in the same envelope under payload schema 2.0. */
typedef enum fieldwatch_kind {
    FIELDWATCH_PROCESS_CREATE = 1,
    FIELDWATCH_PROCESS_TERMINATE = 2,
    FIELDWATCH_CONNECTION_CREATE = 3,
    FIELDWATCH_LOGIN = 4,
    FIELDWATCH_LISTENING_PORTS = 5,
    FIELDWATCH_LOCAL_USERS = 6,
    FIELDWATCH_FIREWALL_CONFIGURATION = 7,
    FIELDWATCH_CONNECTED_HARDWARE = 8,
    FIELDWATCH_SYSTEM_INFORMATION = 9,
    FIELDWATCH_OS_BASELINE = 10,
    FIELDWATCH_DIAGNOSTIC = 11,
    FIELDWATCH_CONFIGURATION_ERROR = 12,
    FIELDWATCH_DROPPED_EVENTS_STATISTICS = 13,
    FIELDWATCH_MESSAGE_STATISTICS = 14,
    FIELDWATCH_HEARTBEAT = 15,   /* always empty: is_empty */
    FIELDWATCH_SBOM = 16,        /* one payload a package; is_empty where nothing is installed */
    FIELDWATCH_FILE_SYSTEM = 17, /* one change of one path */
    FIELDWATCH_PERIPHERAL = 18,  /* something was plugged in or out */
    FIELDWATCH_CUSTOM = 19       /* an application's own: a name and ExtraDetails */
} fieldwatch_kind;
#define FIELDWATCH_KIND_COUNT 19

typedef enum fieldwatch_priority {
    FIELDWATCH_PRIORITY_OFF = 0,
    FIELDWATCH_PRIORITY_LOW = 1,
    FIELDWATCH_PRIORITY_HIGH = 2,
    FIELDWATCH_PRIORITY_OPERATIONAL = 3
} fieldwatch_priority;

typedef enum fieldwatch_protocol {
    FIELDWATCH_PROTOCOL_MQTT_TOPIC = 0,      /* `%24.ifid`, value percent-encoded */
    FIELDWATCH_PROTOCOL_AMQP_ANNOTATION = 1, /* `iothub-interface-id`, value plain */
    FIELDWATCH_PROTOCOL_HTTP_HEADER = 2
} fieldwatch_protocol;

/* Takes `size` bytes of output; 0 = taken, anything else stops the encoder with TOO_LARGE. */
typedef int (*fieldwatch_write)(void* context, const char* data, size_t size);

/* An arena of the caller's, for callers that want the bytes in one place: pass &arena and
 * fieldwatch_arena_write. */
typedef struct fieldwatch_arena {
    char* data;
    size_t capacity;
    size_t size;
} fieldwatch_arena;
int fieldwatch_arena_write(void* arena, const char* data, size_t size);

/* Owned by the caller, filled by fieldwatch_encoder_init; the members are the core's own. About 80 bytes. */
typedef struct fieldwatch_encoder {
    fieldwatch_write write;
    void* context;
    size_t bytes;
    size_t bytes_max;
    uint32_t seen;
    uint32_t payloads;
    uint32_t replaced;
    uint8_t status;
    uint8_t state;
    uint8_t kind;
    uint8_t in_message;
    uint8_t in_extra;
    uint8_t is_empty;
    uint8_t comma;
    uint8_t events;
} fieldwatch_encoder;

/* What every event carries. */
typedef struct fieldwatch_event_header {
    const char* id;       /* 36 characters, unique for ever: fieldwatch_format_id of 16 random bytes */
    int64_t time_unix_ms; /* UTC; before 2019 still encodes, the receiver sees an unset clock */
    int32_t local_offset_minutes; /* local clock minus UTC, -840 ... 840 */
    int is_empty;                 /* "looked and found nothing": periodic kinds only, without payload */
} fieldwatch_event_header;

uint32_t fieldwatch_version(void); /* major << 16 | minor << 8 | patch */

/* Begins output into `write`. bytes_max bounds the whole output, 0 = FIELDWATCH_MESSAGE_BYTES_MAX. */
fieldwatch_status fieldwatch_encoder_init(fieldwatch_encoder* encoder, fieldwatch_write write, void* context,
                                          size_t bytes_max);
fieldwatch_status fieldwatch_encoder_status(const fieldwatch_encoder* encoder);
size_t fieldwatch_encoder_bytes(const fieldwatch_encoder* encoder);
/* How many invalid UTF-8 sequences became U+FFFD so far. */
uint32_t fieldwatch_encoder_replaced(const fieldwatch_encoder* encoder);

/* The envelope. Events between begin and end; at least one. Without an envelope exactly one event can be
 * written alone, to be put into a message later with fieldwatch_message_raw_event. agent_id: 36 characters.
 */
fieldwatch_status fieldwatch_message_begin(fieldwatch_encoder* encoder, const char* agent_version,
                                           const char* agent_id);
fieldwatch_status fieldwatch_message_raw_event(fieldwatch_encoder* encoder, const char* json, size_t size);
fieldwatch_status fieldwatch_message_end(fieldwatch_encoder* encoder);

fieldwatch_status fieldwatch_event_begin(fieldwatch_encoder* encoder, fieldwatch_kind kind,
                                         const fieldwatch_event_header* header);
fieldwatch_status fieldwatch_event_end(fieldwatch_encoder* encoder);

/* One payload; fields in any order, then ExtraDetails entries. End checks that all required fields are there.
 */
fieldwatch_status fieldwatch_payload_begin(fieldwatch_encoder* encoder);
fieldwatch_status fieldwatch_field_text(fieldwatch_encoder* encoder, const char* name, const char* value,
                                        size_t size);
fieldwatch_status fieldwatch_field_integer(fieldwatch_encoder* encoder, const char* name, int64_t value);
fieldwatch_status fieldwatch_field_boolean(fieldwatch_encoder* encoder, const char* name, int value);
fieldwatch_status fieldwatch_extra_text(fieldwatch_encoder* encoder, const char* key, const char* value,
                                        size_t size);
fieldwatch_status fieldwatch_extra_integer(fieldwatch_encoder* encoder, const char* key, int64_t value);
fieldwatch_status fieldwatch_payload_end(fieldwatch_encoder* encoder);

const char* fieldwatch_kind_name(fieldwatch_kind kind); /* "ProcessCreate"; NULL if unknown */
fieldwatch_kind fieldwatch_kind_from_name(const char* name, size_t size); /* 0 if unknown */
int fieldwatch_kind_is_periodic(fieldwatch_kind kind);                    /* a snapshot, not a happening */
fieldwatch_priority fieldwatch_kind_default_priority(
    fieldwatch_kind kind); /* of the published twin defaults */

/* Version 4 UUID text from 16 random bytes. `out` holds FIELDWATCH_ID_TEXT_SIZE. */
void fieldwatch_format_id(const uint8_t random[16], char* out);
/* RFC 3339 with milliseconds: `Z` when offset is 0, else the numeric offset. Returns the length. */
size_t fieldwatch_format_time(int64_t unix_ms, int32_t offset_minutes, char* out);
/* Whether the text is one IPv4 or IPv6 literal, as the schema's `ip`. */
int fieldwatch_is_ip(const char* text, size_t size);

/* The mark that makes a message a security message: property name and value as the protocol carries them. */
fieldwatch_status fieldwatch_mark_property(fieldwatch_protocol protocol, const char** name,
                                           const char** value);
/* Blocks of 4,096 bytes that a message of this size is billed as; at least one. */
uint32_t fieldwatch_billing_units(size_t message_bytes);

#ifdef __cplusplus
}
#endif
