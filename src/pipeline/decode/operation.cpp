#include "pipeline/decode/operation.hpp"

#include <algorithm>
#include <charconv>

#include "base/limits.hpp"

namespace fieldwatch::pipeline {

namespace {

constexpr std::size_t kBatchMax = 1'000;
constexpr std::size_t kSigmaFieldsMax = 512;

bool contains_no_case(std::string_view text, std::string_view part) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::search(text.begin(), text.end(), part.begin(), part.end(),
                       [&](char a, char b) { return lower(a) == lower(b); }) != text.end();
}

/// What our hub says outright, foreign logs only hint at: spec/hub-signals.md section 2, "SPEC
/// discriminator".
std::string_view failure_reason(std::string_view status, std::string_view description,
                                std::string_view auth_type) {
    if (!status.starts_with("401")) return {};
    const bool sas = contains_no_case(auth_type, "sas") || contains_no_case(description, "sas");
    const bool x509 = contains_no_case(auth_type, "x509") || contains_no_case(description, "x509") ||
                      contains_no_case(description, "certificate");
    if (contains_no_case(description, "thumbprint does not match")) return "CertThumbprintMismatch";
    if (contains_no_case(description, "expired"))
        return sas ? "SasExpired" : x509 ? "CertExpired" : std::string_view{};
    if (contains_no_case(description, "signature") && sas) return "SasBadSignature";
    return {};
}

std::int64_t number(std::string_view text) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

}  // namespace

Result<std::span<OperationDecoder::Decoded>> OperationDecoder::decode_operation(
    const model::RecordView& record, model::LogPosition position) {
    return decode(record, position, &OperationDecoder::fill_operation);
}
Result<std::span<OperationDecoder::Decoded>> OperationDecoder::decode_control_plane(
    const model::RecordView& record, model::LogPosition position) {
    return decode(record, position, &OperationDecoder::fill_control_plane);
}
Result<std::span<OperationDecoder::Decoded>> OperationDecoder::decode_sigma_event(
    const model::RecordView& record, model::LogPosition position) {
    return decode(record, position, &OperationDecoder::fill_sigma_event);
}

Result<std::span<OperationDecoder::Decoded>> OperationDecoder::decode(const model::RecordView& record,
                                                                      model::LogPosition position,
                                                                      Fill fill) {
    arena_.reset();
    decoded_.clear();
    const auto* const root = FIELDWATCH_TRY(reader_.parse(record.body));
    if (!root->is(json::Type::Object)) return fail(Errc::Malformed, "/: an object is needed");
    const auto* const records = root->find("records");
    const auto objects =
        records != nullptr && records->is(json::Type::Array) ? records->elements : std::span(root, 1);
    if (objects.size() > kBatchMax)
        return fail(Errc::TooLarge, "/records: at most 1000 are allowed in one record");
    decoded_.reserve(objects.size());  // items are views into it
    for (const auto& object : objects) {
        auto& out = decoded_.emplace_back();
        out.event.type = "Operational";
        out.event.category = "Triggered";
        out.event.hub = record.hub;
        out.event.device = record.device;
        out.event.module = record.module;
        out.event.received = out.event.time = out.event.device_time = record.received;
        out.event.position = position;
        out.event.items.resize(1);
        out.event.items[0].position = position;
        if (!object.is(json::Type::Object)) return fail(Errc::Malformed, "/records: objects are needed");
        FIELDWATCH_TRY((this->*fill)(object, record, out));
        out.event.window_start = out.event.window_end = out.event.time;
        ++position.item;
    }
    return std::span(decoded_);
}

const json::Value* OperationDecoder::nested(const json::Value* value, json::Reader& reader) {
    if (value == nullptr) return nullptr;
    if (value->is(json::Type::Object)) return value;
    if (!value->is(json::Type::String) || value->text.empty()) return nullptr;
    const auto parsed = reader.parse(value->text);
    return parsed && (*parsed)->is(json::Type::Object) ? *parsed : nullptr;
}

std::string_view OperationDecoder::text(const json::Value* object, std::string_view key) {
    const auto* const value = object == nullptr ? nullptr : object->find(key);
    if (value == nullptr || value->is(json::Type::Null)) return {};
    // A reader's texts last until it parses again, which for a nested one is the next record of the batch.
    return value->is(json::Type::String) ? arena_.copy(value->text) : compact(*value);
}

std::string_view OperationDecoder::compact(const json::Value& value) {
    scratch_.clear();
    json::append(scratch_, value);
    return arena_.copy(scratch_);
}

void OperationDecoder::read_time(const json::Value& object, model::Event& event) {
    auto said = object.text_of("time");
    while (said.starts_with(' '))
        said.remove_prefix(1);
    if (const auto time = parse_iso8601(said))
        event.device_time = event.time = std::min(time->time, event.received);
}

Result<void> OperationDecoder::fill_operation(const json::Value& object, const model::RecordView& record,
                                              Decoded& out) {
    auto& event = out.event;
    event.kind = model::EventKind::Operation;
    event.name = "Operation";
    read_time(object, event);
    const auto* const properties = nested(object.find("properties"), properties_reader_);
    out.row.properties_json = properties != nullptr ? compact(*properties) : std::string_view("{}");
    out.row.result_signature = text(&object, "resultSignature");
    out.row.correlation_id = text(&object, "correlationId");
    out.row.message_id = text(properties, "messageId");
    out.row.location = text(&object, "location");
    if (const auto device = text(properties, "deviceId");
        record.device.empty() && device.size() <= limits::id_bytes)
        event.device = device;
    if (const auto module = text(properties, "moduleId");
        record.module.empty() && module.size() <= limits::id_bytes)
        event.module = module;

    model::Operation operation;
    operation.category = text(&object, "category");
    operation.operation_name = text(&object, "operationName");
    operation.result_type = text(&object, "resultType");
    operation.result_description = text(&object, "resultDescription");
    operation.level = text(&object, "level");
    operation.duration_ms = number(text(&object, "durationMs"));
    if (operation.operation_name.empty()) return fail(Errc::Malformed, "/operationName: is required");
    operation.protocol = text(properties, "protocol");
    operation.sdk_version = text(properties, "sdkVersion");
    operation.ip_address = text(properties, "ipAddress");
    operation.masked_ip_address = text(properties, "maskedIpAddress");
    if (operation.masked_ip_address.empty())
        operation.masked_ip_address = text(properties, "maskedIpAddresss");  // sic, historic
    operation.tls_version = text(properties, "tlsVersion");
    operation.cipher_suite = text(properties, "cipherSuite");
    operation.certificate_thumbprint = text(properties, "certThumbprint");
    operation.status_code = text(properties, "statusCode");
    if (operation.status_code.empty()) operation.status_code = operation.result_type;
    operation.auth_type = text(properties, "authType");
    if (const auto* const auth =
            nested(properties == nullptr ? nullptr : properties->find("authType"), auth_reader_)) {
        operation.auth_type = text(auth, "type");
        operation.auth_scope = text(auth, "scope");
    }
    operation.auth_failure_reason = text(properties, "authFailureReason");
    if (operation.auth_failure_reason.empty())
        operation.auth_failure_reason =
            failure_reason(operation.status_code, operation.result_description, operation.auth_type);
    operation.is_security_message = text(properties, "isSecurityMessage") == "true";
    const auto count = text(properties, "messageCount");
    operation.message_count = std::clamp<std::int64_t>(
        number(count.empty() ? text(properties, "batching") : count), 0, 1'000'000'000);
    event.items[0].payload = operation;
    event.items[0].details_json = out.row.properties_json;
    return {};
}

Result<void> OperationDecoder::fill_control_plane(const json::Value& object, const model::RecordView&,
                                                  Decoded& out) {
    out.event.kind = model::EventKind::ControlPlane;
    out.event.name = "ControlPlane";
    read_time(object, out.event);
    const auto* const properties = nested(object.find("properties"), properties_reader_);
    out.row.properties_json = properties != nullptr ? compact(*properties) : std::string_view("{}");
    out.row.result_signature = text(&object, "resultSignature");
    out.row.correlation_id = text(&object, "correlationId");
    model::ControlPlaneOperation operation;
    operation.operation_name = text(&object, "operationName");
    operation.result_type = text(&object, "resultType");
    operation.caller = text(&object, "caller");
    operation.caller_ip_address = text(&object, "callerIpAddress");
    operation.correlation_id = out.row.correlation_id;
    operation.resource_id = text(&object, "resourceId");
    operation.result_signature = out.row.result_signature;
    operation.status_code = text(properties, "statusCode");
    if (operation.operation_name.empty()) return fail(Errc::Malformed, "/operationName: is required");
    out.event.items[0].payload = operation;
    out.event.items[0].details_json = out.row.properties_json;
    return {};
}

Result<void> OperationDecoder::fill_sigma_event(const json::Value& object, const model::RecordView&,
                                                Decoded& out) {
    out.event.kind = model::EventKind::SigmaEvent;
    out.event.name = "SigmaEvent";
    const auto* const source = object.find("logsource");
    const auto* const fields = object.find("fields");
    if (fields == nullptr || !fields->is(json::Type::Object))
        return fail(Errc::Malformed, "/fields: an object is needed");
    if (fields->members.size() > kSigmaFieldsMax)
        return fail(Errc::TooLarge, "/fields: at most 512 are allowed");
    const auto list = arena_.allocate<std::pair<std::string_view, std::string_view>>(fields->members.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
        const auto& member = fields->members[i];
        list[i] = {arena_.copy(member.key), text(fields, member.key)};
    }
    out.event.items[0].payload = model::OtherPayload{.fields = list,
                                                     .product = text(source, "product"),
                                                     .service = text(source, "service"),
                                                     .category = text(source, "category")};
    out.event.items[0].details_json = compact(*fields);
    return {};
}

}  // namespace fieldwatch::pipeline
