// What provisioning keeps in the registry, as versioned documents: docs/formats/provisioning.md.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "hub/provisioning/enrollment.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::hub {

/// Where a registration id was last assigned.
struct RegistrationRecord {
    std::string id, operation_id;
    std::string status, substatus;
    std::string hub, host, device_id;
    std::string group_id;  ///< "" = an individual enrollment
    bool x509 = false;
    int error_code = 0;
    std::string error_message;
    // Of the stored document.
    std::uint64_t etag = 0;
    Timestamp created, updated;
};

/// As clients see it: `registrationState`.
nlohmann::json to_json(const RegistrationRecord& record);

Result<RegistrationRecord> load_registration(registry::Registry& registry, std::string_view id);
Result<void> save_registration(registry::Registry& registry, const RegistrationRecord& record);
/// The documents of all registrations lie in this many kinds: each kind has a bound.
inline constexpr unsigned kRegistrationShards = 256;
registry::DocumentKey registration_key(std::string_view id);
registry::DocumentKey registration_shard(unsigned shard);
Result<RegistrationRecord> registration_of(const registry::Document& document);

registry::DocumentKey enrollment_key(bool is_group, std::string_view id);
Result<Enrollment> enrollment_of(const registry::Document& document, bool is_group);
std::string document_of(const Enrollment& enrollment);

}  // namespace fieldwatch::hub
