#include "hub/provisioning/documents.hpp"

#include <nlohmann/json.hpp>

#include "base/hash.hpp"

namespace fieldwatch::hub {

namespace {

using Json = nlohmann::json;

constexpr int kVersion = 1;  // of both documents, in their member "v"

/// Keys are in the document already: none is made here.
class NoRandom final : public Random {
  public:
    void fill(std::span<std::byte> out) override { std::fill(out.begin(), out.end(), std::byte{0}); }
};

Result<Json> parse(const registry::Document& document) {
    auto json = Json::parse(document.json, nullptr, false);
    if (!json.is_object())
        return fail(Errc::Corrupt, "the document of " + document.id + " is no JSON object");
    if (json.value("v", 0) != kVersion)
        return fail(Errc::Unsupported, "the document of " + document.id + " is of another version");
    return json;
}

}  // namespace

Json to_json(const RegistrationRecord& record) {
    Json out{{"registrationId", record.id},
             {"createdDateTimeUtc", to_iso8601(record.created)},
             {"status", record.status},
             {"lastUpdatedDateTimeUtc", to_iso8601(record.updated)},
             {"etag", "\"" + std::to_string(record.etag) + "\""},
             {"payload", nullptr}};
    if (record.status == "assigned") {
        out["assignedHub"] = record.host;
        out["deviceId"] = record.device_id;
        out["substatus"] = record.substatus;
    } else {
        out["errorCode"] = record.error_code;
        out["errorMessage"] = record.error_message;
    }
    Json how = Json::object();
    if (!record.group_id.empty()) how["enrollmentGroupId"] = record.group_id;
    out[record.x509 ? "x509" : "symmetricKey"] = std::move(how);
    return out;
}

registry::DocumentKey registration_shard(unsigned shard) {
    const std::byte byte{static_cast<std::uint8_t>(shard)};
    return {.hub = {}, .kind = "registration-" + hex({&byte, 1}), .id = {}};
}

registry::DocumentKey registration_key(std::string_view id) {
    auto key = registration_shard(static_cast<unsigned>(hash64(as_bytes(id)) % kRegistrationShards));
    key.id = id;
    return key;
}

Result<RegistrationRecord> registration_of(const registry::Document& document) {
    const auto json = FIELDWATCH_TRY(parse(document));
    RegistrationRecord record{.id = document.id};
    record.operation_id = json.value("operation", "");
    record.status = json.value("status", "");
    record.substatus = json.value("substatus", "");
    record.hub = json.value("hub", "");
    record.host = json.value("host", "");
    record.device_id = json.value("device", "");
    record.group_id = json.value("group", "");
    record.x509 = json.value("x509", false);
    record.error_code = json.value("errorCode", 0);
    record.error_message = json.value("errorMessage", "");
    record.etag = document.etag;
    record.created = document.created;
    record.updated = document.updated;
    return record;
}

Result<RegistrationRecord> load_registration(registry::Registry& registry, std::string_view id) {
    return registration_of(FIELDWATCH_TRY(registry.document(registration_key(id))));
}

Result<void> save_registration(registry::Registry& registry, const RegistrationRecord& record) {
    const Json json{{"v", kVersion},
                    {"operation", record.operation_id},
                    {"status", record.status},
                    {"substatus", record.substatus},
                    {"hub", record.hub},
                    {"host", record.host},
                    {"device", record.device_id},
                    {"group", record.group_id},
                    {"x509", record.x509},
                    {"errorCode", record.error_code},
                    {"errorMessage", record.error_message}};
    FIELDWATCH_TRY(registry.put_document(registration_key(record.id), json.dump(), {}));
    return {};
}

registry::DocumentKey enrollment_key(bool is_group, std::string_view id) {
    return {.hub = {}, .kind = is_group ? "enrollment-group" : "enrollment", .id = std::string(id)};
}

std::string document_of(const Enrollment& enrollment) {
    auto json = to_json(enrollment, EnrollmentForm::Stored);
    json["v"] = kVersion;
    return json.dump();
}

Result<Enrollment> enrollment_of(const registry::Document& document, bool is_group) {
    FIELDWATCH_TRY(parse(document));
    NoRandom none;
    auto enrollment = FIELDWATCH_TRY(parse_enrollment(document.json, is_group, none));
    enrollment.etag = document.etag;
    enrollment.created = document.created;
    enrollment.updated = document.updated;
    return enrollment;
}

}  // namespace fieldwatch::hub
