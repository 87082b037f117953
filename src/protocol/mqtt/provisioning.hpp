// What a device says to the provisioning service over MQTT. Source: spec/iot-hub-protocols.md section 9.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fieldwatch::mqtt {

/// `{idScope}/registrations/{registrationId}[/api-version=…]`; views into the user name. Nullopt for the user
/// name of a hub's device.
struct ProvisioningUser {
    std::string_view scope, registration_id;
};
std::optional<ProvisioningUser> parse_provisioning_user(std::string_view user_name);

enum class ProvisioningRequest : std::uint8_t { Register, Status };
struct ProvisioningTopic {
    ProvisioningRequest kind = ProvisioningRequest::Register;
    std::string_view request_id;
    std::string operation_id;  ///< of Status, decoded
};
/// Errors: Malformed.
Result<ProvisioningTopic> parse_provisioning_topic(std::string_view topic);

inline constexpr std::string_view kProvisioningFilter = "$dps/registrations/res/#";
/// `$rid` first, and no `$` in front of retry-after: Python splits the topic at `$`.
std::string provisioning_answer_topic(int status, std::string_view request_id, int retry_after_seconds);

}  // namespace fieldwatch::mqtt
