// Profiles as Manufacturer Usage Descriptions (RFC 8520): the network's share of a profile in a form that
// switches and gateways read, and back, to compare what a device class does with what was reviewed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "detect/profile/profile.hpp"

namespace fieldwatch::detect {

inline constexpr std::size_t kMudBytesMax = 1u << 20;
inline constexpr std::size_t kMudEntriesMax = 4'096;

/// The file, indented JSON with a line's end. IPv4 and IPv6 have access lists of their own, each for both
/// directions; a name stands in both. `url` is where the file will lie. What is neither TCP nor UDP is
/// allowed by its protocol number. RFC 8520 sections 2 to 4, 7 and 8; RFC 8519.
std::string mud_file(const Profile& profile, std::string_view url);

/// The lines (Talk::line) that a file allows; of what stands there for both directions, one. Errors:
/// TooLarge, Malformed with the place.
Result<std::vector<std::string>> mud_lines(std::string_view json);

}  // namespace fieldwatch::detect
