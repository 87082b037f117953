// Who may be provisioned, and to what: one device by its registration id, or every device of a group. The
// JSON is that of the provisioning service's API, which is also how it is kept
// (docs/formats/provisioning.md).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::hub {

struct Enrollment {
    enum class Attestation : std::uint8_t { SymmetricKey, X509 };
    enum class Allocation : std::uint8_t { Hashed, Static };

    bool is_group = false;
    std::string id;         ///< registration id, or the group's
    std::string device_id;  ///< of an individual one; "" = its registration id
    Attestation attestation = Attestation::SymmetricKey;
    registry::Keys keys;
    std::vector<Bytes> certificates;  ///< DER, at most two: the device's own, or the group's authorities
    Allocation allocation = Allocation::Hashed;
    std::vector<std::string> hubs;  ///< names or host names; empty = every hub
    bool enabled = true;
    bool iot_edge = false;
    std::string tags_json, desired_json;  ///< of the initial twin; "" = none
    bool updates_hub = true;              ///< a device that registers again may be given another hub
    bool migrates_data = true;            ///< and takes its twin along; else it starts anew
    // Of the stored document.
    std::uint64_t etag = 0;
    Timestamp created, updated;
};

/// Keys that are missing are made from `random`. Errors: InvalidArgument in words for whoever wrote it;
/// Unsupported for attestation by TPM and allocation by latency or function.
Result<Enrollment> parse_enrollment(std::string_view json, bool is_group, Random& random);

/// As the service API shows it; `with_certificates` as it is stored.
enum class EnrollmentForm : std::uint8_t { Shown, Stored };
nlohmann::json to_json(const Enrollment& enrollment, EnrollmentForm form);

/// RFC 7468.
std::string pem_of(ByteView der);

/// Registration ids: 1 to 128 of letters, digits, and - . _ : ; they compare without case and are kept lower.
Result<std::string> parse_registration_id(std::string_view text);

/// The key of one device of a symmetric-key group: base64(HMAC-SHA256(group key, registration id)).
/// Errors: InvalidArgument when the group's key is not base64.
Result<std::string> derive_device_key(std::string_view group_key_base64, std::string_view registration_id);

/// Which of `hubs` (names) a device gets. Hashed: the same one for the same id, and hardly any id moves when
/// a hub is added. "" when there is none.
std::string allocate(Enrollment::Allocation allocation, std::string_view registration_id,
                     const std::vector<std::string>& hubs);

}  // namespace fieldwatch::hub
