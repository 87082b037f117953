#include "detect/state.hpp"

#include <algorithm>

namespace fieldwatch::detect {

namespace {
constexpr std::size_t kEvidenceMax = 32;
/// A correlation brings every event that it counted at once; more of them join such an alert.
constexpr std::size_t kCorrelatedMax = 4'096;
}  // namespace

void add_evidence(std::vector<model::LogPosition>& evidence, const model::LogPosition& position) {
    if (!evidence.empty() && evidence.back() == position) return;
    if (evidence.size() < (evidence.size() > kEvidenceMax ? kCorrelatedMax : kEvidenceMax)) {
        evidence.push_back(position);
    } else {
        evidence.back() = position;
    }
}

void write(ByteWriter& out, const model::LogPosition& position) {
    out.u32(position.partition);
    out.u64(position.offset);
    out.u32(position.item);
}
Result<model::LogPosition> read_position(ByteReader& in) {
    model::LogPosition out;
    out.partition = FIELDWATCH_TRY(in.u32());
    out.offset = FIELDWATCH_TRY(in.u64());
    out.item = FIELDWATCH_TRY(in.u32());
    return out;
}

void write(ByteWriter& out, const std::vector<model::LogPosition>& positions) {
    out.u32(static_cast<std::uint32_t>(positions.size()));
    for (const auto& position : positions)
        write(out, position);
}
Result<std::vector<model::LogPosition>> read_positions(ByteReader& in) {
    std::vector<model::LogPosition> out(FIELDWATCH_TRY(read_count(in, kCorrelatedMax)));
    for (auto& position : out)
        position = FIELDWATCH_TRY(read_position(in));
    return out;
}

void write(ByteWriter& out, const std::vector<std::string>& texts) {
    out.u32(static_cast<std::uint32_t>(texts.size()));
    for (const auto& text : texts)
        out.text(text);
}
Result<std::vector<std::string>> read_texts(ByteReader& in) {
    std::vector<std::string> out(FIELDWATCH_TRY(read_count(in)));
    for (auto& text : out)
        text = FIELDWATCH_TRY(read_text(in));
    return out;
}

void write(ByteWriter& out, const Uuid& id) {
    out.bytes(std::as_bytes(std::span(id.bytes)));
}
Result<Uuid> read_uuid(ByteReader& in) {
    const auto bytes = FIELDWATCH_TRY(in.bytes(16));
    Uuid out;
    std::transform(bytes.begin(), bytes.end(), out.bytes.begin(),
                   [](auto byte) { return std::to_integer<std::uint8_t>(byte); });
    return out;
}

void write(ByteWriter& out, const model::Alert& alert) {
    write(out, alert.id);
    for (const auto* text : {&alert.type, &alert.display_name, &alert.description, &alert.component,
                             &alert.intent, &alert.hub.value, &alert.compromised_entity, &alert.discriminator,
                             &alert.rule.id, &alert.rule.title, &alert.rule.author, &alert.rule.license,
                             &alert.entities_json, &alert.extended_json})
        out.text(*text);
    for (const auto* texts : {&alert.techniques, &alert.remediation, &alert.rule.references})
        write(out, *texts);
    out.u8(std::to_underlying(alert.severity));
    out.u8(std::to_underlying(alert.status));
    out.i64(alert.start.ticks);
    out.i64(alert.end.ticks);
    out.i64(alert.hit_count);
    out.i64(alert.processed.ticks);
    out.u8(alert.update ? 1 : 0);
    write(out, alert.evidence);
}

Result<model::Alert> read_alert(ByteReader& in) {
    model::Alert out;
    out.id = FIELDWATCH_TRY(read_uuid(in));
    for (auto* text :
         {&out.type, &out.display_name, &out.description, &out.component, &out.intent, &out.hub.value,
          &out.compromised_entity, &out.discriminator, &out.rule.id, &out.rule.title, &out.rule.author,
          &out.rule.license, &out.entities_json, &out.extended_json})
        *text = FIELDWATCH_TRY(read_text(in));
    for (auto* texts : {&out.techniques, &out.remediation, &out.rule.references})
        *texts = FIELDWATCH_TRY(read_texts(in));
    const auto severity = FIELDWATCH_TRY(in.u8());
    const auto status = FIELDWATCH_TRY(in.u8());
    if (severity > std::to_underlying(model::Severity::High) ||
        status > std::to_underlying(model::AlertStatus::Dismissed))
        return fail(Errc::Corrupt, "saved alert with a severity or status that does not exist");
    out.severity = static_cast<model::Severity>(severity);
    out.status = static_cast<model::AlertStatus>(status);
    out.start = FIELDWATCH_TRY(read_time(in));
    out.end = FIELDWATCH_TRY(read_time(in));
    out.hit_count = FIELDWATCH_TRY(read_amount(in));
    out.processed = FIELDWATCH_TRY(read_time(in));
    out.update = FIELDWATCH_TRY(in.u8()) != 0;
    out.evidence = FIELDWATCH_TRY(read_positions(in));
    return out;
}

}  // namespace fieldwatch::detect
