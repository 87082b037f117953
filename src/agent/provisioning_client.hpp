// Asks a device provisioning service which hub this device belongs to, over MQTT (spec/iot-hub-protocols.md
// section 9). Blocking: `fieldwatch-agent provision` has nothing else to do.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/result.hpp"

namespace fieldwatch::agent {

struct ProvisioningOptions {
    std::string host;        ///< of the service
    std::uint16_t port = 0;  ///< 0 = 8883
    std::string ca_file;     ///< "" = the system's
    std::string id_scope;
    std::string registration_id;
    std::string key_base64;   ///< of this registration; of a group: the key derived for it
    std::string certificate;  ///< PEM with its private key, in place of a key
};

struct ProvisionedDevice {
    std::string hub;  ///< host name, perhaps with :port
    std::string device_id;
};

/// Registers and polls until the service has assigned a hub. Errors: Unauthorized (not enrolled, or a wrong
/// credential: the service does not tell which), Forbidden (disabled), Timeout, Malformed, and TlsClient's.
Result<ProvisionedDevice> provision(const ProvisioningOptions& options, const Clock& clock, Random& random,
                                    std::chrono::seconds patience);

/// How long to wait before asking again for the `tries`th time, from 0: what the service asked for (0: it
/// named no time, and the pause doubles), from 1 s to 30 s, and up to half as much again by chance, so that a
/// fleet that lost power together does not ask together.
std::chrono::milliseconds provisioning_pause(std::chrono::seconds asked, unsigned tries, Random& random);

/// One answer of the service.
struct ProvisioningAnswer {
    std::string status;        ///< assigning, assigned, failed, disabled
    std::string operation_id;  ///< while assigning
    ProvisionedDevice device;  ///< when assigned
};
/// Errors: Malformed.
Result<ProvisioningAnswer> read_provisioning_answer(std::string_view json);

}  // namespace fieldwatch::agent
