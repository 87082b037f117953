// What one value of an indicator file is. Internal to intel.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "detect/intel/indicator.hpp"

namespace fieldwatch::detect {

std::string lower(std::string_view text);

/// Addresses, ranges, `address:port` (the port is no part of the match), URLs with or without scheme, domains
/// (`*.` and `||…^` taken off), URL paths, SHA-256, SHA-1, MD5. Nullopt for everything else.
std::optional<Indicator> classify_value(std::string_view value);

std::optional<Timestamp> parse_indicator_time(
    std::string_view text);  ///< ISO 8601 with or without time, Unix seconds
/// 0 to 100, or low, medium, high.
std::optional<int> parse_confidence(std::string_view text);

}  // namespace fieldwatch::detect
