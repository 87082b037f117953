// Addresses as lists write them besides `address/length`: ranges, netmasks, zeros in front. Internal to
// intel.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fieldwatch::detect {

/// `a-b` or `a - b`, IPv4, both ends included, as the fewest networks that hold it and nothing else (at most
/// 62); `a/255.255.255.0` as `a/24`; `010.000.002.003` as `10.0.2.3`. Empty for everything else, for a range
/// whose end comes first, and for a mask with holes.
std::vector<std::string> address_range(std::string_view text);

}  // namespace fieldwatch::detect
