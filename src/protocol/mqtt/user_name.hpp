// The MQTT user name of an IoT Hub client: `{host}/{clientId}/?api-version=…&model-id=…&DeviceClientType=…`.
// Source: spec/iot-hub-protocols.md section 3.1.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fieldwatch::mqtt {

struct UserName {
    std::string host;         ///< as sent, perhaps with :port
    std::string client_id;    ///< `{d}` or `{d}/{m}`
    std::string api_version;  ///< "" in the oldest form
    std::string model_id;     ///< decoded
    std::string client_type;  ///< decoded DeviceClientType
};

/// Errors: Malformed, Unsupported (an api-version that is none; without one it is the oldest form).
Result<UserName> parse_user_name(std::string_view text);
std::string encode_user_name(const UserName& user_name);

/// `{d}` or `{d}/{m}` in its parts; views into it. Errors: Malformed.
struct ClientId {
    std::string_view device, module;
};
Result<ClientId> parse_client_id(std::string_view text);

}  // namespace fieldwatch::mqtt
