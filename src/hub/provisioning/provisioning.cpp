#include "hub/provisioning/provisioning.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/hash.hpp"
#include "base/json_text.hpp"
#include "base/log.hpp"
#include "base/uuid.hpp"
#include "hub/provisioning/documents.hpp"
#include "net/certificate_chain.hpp"
#include "protocol/sas/token.hpp"

namespace fieldwatch::hub {

namespace {

using Json = nlohmann::json;

constexpr int kRetryAfter = 1;             // the device is assigned by then: it need only ask
constexpr std::size_t kGroupsMax = 1'000;  // each costs two HMACs for a device that no individual names
constexpr std::size_t kPayloadBytesMax = 65'536;

std::string_view reason(const Error& error) {
    return error.message;
}

}  // namespace

Provisioning::Provisioning(ProvisioningParts parts)
    : parts_(std::move(parts)),
      assigned_(parts_.metrics.counter("fieldwatch_provisioning_assigned_total", "Devices given to a hub")),
      refused_(parts_.metrics.counter("fieldwatch_provisioning_refused_total",
                                      "Registrations refused for who asked")) {}

ProvisioningAnswer Provisioning::error(int status, int code, std::string_view message) {
    ProvisioningAnswer answer{.status = status};
    JsonWriter(answer.body)
        .begin_object()
        .member("errorCode", std::int64_t{code})
        .member("trackingId", Uuid::random(parts_.random).text())
        .member("message", message)
        .member("timestampUtc", to_iso8601(parts_.clock.now(), 3))
        .end_object();
    return answer;
}

// Who asks.

bool Provisioning::proves(const Applicant& applicant, const Enrollment& enrollment, Proof& proof) const {
    if (enrollment.attestation == Enrollment::Attestation::X509) {
        if (!applicant.certificate || applicant.token) return false;
        const auto& leaf = *applicant.certificate;
        const auto now = parts_.clock.now();
        if (leaf.common_name != applicant.registration_id || now < leaf.not_before || leaf.not_after < now)
            return false;
        const auto known = std::find_if(
            enrollment.certificates.begin(), enrollment.certificates.end(), [&](const Bytes& one) {
                return enrollment.is_group ? net::verify_chain(leaf, {pem_of(one)}, now).has_value()
                                           : leaf.der == one;
            });
        if (known == enrollment.certificates.end()) return false;
        if (enrollment.is_group) proof.authority_pem = pem_of(*known);
        return true;
    }
    if (!applicant.token) return false;
    const auto token = sas::parse_token(*applicant.token);
    if (!token) return false;
    const auto wanted = applicant.scope + "/registrations/" + applicant.registration_id;
    if (token->resource != wanted || token->expiry + std::chrono::minutes(5) <= parts_.clock.now())
        return false;
    auto& keys = proof.device_keys;
    keys = enrollment.keys;
    if (enrollment.is_group) {
        for (auto* const key : {&keys.primary, &keys.secondary}) {
            // Over the id as the device spells it: that is what it derived its key from.
            const auto derived = derive_device_key(*key, applicant.registration_id);
            if (!derived) return false;
            *key = *derived;
        }
    }
    return sas::verify(*token, keys.primary) || sas::verify(*token, keys.secondary);
}

Result<std::vector<Enrollment>> Provisioning::groups() {
    const auto changes = parts_.registry.change_count();
    auto kept = groups_.with(
        [&](auto& cache) { return cache.first == changes ? std::optional(cache.second) : std::nullopt; });
    if (kept) return *kept;
    auto all = FIELDWATCH_TRY(enrollments(true, {.after = {}, .count_max = kGroupsMax}));
    groups_.with([&](auto& cache) { cache = {changes, all}; });
    return all;
}

std::expected<Provisioning::Match, Provisioning::Failure> Provisioning::match(const Applicant& applicant) {
    Enrollment none;
    const auto refuse = [&](int status, int code, std::string_view message, const Enrollment& enrollment) {
        refused_.add();
        const auto by = speaker_at(hub_for(enrollment, applicant.registration_id), applicant.by);
        parts_.refused({.result = code / 1'000 == 401 ? 401003 : code,
                        .description = message,
                        .hub = by.identity.hub,
                        .mask_addresses = by.mask_address},
                       applicant);
        return std::unexpected(Failure{status, code, message});
    };
    const auto scope = id_scope();
    if (!scope) return std::unexpected(Failure{500, 500001, "the registry cannot be read"});
    if (applicant.scope != *scope) return refuse(404, 404204, "there is no such id scope", none);
    const auto id = parse_registration_id(applicant.registration_id);
    if (!id) return refuse(400, 400004, "the registration id is none", none);
    Match found{.registration_id = *id, .device_id = {}};
    const auto fits = [&](const Enrollment& enrollment) {
        return proves(applicant, enrollment, found.proof);
    };
    auto individual = enrollment(false, *id);
    if (!individual && individual.error().code != Errc::NotFound)
        return std::unexpected(Failure{500, 500001, "the registry cannot be read"});
    if (individual) {
        // It alone decides, a disabled one too: individual beats group.
        if (!fits(*individual))
            return refuse(401, 401002, "the credentials do not match the enrollment", *individual);
        found.enrollment = std::move(*individual);
        return found;
    }
    auto all = groups();
    if (!all) return std::unexpected(Failure{500, 500001, "the registry cannot be read"});
    for (auto& group : *all) {
        if (!fits(group)) continue;
        if (group.attestation == Enrollment::Attestation::X509)
            found.device_id = applicant.certificate->common_name;
        found.enrollment = std::move(group);
        return found;
    }
    // Nobody learns which ids are enrolled: who proves nothing is unauthorized, whatever the reason.
    return refuse(401, 401002, "no enrollment matches these credentials", none);
}

int Provisioning::admit(const Applicant& applicant) {
    const auto found = match(applicant);
    return found ? 0 : found.error().status;
}

// What it is given.

Result<std::vector<registry::Hub>> Provisioning::hubs_of(const Enrollment& enrollment) {
    auto all = FIELDWATCH_TRY(parts_.registry.hubs());
    if (enrollment.hubs.empty()) return all;
    std::vector<registry::Hub> chosen;
    for (const auto& wanted : enrollment.hubs) {
        const auto found = std::find_if(all.begin(), all.end(), [&](const registry::Hub& hub) {
            const auto label = std::string_view(wanted).substr(0, wanted.find('.'));
            return sas::same_host(hub.name.value, wanted) || sas::same_host(hub.name.value, label) ||
                   sas::same_host(parts_.host_of(hub), wanted);
        });
        if (found != all.end()) chosen.push_back(*found);
    }
    return chosen;
}

Result<void> Provisioning::start_twin(const Enrollment& enrollment, const model::Identity& identity) {
    if (enrollment.tags_json.empty() && enrollment.desired_json.empty()) return {};
    registry::TwinUpdate update{.replaces = true};
    if (!enrollment.tags_json.empty()) update.tags_json = enrollment.tags_json;
    if (!enrollment.desired_json.empty()) update.desired_json = enrollment.desired_json;
    FIELDWATCH_TRY(parts_.registry.update_twin(identity, update));
    return {};
}

model::HubName Provisioning::hub_for(const Enrollment& enrollment, std::string_view registration_id) {
    std::vector<std::string> names;
    for (const auto& hub : hubs_of(enrollment).value_or(std::vector<registry::Hub>{}))
        names.push_back(hub.name.value);
    return {allocate(enrollment.allocation, registration_id, names)};
}

Result<std::string> Provisioning::keep_authority(const model::HubName& hub,
                                                 const std::string& authority_pem) {
    const auto facts = FIELDWATCH_TRY(net::read_certificate(authority_pem));
    const registry::DocumentKey key{hub, std::string(kEnrollmentAuthority), hex(sha256(facts.der))};
    if (!parts_.registry.document(key)) {
        const Json body{{"certificate", authority_pem}};
        FIELDWATCH_TRY(parts_.registry.put_document(key, body.dump(), {}));
    }
    return key.id;
}

Result<std::string_view> Provisioning::write_identity(const Match& match, const model::Identity& identity) {
    registry::Entry entry{.identity = identity};
    const auto existing = parts_.registry.get(identity);
    if (existing) entry = *existing;
    const auto& enrollment = match.enrollment;
    if (enrollment.attestation == Enrollment::Attestation::SymmetricKey) {
        entry.auth = registry::AuthType::Sas;
        entry.keys = match.proof.device_keys;
    } else if (enrollment.is_group) {
        entry.auth = registry::AuthType::X509Ca;
        entry.primary_thumbprint = FIELDWATCH_TRY(keep_authority(identity.hub, match.proof.authority_pem));
        entry.secondary_thumbprint.clear();
    } else {
        entry.auth = registry::AuthType::X509Thumbprint;
        entry.primary_thumbprint = hex(sha256(enrollment.certificates.front()));
        entry.secondary_thumbprint =
            enrollment.certificates.size() > 1 ? hex(sha256(enrollment.certificates[1])) : std::string();
    }
    entry.iot_edge = enrollment.iot_edge;
    if (existing) {
        const bool same = existing->auth == entry.auth && existing->keys.primary == entry.keys.primary &&
                          existing->keys.secondary == entry.keys.secondary &&
                          sas::same_host(existing->primary_thumbprint, entry.primary_thumbprint) &&
                          sas::same_host(existing->secondary_thumbprint, entry.secondary_thumbprint) &&
                          existing->iot_edge == entry.iot_edge;
        if (same) return std::string_view();
        FIELDWATCH_TRY(parts_.registry.update(entry, std::nullopt));
        return std::string_view("update");
    }
    FIELDWATCH_TRY(parts_.registry.create(entry));
    FIELDWATCH_TRY(start_twin(enrollment, identity));
    return std::string_view("create");
}

// A device that was somewhere before: its twin goes along, or it starts anew.
Result<std::string> Provisioning::substatus_of_move(const Match& match, const model::Identity& from,
                                                    const model::Identity& to, bool again) {
    if (from == to) {
        if (!again || match.enrollment.migrates_data) return std::string("initialAssignment");
        FIELDWATCH_TRY(start_twin(match.enrollment, to));
        return std::string("deviceDataReset");
    }
    const auto twin = parts_.registry.twin(from);
    if (match.enrollment.migrates_data && twin) {
        FIELDWATCH_TRY(parts_.registry.update_twin(
            to, {.tags_json = twin->tags_json, .desired_json = twin->desired_json, .replaces = true}));
        FIELDWATCH_TRY(parts_.registry.patch_reported(to, twin->reported_json, std::nullopt));
    }
    const auto removed = parts_.registry.remove(from);
    if (!removed && removed.error().code != Errc::NotFound) return std::unexpected(removed.error());
    return std::string(match.enrollment.migrates_data ? "deviceDataMigrated" : "deviceDataReset");
}

Result<Provisioning::Assigned> Provisioning::assign(const Match& match, const Speaker& by) {
    const auto& enrollment = match.enrollment;
    const auto device_id = !enrollment.device_id.empty() ? enrollment.device_id
                           : !match.device_id.empty()    ? match.device_id
                                                         : match.registration_id;
    const auto hubs = FIELDWATCH_TRY(hubs_of(enrollment));
    std::vector<std::string> names;
    for (const auto& hub : hubs)
        names.push_back(hub.name.value);
    auto chosen = allocate(enrollment.allocation, match.registration_id, names);
    if (chosen.empty()) return fail(Errc::NotFound, "none of the enrollment's hubs exists");
    std::optional<model::Identity> before;
    if (const auto kept = load_registration(parts_.registry, match.registration_id)) {
        before = model::Identity{model::HubName{kept->hub}, model::DeviceId{kept->device_id}, {}};
        const auto still = std::find(names.begin(), names.end(), kept->hub);
        if (!enrollment.updates_hub && still != names.end()) chosen = kept->hub;
    }
    const model::Identity identity{model::HubName{chosen}, model::DeviceId{device_id}, {}};
    const auto operation = FIELDWATCH_TRY(write_identity(match, identity));
    if (!operation.empty()) {
        auto speaker = speaker_at(identity.hub, by);
        speaker.identity = identity;
        Operation written{.category = "DeviceIdentityOperations", .name = operation};
        written.properties.emplace_back("caller", "provisioning");
        parts_.log(written, speaker);
    }
    Assigned out{.device_id = device_id, .substatus = "initialAssignment"};
    if (before) out.substatus = FIELDWATCH_TRY(substatus_of_move(match, *before, identity, true));
    out.hub = *std::find_if(hubs.begin(), hubs.end(),
                            [&](const registry::Hub& hub) { return hub.name.value == chosen; });
    return out;
}

Speaker Provisioning::speaker_at(const model::HubName& hub, const Speaker& by) {
    auto speaker = by;
    speaker.identity.hub = hub;
    const auto known = parts_.registry.hub(hub);
    speaker.mask_address = !known || known->mask_addresses;
    return speaker;
}

void Provisioning::log_registration(const Match& match, const RegistrationRecord& record, const Speaker& by) {
    Operation operation{.category = "DeviceOperations",
                        .name = "register",
                        .result = record.status == "assigned" ? 0
                                  : record.error_code != 0    ? record.error_code
                                                              : 403012,
                        .description = record.error_message};
    auto speaker = speaker_at(
        record.hub.empty() ? hub_for(match.enrollment, record.id) : model::HubName{record.hub}, by);
    if (speaker.identity.hub.empty()) return;  // nobody's log: the warning says it
    speaker.identity.device.value = record.device_id.empty() ? record.id : record.device_id;
    operation.properties.emplace_back("registrationId", record.id);
    if (!record.group_id.empty()) operation.properties.emplace_back("enrollmentGroupId", record.group_id);
    if (!record.substatus.empty()) operation.properties.emplace_back("substatus", record.substatus);
    parts_.log(operation, speaker);
}

ProvisioningAnswer Provisioning::register_device(const Applicant& applicant, std::string_view body) {
    if (body.size() > kPayloadBytesMax) return error(413, 413001, "the request is above 65536 bytes");
    const auto request = Json::parse(body, nullptr, false);
    if (request.is_object() && request.contains("registrationId") &&
        request["registrationId"] != applicant.registration_id) {
        return error(400, 400004, "the body names another registration id");
    }
    const auto found = match(applicant);
    if (!found) return error(found.error().status, found.error().code, found.error().message);
    RegistrationRecord record{.id = found->registration_id,
                              .operation_id = "5." + Uuid::random(parts_.random).text(),
                              .x509 = found->enrollment.attestation == Enrollment::Attestation::X509};
    if (found->enrollment.is_group) record.group_id = found->enrollment.id;
    if (!found->enrollment.enabled) {
        record.status = "disabled";
        record.error_message = "The enrollment is disabled.";
    } else if (const auto assigned = assign(*found, applicant.by)) {
        record.status = "assigned";
        record.hub = assigned->hub.name.value;
        record.host = parts_.host_of(assigned->hub);
        record.device_id = assigned->device_id;
        record.substatus = assigned->substatus;
        assigned_.add();
    } else {
        record.status = "failed";
        record.error_code = assigned.error().code == Errc::NotFound ? 400207 : 500001;
        record.error_message = reason(assigned.error());
        log::warning("provisioning", record.id + ": " + record.error_message);
    }
    const auto kept = save_registration(parts_.registry, record);
    log_registration(*found, record, applicant.by);
    if (!kept) return error(500, 500001, "the registration cannot be kept");
    ProvisioningAnswer answer{.status = 202, .retry_after = kRetryAfter};
    JsonWriter(answer.body)
        .begin_object()
        .member("operationId", record.operation_id)
        .member("status", "assigning")
        .end_object();
    return answer;
}

ProvisioningAnswer Provisioning::operation_status(const Applicant& applicant, std::string_view operation_id) {
    const auto found = match(applicant);
    if (!found) return error(found.error().status, found.error().code, found.error().message);
    const auto record = load_registration(parts_.registry, found->registration_id);
    if (!record || record->operation_id != operation_id)
        return error(404, 404204, "there is no such operation");
    Json body{{"operationId", record->operation_id}, {"status", record->status}};
    body["registrationState"] = to_json(*record);
    return {.status = 200, .body = body.dump()};
}

}  // namespace fieldwatch::hub
