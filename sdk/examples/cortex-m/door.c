/* A door that tells when it was opened, on a Cortex-M without an operating system, a heap or stdio: the core's code takes 7 KiB of
 * flash, the encoder 80 bytes of RAM. What a board does through its own radio goes through semihosting here: 16 random bytes, the
 * time, and the message itself.
 *
 *   arm-none-eabi-gcc -std=c99 -mcpu=cortex-m3 -mthumb -Os -ffunction-sections -Wl,--gc-sections -nostartfiles --specs=nano.specs \
 *       -IPREFIX/include -T door.ld door.c SOURCES/src/sdk/{encoder,format,kinds}.c -ISOURCES/src -o door.elf
 *   qemu-system-arm -M lm3s6965evb -nographic -semihosting-config enable=on,target=native -kernel door.elf
 */
#include <stdint.h>
#include <string.h>

#include <fieldwatch/security_message.h>

enum { OPEN = 1, WRITE = 5, READ = 6, TIME = 17, EXIT_EXTENDED = 32 };

static int32_t host(int32_t call, const void* arguments) {
    register int32_t r0 __asm__("r0") = call;
    register const void* r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static int32_t open_file(const char* name, uint32_t mode) {
    const uint32_t arguments[3] = {(uint32_t)(uintptr_t)name, mode, strlen(name)};
    return host(OPEN, arguments);
}

/* Takes output as the core makes it: no buffer holds the message. */
static int write_out(void* file, const char* data, size_t size) {
    const uint32_t arguments[3] = {*(const uint32_t*)file, (uint32_t)(uintptr_t)data, size};
    return host(WRITE, arguments) != 0;
}

static int make_id(char* out) {
    uint8_t random[16];
    const uint32_t arguments[3] = {(uint32_t)open_file("/dev/urandom", 1), (uint32_t)(uintptr_t)random, sizeof random};
    if (host(READ, arguments) != 0) return 0;
    fieldwatch_format_id(random, out);
    return 1;
}

static int tell(void) {
    static fieldwatch_encoder encoder;
    static char agent_id[FIELDWATCH_ID_TEXT_SIZE], event_id[FIELDWATCH_ID_TEXT_SIZE];
    uint32_t out = (uint32_t)open_file(":tt", 4); /* standard output */
    if (!make_id(agent_id) || !make_id(event_id)) return 1;
    const fieldwatch_event_header header = {event_id, (int64_t)(uint32_t)host(TIME, NULL) * 1000, 0, 0};
    fieldwatch_encoder_init(&encoder, write_out, &out, 4096);
    fieldwatch_message_begin(&encoder, "door 1.0", agent_id);
    fieldwatch_event_begin(&encoder, FIELDWATCH_CUSTOM, &header);
    fieldwatch_payload_begin(&encoder);
    fieldwatch_field_text(&encoder, "Name", "door-opened", 11);
    fieldwatch_extra_text(&encoder, "door", "7", 1);
    fieldwatch_extra_text(&encoder, "language", "c on cortex-m", 13);
    fieldwatch_payload_end(&encoder);
    fieldwatch_event_end(&encoder);
    if (fieldwatch_message_end(&encoder) != FIELDWATCH_OK) return 1;
    return write_out(&out, "\n", 1);
}

extern uint32_t stack_top, data_from, data_begin, data_end, bss_begin, bss_end;

void reset(void) {
    memcpy(&data_begin, &data_from, (size_t)((char*)&data_end - (char*)&data_begin));
    memset(&bss_begin, 0, (size_t)((char*)&bss_end - (char*)&bss_begin));
    const uint32_t arguments[2] = {0x20026, (uint32_t)tell()}; /* the application's own end, and its status */
    host(EXIT_EXTENDED, arguments);
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static const void* const vectors[] = {&stack_top, (const void*)reset};
