#include "agent/aggregation/observation.hpp"

#include <ctime>

namespace fieldwatch::agent {

std::size_t Observation::bytes() const {
    std::size_t total =
        sizeof *this + fields.size() * sizeof(ObservedField) + extras.size() * sizeof(ExtraField);
    for (const auto& field : fields)
        total += field.text.size();
    for (const auto& extra : extras)
        total += extra.text.size();
    return total;
}

namespace {

int append(void* out, const char* data, std::size_t size) {
    static_cast<std::string*>(out)->append(data, size);
    return 0;
}

void write_payload(fieldwatch_encoder& encoder, const Observation& payload, const EventIdentity& identity) {
    fieldwatch_payload_begin(&encoder);
    for (const auto& field : payload.fields) {
        if (field.is_boolean) {
            fieldwatch_field_boolean(&encoder, field.name, field.integer != 0);
        } else if (field.is_integer) {
            fieldwatch_field_integer(&encoder, field.name, field.integer);
        } else {
            fieldwatch_field_text(&encoder, field.name, field.text.data(), field.text.size());
        }
    }
    for (const auto& extra : payload.extras) {
        fieldwatch_extra_text(&encoder, extra.name, extra.text.data(), extra.text.size());
    }
    if (!identity.boot_id.empty()) {
        fieldwatch_extra_text(&encoder, "BootId", identity.boot_id.data(), identity.boot_id.size());
        fieldwatch_extra_integer(&encoder, "Sequence", static_cast<std::int64_t>(identity.sequence));
    }
    fieldwatch_payload_end(&encoder);
}

}  // namespace

Result<std::string> encode_event(fieldwatch_kind kind, const std::vector<const Observation*>& payloads,
                                 const EventIdentity& identity, Random& random, std::size_t bytes_max) {
    std::uint8_t bytes[16];
    char id[FIELDWATCH_ID_TEXT_SIZE];
    random.fill(std::as_writable_bytes(std::span(bytes)));
    fieldwatch_format_id(bytes, id);
    std::string out;
    fieldwatch_encoder encoder;
    fieldwatch_encoder_init(&encoder, append, &out, bytes_max);
    const fieldwatch_event_header header{id, identity.time_unix_ms, identity.local_offset_minutes,
                                         payloads.empty()};
    fieldwatch_event_begin(&encoder, kind, &header);
    for (const auto* payload : payloads)
        write_payload(encoder, *payload, identity);
    switch (fieldwatch_event_end(&encoder)) {
        case FIELDWATCH_OK:
            return out;
        case FIELDWATCH_TOO_LARGE:
            return fail(Errc::TooLarge, "event");
        default:
            return fail(Errc::InvalidArgument, std::string("event of kind ") + fieldwatch_kind_name(kind));
    }
}

std::int32_t local_offset_minutes(std::int64_t unix_ms) {
    const std::time_t seconds = unix_ms / 1'000;
    std::tm local{};
    return ::localtime_r(&seconds, &local) ? static_cast<std::int32_t>(local.tm_gmtoff / 60) : 0;
}

}  // namespace fieldwatch::agent
