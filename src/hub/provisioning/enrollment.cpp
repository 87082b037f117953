#include "hub/provisioning/enrollment.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/hash.hpp"
#include "base/limits.hpp"
#include "net/certificate_chain.hpp"

namespace fieldwatch::hub {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kDocumentBytesMax = 64u << 10;  // two certificates and an initial twin
constexpr std::size_t kHubsMax = 64;

std::unexpected<Error> refuse(std::string message) {
    return fail(Errc::InvalidArgument, std::move(message));
}

Result<std::string> text_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return std::string();
    if (!found->is_string()) return refuse(std::string(name) + " is a text");
    return found->get<std::string>();
}

Result<Json> object_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return Json::object();
    if (!found->is_object()) return refuse(std::string(name) + " is an object");
    return *found;
}

Result<std::string> key_of(const std::string& given, Random& random) {
    if (given.empty()) {
        std::array<std::byte, 32> secret{};
        random.fill(secret);
        return base64(secret);
    }
    const auto bytes = from_base64(given);
    if (!bytes || bytes->size() < 16 || bytes->size() > 64)
        return refuse("a symmetric key is base64 of 16 to 64 bytes");
    return given;
}

Result<void> read_keys(const Json& attestation, Enrollment& out, Random& random) {
    const auto keys = FIELDWATCH_TRY(object_of(attestation, "symmetricKey"));
    const auto primary = FIELDWATCH_TRY(text_of(keys, "primaryKey"));
    const auto secondary = FIELDWATCH_TRY(text_of(keys, "secondaryKey"));
    if (primary.empty() != secondary.empty())
        return refuse("give both the primary and the secondary key, or neither");
    out.keys.primary = FIELDWATCH_TRY(key_of(primary, random));
    out.keys.secondary = FIELDWATCH_TRY(key_of(secondary, random));
    return {};
}

// PEM, base64 of DER, or base64 of PEM: service SDKs send any of them.
Result<net::CertificateFacts> read_certificate(std::string_view text) {
    constexpr std::string_view kBegin = "-----BEGIN";
    if (text.find(kBegin) != std::string_view::npos) return net::read_certificate(text);
    std::string packed;
    for (const char c : text)
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') packed += c;
    const auto bytes = from_base64(packed);
    if (!bytes) return fail(Errc::Malformed, "this is no certificate in PEM, nor base64 of DER");
    const bool is_pem = as_text(*bytes).find(kBegin) != std::string_view::npos;
    return net::read_certificate(is_pem ? std::string(as_text(*bytes)) : pem_of(*bytes));
}

Result<void> read_certificates(const Json& attestation, Enrollment& out) {
    const auto x509 = FIELDWATCH_TRY(object_of(attestation, "x509"));
    const char* const place = out.is_group ? "signingCertificates" : "clientCertificates";
    const auto certificates = FIELDWATCH_TRY(object_of(x509, place));
    for (const char* const which : {"primary", "secondary"}) {
        const auto one = FIELDWATCH_TRY(object_of(certificates, which));
        const auto text = FIELDWATCH_TRY(text_of(one, "certificate"));
        if (text.empty()) continue;
        const auto certificate = read_certificate(text);
        if (!certificate) return refuse(std::string(which) + " certificate: " + certificate.error().message);
        out.certificates.push_back(certificate->der);
    }
    if (out.certificates.empty())
        return refuse(std::string("x509.") + place +
                      ".primary.certificate is missing: PEM, or base64 of DER");
    return {};
}

Result<void> read_attestation(const Json& document, Enrollment& out, Random& random) {
    const auto attestation = FIELDWATCH_TRY(object_of(document, "attestation"));
    const auto type = FIELDWATCH_TRY(text_of(attestation, "type"));
    if (type == "symmetricKey") return read_keys(attestation, out, random);
    if (type == "x509") {
        out.attestation = Enrollment::Attestation::X509;
        return read_certificates(attestation, out);
    }
    if (type == "tpm") return fail(Errc::Unsupported, "attestation by TPM is not offered");
    return refuse("attestation.type is symmetricKey or x509");
}

Result<void> read_allocation(const Json& document, Enrollment& out) {
    const auto policy = FIELDWATCH_TRY(text_of(document, "allocationPolicy"));
    if (policy == "static")
        out.allocation = Enrollment::Allocation::Static;
    else if (policy == "geoLatency" || policy == "custom")
        return fail(Errc::Unsupported, "allocationPolicy is hashed or static here");
    else if (!policy.empty() && policy != "hashed")
        return refuse("allocationPolicy is hashed or static");
    const auto one = FIELDWATCH_TRY(text_of(document, "iotHubHostName"));
    if (!one.empty()) out.hubs.push_back(one);
    const auto list = document.find("iotHubs");
    if (list == document.end() || list->is_null()) return {};
    if (!list->is_array() || list->size() > kHubsMax) return refuse("iotHubs is a list of at most 64 names");
    for (const auto& hub : *list) {
        if (!hub.is_string()) return refuse("iotHubs holds names of hubs");
        const auto name = hub.get<std::string>();
        if (std::find(out.hubs.begin(), out.hubs.end(), name) == out.hubs.end()) out.hubs.push_back(name);
    }
    return {};
}

Result<void> read_twin(const Json& document, Enrollment& out) {
    const auto twin = FIELDWATCH_TRY(object_of(document, "initialTwin"));
    const auto tags = FIELDWATCH_TRY(object_of(twin, "tags"));
    const auto properties = FIELDWATCH_TRY(object_of(twin, "properties"));
    const auto desired = FIELDWATCH_TRY(object_of(properties, "desired"));
    if (!tags.empty()) out.tags_json = tags.dump();
    if (!desired.empty()) out.desired_json = desired.dump();
    if (out.tags_json.size() + out.desired_json.size() > limits::twin_section_bytes)
        return refuse("initialTwin is above 32768 bytes");
    return {};
}

Result<bool> flag_of(const Json& object, const char* name, bool otherwise) {
    const auto found = object.find(name);
    if (found == object.end() || found->is_null()) return otherwise;
    if (!found->is_boolean()) return refuse(std::string(name) + " is true or false");
    return found->get<bool>();
}

Json certificates_json(const Enrollment& enrollment, EnrollmentForm form) {
    Json out = Json::object();
    const char* const names[] = {"primary", "secondary"};
    for (std::size_t at = 0; at < enrollment.certificates.size(); ++at) {
        const auto& der = enrollment.certificates[at];
        if (form == EnrollmentForm::Stored) {
            out[names[at]] = {{"certificate", base64(der)}};
            continue;
        }
        Json info{{"sha1Thumbprint", hex(sha1(der))}, {"sha256Thumbprint", hex(sha256(der))}};
        if (const auto certificate = net::read_certificate(pem_of(der))) {
            info["subjectName"] = certificate->subject;
            info["notBeforeUtc"] = to_iso8601(certificate->not_before, 3);
            info["notAfterUtc"] = to_iso8601(certificate->not_after, 3);
        }
        out[names[at]] = {{"info", std::move(info)}};
    }
    return out;
}

Json attestation_json(const Enrollment& enrollment, EnrollmentForm form) {
    if (enrollment.attestation == Enrollment::Attestation::SymmetricKey) {
        return {{"type", "symmetricKey"},
                {"symmetricKey",
                 {{"primaryKey", enrollment.keys.primary}, {"secondaryKey", enrollment.keys.secondary}}}};
    }
    const char* const place = enrollment.is_group ? "signingCertificates" : "clientCertificates";
    return {{"type", "x509"}, {"x509", {{place, certificates_json(enrollment, form)}}}};
}

}  // namespace

std::string pem_of(ByteView der) {
    std::string pem = "-----BEGIN CERTIFICATE-----\n";
    const auto text = base64(der);
    for (std::size_t at = 0; at < text.size(); at += 64)
        pem += text.substr(at, 64) + "\n";
    return pem + "-----END CERTIFICATE-----\n";
}

Result<std::string> parse_registration_id(std::string_view text) {
    std::string id(text);
    for (auto& c : id) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        const bool fits =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == ':';
        if (!fits) return refuse("a registration id is made of letters, digits and - . _ :");
    }
    if (id.empty() || id.size() > limits::id_bytes)
        return refuse("a registration id has 1 to 128 characters");
    return id;
}

Result<Enrollment> parse_enrollment(std::string_view json, bool is_group, Random& random) {
    if (json.size() > kDocumentBytesMax) return fail(Errc::TooLarge, "an enrollment above 65536 bytes");
    const auto document = Json::parse(json, nullptr, false);
    if (!document.is_object()) return refuse("an enrollment is a JSON object");
    Enrollment out{.is_group = is_group};
    const auto id = FIELDWATCH_TRY(text_of(document, is_group ? "enrollmentGroupId" : "registrationId"));
    out.id = FIELDWATCH_TRY(parse_registration_id(id));
    out.device_id = FIELDWATCH_TRY(text_of(document, "deviceId"));
    if (is_group && !out.device_id.empty())
        return refuse("a group has no deviceId: each of its devices has its own");
    if (!out.device_id.empty()) FIELDWATCH_TRY(model::parse_device_id(out.device_id));
    FIELDWATCH_TRY(read_attestation(document, out, random));
    FIELDWATCH_TRY(read_allocation(document, out));
    FIELDWATCH_TRY(read_twin(document, out));
    const auto status = FIELDWATCH_TRY(text_of(document, "provisioningStatus"));
    if (!status.empty() && status != "enabled" && status != "disabled")
        return refuse("provisioningStatus is enabled or disabled");
    out.enabled = status != "disabled";
    const auto capabilities = FIELDWATCH_TRY(object_of(document, "capabilities"));
    out.iot_edge = FIELDWATCH_TRY(flag_of(capabilities, "iotEdge", false));
    const auto again = FIELDWATCH_TRY(object_of(document, "reprovisionPolicy"));
    out.updates_hub = FIELDWATCH_TRY(flag_of(again, "updateHubAssignment", true));
    out.migrates_data = FIELDWATCH_TRY(flag_of(again, "migrateDeviceData", true));
    return out;
}

Json to_json(const Enrollment& enrollment, EnrollmentForm form) {
    Json out{
        {enrollment.is_group ? "enrollmentGroupId" : "registrationId", enrollment.id},
        {"attestation", attestation_json(enrollment, form)},
        {"capabilities", {{"iotEdge", enrollment.iot_edge}}},
        {"allocationPolicy", enrollment.allocation == Enrollment::Allocation::Static ? "static" : "hashed"},
        {"provisioningStatus", enrollment.enabled ? "enabled" : "disabled"},
        {"reprovisionPolicy",
         {{"updateHubAssignment", enrollment.updates_hub}, {"migrateDeviceData", enrollment.migrates_data}}}};
    if (!enrollment.device_id.empty()) out["deviceId"] = enrollment.device_id;
    if (!enrollment.hubs.empty()) out["iotHubs"] = enrollment.hubs;
    Json twin = Json::object();
    if (!enrollment.tags_json.empty()) twin["tags"] = Json::parse(enrollment.tags_json);
    if (!enrollment.desired_json.empty())
        twin["properties"] = {{"desired", Json::parse(enrollment.desired_json)}};
    if (!twin.empty()) out["initialTwin"] = std::move(twin);
    if (form == EnrollmentForm::Stored) return out;
    out["etag"] = "\"" + std::to_string(enrollment.etag) + "\"";
    out["createdDateTimeUtc"] = to_iso8601(enrollment.created);
    out["lastUpdatedDateTimeUtc"] = to_iso8601(enrollment.updated);
    return out;
}

Result<std::string> derive_device_key(std::string_view group_key_base64, std::string_view registration_id) {
    const auto key = from_base64(group_key_base64);
    if (!key) return fail(Errc::InvalidArgument, "the group's key is not base64");
    return base64(hmac_sha256(*key, as_bytes(registration_id)));
}

std::string allocate(Enrollment::Allocation allocation, std::string_view registration_id,
                     const std::vector<std::string>& hubs) {
    if (hubs.empty()) return {};
    if (allocation == Enrollment::Allocation::Static) return hubs.front();
    // Highest random weight: each hub draws a number for the id, the highest wins.
    const auto weight = [&](const std::string& hub) {
        return hash64(as_bytes(std::string(registration_id) + '\n' + hub));
    };
    return *std::max_element(hubs.begin(), hubs.end(),
                             [&](const std::string& left, const std::string& right) {
                                 return std::pair(weight(left), left) < std::pair(weight(right), right);
                             });
}

}  // namespace fieldwatch::hub
