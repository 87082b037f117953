// Names of things: hubs, devices, modules, workspaces. A device can act only as itself, so its name is a
// type, not a string.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/hash.hpp"
#include "base/result.hpp"

namespace fieldwatch::model {

/// A case-sensitive name of one kind. Construct with `X{text}` where the text was already checked, or
/// X::parse.
template <class Tag>
struct Name {
    std::string value;

    friend auto operator<=>(const Name&, const Name&) = default;
    bool empty() const { return value.empty(); }
};

using HubName = Name<struct HubTag>;      ///< 3 to 50 of [a-z0-9-]; stored lower case
using DeviceId = Name<struct DeviceTag>;  ///< 1 to 128 of IoT Hub's id alphabet
using ModuleId = Name<struct ModuleTag>;  ///< likewise; empty = the device itself

/// IoT Hub's id alphabet: letters, digits and - : . + % _ # * ? ! ( ) , = @ ; $ '. Errors: InvalidArgument,
/// TooLarge.
Result<DeviceId> parse_device_id(std::string_view text);
Result<ModuleId> parse_module_id(std::string_view text);
Result<HubName> parse_hub_name(std::string_view text);

/// Who speaks: a device (module empty) or one of its modules, at one hub. From the authenticated connection
/// only.
struct Identity {
    HubName hub;
    DeviceId device;
    ModuleId module;

    friend auto operator<=>(const Identity&, const Identity&) = default;
};

inline constexpr std::string_view kSecurityModule = "azureiotsecurity";
inline constexpr std::string_view kSecurityInterface = "urn:azureiot:Security:SecurityAgent:1";
inline constexpr std::string_view kConfigurationObject =
    "ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration";

/// Where a device's records lie: partition = hash of (hub, device) modulo the count fixed at creation.
std::uint32_t partition_of(const HubName& hub, const DeviceId& device, std::uint32_t partition_count);
/// Where what is known of a hub's devices together meets, by what it is grouped by
/// (detect/rules/fleet_fact.hpp).
std::uint32_t fleet_partition_of(std::string_view hub, std::string_view group_key,
                                 std::uint32_t partition_count);

/// The place of one record in the log, and of one item in it. Order of this struct is the order of the log.
struct LogPosition {
    std::uint32_t partition = 0;
    std::uint64_t offset = 0;
    std::uint32_t item = 0;

    friend auto operator<=>(const LogPosition&, const LogPosition&) = default;
};

/// RowId of design 3a: 128-bit hash of (workspace, partition, journal offset, item).
Hash128 row_id(std::string_view workspace, LogPosition position);

}  // namespace fieldwatch::model
