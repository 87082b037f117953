// `HostName=H;DeviceId=D;ModuleId=M;SharedAccessKey=K`. Source: spec/iot-hub-protocols.md section 2.1.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fieldwatch::sas {

struct ConnectionString {
    std::string host_name;  ///< perhaps with :port
    std::string device_id, module_id;
    std::string shared_access_key, shared_access_key_name;
    std::string gateway_host_name;
    bool x509 = false;
};

/// Unknown names are ignored; values may hold `=`. Errors: Malformed (no HostName, a part without `=`).
Result<ConnectionString> parse_connection_string(std::string_view text);
std::string format(const ConnectionString& connection);

}  // namespace fieldwatch::sas
