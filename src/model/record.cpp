#include "model/record.hpp"

#include "base/limits.hpp"

namespace fieldwatch::model {

namespace {
constexpr std::uint8_t kVersion = 1;
}

std::string_view to_string(RecordKind kind) {
    switch (kind) {
        case RecordKind::SecurityMessage:
            return "security-message";
        case RecordKind::Telemetry:
            return "telemetry";
        case RecordKind::Operation:
            return "operation";
        case RecordKind::ControlPlane:
            return "control-plane";
        case RecordKind::Twin:
            return "twin";
        case RecordKind::IdentityChange:
            return "identity";
        case RecordKind::HubConfiguration:
            return "hub-configuration";
        case RecordKind::Content:
            return "content";
        case RecordKind::Tick:
            return "tick";
        case RecordKind::AlertState:
            return "alert-state";
        case RecordKind::SigmaEvent:
            return "sigma-event";
        case RecordKind::QueryFinding:
            return "query-finding";
        case RecordKind::FleetFact:
            return "fleet-fact";
    }
    return "unknown";
}

RecordView view_of(const Record& record) {
    return {.kind = record.kind,
            .received = record.received,
            .hub = record.sender.hub.value,
            .device = record.sender.device.value,
            .module = record.sender.module.value,
            .properties = {record.properties.begin(), record.properties.end()},
            .body = record.body};
}

Bytes encode(const Record& record) {
    Bytes out;
    out.reserve(64 + record.sender.device.value.size() + record.body.size());
    ByteWriter writer(out);
    writer.u8(kVersion);
    writer.u8(std::to_underlying(record.kind));
    writer.u16(static_cast<std::uint16_t>(record.properties.size()));
    writer.i64(record.received.ticks);
    writer.text(record.sender.hub.value);
    writer.text(record.sender.device.value);
    writer.text(record.sender.module.value);
    for (const auto& [name, value] : record.properties) {
        writer.text(name);
        writer.text(value);
    }
    writer.text(record.body);
    return out;
}

Result<RecordView> decode_record(ByteView bytes) {
    ByteReader reader(bytes);
    if (const auto version = FIELDWATCH_TRY(reader.u8()); version != kVersion) {
        return fail(Errc::Unsupported,
                    "record version " + std::to_string(version) + "; this release reads version 1");
    }
    RecordView out;
    const auto kind = FIELDWATCH_TRY(reader.u8());
    if (kind < 1 || kind > std::to_underlying(RecordKind::FleetFact)) {
        return fail(Errc::Malformed, "record kind " + std::to_string(kind) + " is not known");
    }
    out.kind = static_cast<RecordKind>(kind);
    const auto property_count = FIELDWATCH_TRY(reader.u16());
    if (property_count > limits::properties_per_message)
        return fail(Errc::TooLarge, "record with too many properties");
    out.received = Timestamp{FIELDWATCH_TRY(reader.i64())};
    out.hub = FIELDWATCH_TRY(reader.text());
    out.device = FIELDWATCH_TRY(reader.text());
    out.module = FIELDWATCH_TRY(reader.text());
    out.properties.reserve(property_count);
    for (std::uint16_t i = 0; i < property_count; ++i) {
        const auto name = FIELDWATCH_TRY(reader.text());
        out.properties.emplace_back(name, FIELDWATCH_TRY(reader.text()));
    }
    out.body = FIELDWATCH_TRY(reader.text());
    if (!reader.empty()) return fail(Errc::Malformed, "bytes behind the end of a record");
    return out;
}

}  // namespace fieldwatch::model
