// What provisioning keeps: its scope and keys, enrollments, registrations.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "hub/provisioning/documents.hpp"
#include "hub/provisioning/provisioning.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::string_view kScopeSetting = "provisioning.id_scope";
constexpr std::string_view kKeysSetting = "provisioning.keys";

std::string random_key(Random& random) {
    std::array<std::byte, 32> secret{};
    random.fill(secret);
    return base64(secret);
}

}  // namespace

Result<std::string> Provisioning::id_scope() {
    if (const auto kept = FIELDWATCH_TRY(parts_.registry.setting(kScopeSetting))) return *kept;
    std::array<std::byte, 4> digits{};
    parts_.random.fill(digits);
    auto scope = "0ne" + hex(digits);
    std::transform(scope.begin() + 3, scope.end(), scope.begin() + 3,
                   [](char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c; });
    FIELDWATCH_TRY(parts_.registry.set_setting(kScopeSetting, scope));
    return scope;
}

Result<registry::Keys> Provisioning::service_keys() {
    if (const auto kept = FIELDWATCH_TRY(parts_.registry.setting(kKeysSetting))) {
        const auto json = nlohmann::json::parse(*kept, nullptr, false);
        if (!json.is_object()) return fail(Errc::Corrupt, "the provisioning keys cannot be read");
        return registry::Keys{json.value("primary", ""), json.value("secondary", "")};
    }
    registry::Keys keys{random_key(parts_.random), random_key(parts_.random)};
    const nlohmann::json json{{"primary", keys.primary}, {"secondary", keys.secondary}};
    FIELDWATCH_TRY(parts_.registry.set_setting(kKeysSetting, json.dump()));
    return keys;
}

Result<Enrollment> Provisioning::enrollment(bool is_group, std::string_view id) {
    const auto name = FIELDWATCH_TRY(parse_registration_id(id));
    const auto document = FIELDWATCH_TRY(parts_.registry.document(enrollment_key(is_group, name)));
    return enrollment_of(document, is_group);
}

Result<Enrollment> Provisioning::put_enrollment(Enrollment enrollment,
                                                std::optional<std::uint64_t> if_match) {
    // Keys that an update does not name stay: devices have them.
    const auto key = enrollment_key(enrollment.is_group, enrollment.id);
    const auto document =
        FIELDWATCH_TRY(parts_.registry.put_document(key, document_of(enrollment), {.if_match = if_match}));
    return enrollment_of(document, enrollment.is_group);
}

Result<void> Provisioning::remove_enrollment(bool is_group, std::string_view id,
                                             std::optional<std::uint64_t> if_match) {
    const auto name = FIELDWATCH_TRY(parse_registration_id(id));
    return parts_.registry.remove_document(enrollment_key(is_group, name), if_match);
}

Result<std::vector<Enrollment>> Provisioning::enrollments(bool is_group,
                                                          const registry::ListOptions& options) {
    const auto key = enrollment_key(is_group, {});
    std::vector<Enrollment> out;
    for (const auto& document : FIELDWATCH_TRY(parts_.registry.documents(key.hub, key.kind, options)))
        out.push_back(FIELDWATCH_TRY(enrollment_of(document, is_group)));
    return out;
}

Result<nlohmann::json> Provisioning::registration(std::string_view id) {
    const auto name = FIELDWATCH_TRY(parse_registration_id(id));
    return to_json(FIELDWATCH_TRY(load_registration(parts_.registry, name)));
}

Result<std::vector<nlohmann::json>> Provisioning::registrations_of(std::string_view group_id,
                                                                   std::size_t count_max) {
    std::vector<nlohmann::json> out;
    for (unsigned shard = 0; shard < kRegistrationShards; ++shard) {
        const auto key = registration_shard(shard);
        const auto documents =
            FIELDWATCH_TRY(parts_.registry.documents(key.hub, key.kind, {.after = {}, .count_max = 10'000}));
        for (const auto& document : documents) {
            const auto record = registration_of(document);
            if (!record || record->group_id != group_id) continue;
            out.push_back(to_json(*record));
            if (out.size() >= count_max) return out;
        }
    }
    return out;
}

Result<void> Provisioning::remove_registration(std::string_view id, std::optional<std::uint64_t> if_match) {
    const auto name = FIELDWATCH_TRY(parse_registration_id(id));
    return parts_.registry.remove_document(registration_key(name), if_match);
}

}  // namespace fieldwatch::hub
