/* Small text forms that the encoder and its callers need: ids, times, addresses, the mark. */
#include <string.h>

#include "fieldwatch/security_message.h"

uint32_t fieldwatch_version(void) {
    return (uint32_t)FIELDWATCH_VERSION_MAJOR << 16 | (uint32_t)FIELDWATCH_VERSION_MINOR << 8 |
           FIELDWATCH_VERSION_PATCH;
}

uint32_t fieldwatch_billing_units(size_t message_bytes) {
    return message_bytes == 0 ? 1 : (uint32_t)((message_bytes + 4095) / 4096);
}

fieldwatch_status fieldwatch_mark_property(fieldwatch_protocol protocol, const char** name,
                                           const char** value) {
    if (!name || !value) return FIELDWATCH_INVALID_ARGUMENT;
    switch (protocol) {
        case FIELDWATCH_PROTOCOL_MQTT_TOPIC:
            *name = "%24.ifid";
            *value = "urn%3Aazureiot%3ASecurity%3ASecurityAgent%3A1";
            return FIELDWATCH_OK;
        case FIELDWATCH_PROTOCOL_AMQP_ANNOTATION:
        case FIELDWATCH_PROTOCOL_HTTP_HEADER:
            *name = "iothub-interface-id";
            *value = "urn:azureiot:Security:SecurityAgent:1";
            return FIELDWATCH_OK;
    }
    return FIELDWATCH_INVALID_ARGUMENT;
}

void fieldwatch_format_id(const uint8_t random[16], char* out) {
    static const char digits[] = "0123456789abcdef";
    unsigned i;
    for (i = 0; i < 16; ++i) {
        uint8_t byte = random[i];
        if (i == 6) byte = (uint8_t)((byte & 0x0f) | 0x40); /* RFC 4122 section 4.4: version 4 */
        if (i == 8) byte = (uint8_t)((byte & 0x3f) | 0x80);
        if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
        *out++ = digits[byte >> 4];
        *out++ = digits[byte & 15];
    }
    *out = '\0';
}

static char* put_number(char* out, unsigned value, unsigned width) {
    unsigned i;
    for (i = width; i > 0; --i) {
        out[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + width;
}

/* Days since 1970-01-01 to a civil date, proleptic Gregorian: the era method of H. Hinnant. */
static void civil_from_days(int64_t days, int64_t* year, unsigned* month, unsigned* day) {
    int64_t era;
    unsigned day_of_era, year_of_era, day_of_year, shifted;
    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    day_of_era = (unsigned)(days - era * 146097);
    year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    shifted = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = (int64_t)year_of_era + era * 400 + (*month <= 2);
}

size_t fieldwatch_format_time(int64_t unix_ms, int32_t offset_minutes, char* out) {
    /* Years 1 to 9999 only: four digits are all the format has. */
    const int64_t least = -62135596800000LL, most = 253402300799999LL;
    char* const start = out;
    int64_t year, days, rest;
    unsigned month, day;
    if (offset_minutes < -840) offset_minutes = -840;
    if (offset_minutes > 840) offset_minutes = 840;
    if (unix_ms < least + 86400000) unix_ms = least + 86400000;
    if (unix_ms > most - 86400000) unix_ms = most - 86400000;
    unix_ms += (int64_t)offset_minutes * 60000;
    days = (unix_ms >= 0 ? unix_ms : unix_ms - 86399999) / 86400000;
    rest = unix_ms - days * 86400000;
    civil_from_days(days, &year, &month, &day);
    out = put_number(out, (unsigned)year, 4);
    *out++ = '-';
    out = put_number(out, month, 2);
    *out++ = '-';
    out = put_number(out, day, 2);
    *out++ = 'T';
    out = put_number(out, (unsigned)(rest / 3600000), 2);
    *out++ = ':';
    out = put_number(out, (unsigned)(rest / 60000 % 60), 2);
    *out++ = ':';
    out = put_number(out, (unsigned)(rest / 1000 % 60), 2);
    *out++ = '.';
    out = put_number(out, (unsigned)(rest % 1000), 3);
    if (offset_minutes == 0) {
        *out++ = 'Z';
    } else {
        const unsigned minutes = (unsigned)(offset_minutes < 0 ? -offset_minutes : offset_minutes);
        *out++ = offset_minutes < 0 ? '-' : '+';
        out = put_number(out, minutes / 60, 2);
        *out++ = ':';
        out = put_number(out, minutes % 60, 2);
    }
    *out = '\0';
    return (size_t)(out - start);
}

static int is_ipv4(const char* text, size_t size) {
    unsigned parts = 0;
    size_t i = 0;
    for (;;) {
        unsigned value = 0, digits = 0;
        while (i < size && text[i] >= '0' && text[i] <= '9') {
            if (digits == 1 && value == 0) return 0; /* leading zero: ambiguous octal */
            value = value * 10 + (unsigned)(text[i] - '0');
            if (++digits > 3 || value > 255) return 0;
            ++i;
        }
        if (digits == 0) return 0;
        ++parts;
        if (i == size) return parts == 4;
        if (parts == 4 || text[i] != '.') return 0;
        ++i;
    }
}

static int is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* RFC 4291 section 2.2: groups of hex, one `::`, a dotted quad in the last 32 bits. */
static int is_ipv6(const char* text, size_t size) {
    unsigned groups = 0, compressed = 0;
    size_t i = 0;
    if (size < 2) return 0;
    if (text[0] == ':') {
        if (text[1] != ':') return 0;
        compressed = 1;
        i = 2;
    }
    while (i < size) {
        size_t end = i;
        while (end < size && is_hex(text[end]))
            ++end;
        if (end < size && text[end] == '.') {
            if (!is_ipv4(text + i, size - i)) return 0;
            groups += 2;
            i = size;
            break;
        }
        if (end == i || end - i > 4) return 0;
        ++groups;
        i = end;
        if (i == size) break;
        if (text[i] != ':') return 0;
        ++i;
        if (i == size) return 0; /* a single colon at the end */
        if (text[i] == ':') {
            if (compressed) return 0;
            compressed = 1;
            ++i;
        }
    }
    return compressed ? groups < 8 : groups == 8;
}

int fieldwatch_is_ip(const char* text, size_t size) {
    return text && size > 0 && (is_ipv4(text, size) || is_ipv6(text, size));
}
