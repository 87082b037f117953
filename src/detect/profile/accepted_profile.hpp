// A profile that somebody reviewed and took for the standard of a class of devices: kept in the registry, and
// watched by a query that runs by itself and finds what is not in it. docs/profiles.md, docs/decisions/0122.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "detect/profile/profile.hpp"

namespace fieldwatch::detect {

inline constexpr std::size_t kProfileDevicesMax = 200;  ///< ids and beginnings of ids that name a class
inline constexpr std::uint32_t kProfileDaysMax = 90;

/// Which devices a profile is of, and how it is made of their rows.
struct ProfileClass {
    std::string name;                               ///< is_profile_name()
    std::vector<std::string> devices;               ///< ids; with `*` at the end, all that begin so
    std::uint32_t days = 14;                        ///< of rows, back from now
    std::uint32_t devices_min = 1, peers_max = 32;  ///< ProfileOptions

    ProfileOptions options() const { return {name, devices_min, peers_max}; }
    friend bool operator==(const ProfileClass&, const ProfileClass&) = default;
};

struct AcceptedProfile {
    ProfileClass of;
    std::vector<std::string> lines;  ///< Talk::line, in order
    std::string author;              ///< who took it

    friend bool operator==(const AcceptedProfile&, const AcceptedProfile&) = default;
};

bool is_profile_name(std::string_view name);  ///< 1 to 56 of A-Za-z0-9-_

/// Errors: InvalidArgument, naming the member and what is allowed.
Result<void> check_profile_class(const ProfileClass& of);

/// The registry's document. Errors of reading: Malformed, InvalidArgument.
std::string accepted_profile_json(const AcceptedProfile& profile);
Result<AcceptedProfile> parse_accepted_profile(std::string_view name, std::string_view json);

/// The part of a KQL query that keeps the rows of the class: `(DeviceId in ("a") or DeviceId startswith_cs
/// "camera-")`.
std::string kql_devices(const ProfileClass& of);

/// Columns of a connection's row: Way (in, out), Protocol, Port, Remote, Program; lower case, and an IPv4
/// address as such where a socket of both families said it mapped into IPv6. Behind it peers that nobody
/// counts (loopback, multicast, link-local) are gone, as make_profile() leaves them out.
std::string_view kql_connections();

/// A KQL query for the connections of the class that the accepted lines do not allow: DeviceId, Connection (a
/// line), Program, Connections (how many). Names are watched by their service alone: rows have addresses.
/// Errors: TooLarge, when the lines are more than a query holds.
Result<std::string> drift_query(const AcceptedProfile& profile, std::string_view hub);

/// The scheduled rule that asks it has this id, and no other may.
std::string drift_rule_id(std::string_view profile_name);

}  // namespace fieldwatch::detect
