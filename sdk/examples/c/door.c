/* A door that tells when it was opened, in C99: no allocator, no threads. Builds one message into a buffer of its own and prints
 * it; on a device with MQTT, publish the same bytes to the topic with the mark that it prints to standard error.
 *
 *   cc door.c $(pkg-config --cflags --libs fieldwatch-security) -o door
 *   ./door 3 | fieldwatch-send --connection-string-file cs.txt --ca-file ca.pem
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <fieldwatch/security_message.h>

static int make_id(char* out) {
    unsigned char random[16];
    FILE* source = fopen("/dev/urandom", "rb");
    size_t got = source ? fread(random, 1, sizeof random, source) : 0;
    if (source) fclose(source);
    if (got != sizeof random) return 0;
    fieldwatch_format_id(random, out);
    return 1;
}

int main(int argc, char** argv) {
    static char buffer[4096]; /* one block that the hub bills */
    fieldwatch_arena arena = {buffer, sizeof buffer, 0};
    fieldwatch_encoder encoder;
    char agent_id[FIELDWATCH_ID_TEXT_SIZE], event_id[FIELDWATCH_ID_TEXT_SIZE];
    const char* door = argc > 1 ? argv[1] : "1";
    const char *name, *value;
    if (!make_id(agent_id) || !make_id(event_id)) return 1; /* a real program keeps its agent_id */
    fieldwatch_event_header header = {event_id, (int64_t)time(NULL) * 1000, 0, 0};

    fieldwatch_encoder_init(&encoder, fieldwatch_arena_write, &arena, sizeof buffer);
    fieldwatch_message_begin(&encoder, "door 1.0", agent_id);
    fieldwatch_event_begin(&encoder, FIELDWATCH_CUSTOM, &header);
    fieldwatch_payload_begin(&encoder);
    fieldwatch_field_text(&encoder, "Name", "door-opened", strlen("door-opened"));
    fieldwatch_extra_text(&encoder, "door", door, strlen(door));
    fieldwatch_extra_text(&encoder, "language", "c", 1);
    fieldwatch_payload_end(&encoder);
    fieldwatch_event_end(&encoder);
    if (fieldwatch_message_end(&encoder) != FIELDWATCH_OK) { /* the first error is kept until here */
        fprintf(stderr, "door: status %d\n", (int)fieldwatch_encoder_status(&encoder));
        return 1;
    }
    fieldwatch_mark_property(FIELDWATCH_PROTOCOL_MQTT_TOPIC, &name, &value);
    fprintf(stderr, "devices/DEVICE/modules/MODULE/messages/events/%s=%s\n", name, value);
    fwrite(arena.data, 1, arena.size, stdout);
    putchar('\n');
    return 0;
}
