// A profile as rules that hold a device to it: a packet filter for the device, and custom alerts for us.
#pragma once

#include <string>

#include "base/result.hpp"
#include "detect/profile/profile.hpp"

namespace fieldwatch::detect {

struct FilterOptions {
    bool enforce = false;  ///< what is not in the profile is dropped; else it is logged and passes
};

/// A file for `nft -f`: one table, which replaces its former self. Names stand as the addresses that they had
/// in the span, because a packet filter knows no names; the name is in the comment.
std::string nftables_file(const Profile& profile, const FilterOptions& options);

/// A security group as `fieldwatch groups set` takes it, which allows the profile's networks and programs and
/// nothing else (docs/formats/security-groups.md): drift from the profile is then an alert. Errors:
/// Unsupported when the class talks to anybody, so that a list of networks would allow everything.
Result<std::string> allow_list_file(const Profile& profile);

}  // namespace fieldwatch::detect
