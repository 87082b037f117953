// The batch format of telemetry over HTTPS: [{"body":"<base64>","properties":{"iothub-app-x":"y"}}, …].
// Source: spec/iot-hub-protocols.md section 6.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "protocol/mqtt/property_bag.hpp"

namespace fieldwatch::hub {

/// What begins the headers that are application properties.
inline constexpr std::string_view kApplicationPrefix = "iothub-app-";

struct HttpMessage {
    std::vector<mqtt::Property> properties;  ///< system ones by their bag keys
    std::string body;
};

/// Errors: Malformed, TooLarge (over 500 messages, or bodies of over 262144 bytes together).
Result<std::vector<HttpMessage>> read_batch(std::string_view body);

/// The property that a request header (or a member of a batch's `properties`) stands for; nullopt = none.
std::optional<mqtt::Property> property_of_header(std::string_view name, std::string value);

}  // namespace fieldwatch::hub
