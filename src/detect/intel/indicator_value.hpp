// What one value of an indicator file is. Internal to intel.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "detect/intel/indicator.hpp"

namespace fieldwatch::detect {

std::string lower(std::string_view text);

/// Addresses, networks, `address:port` (the port is no part of the match), URLs with or without scheme,
/// domains
/// (`*.` and `||…^` taken off, in ASCII), URL paths, SHA-256, SHA-1, MD5; with what hides them undone
/// (refang.hpp). Nullopt for everything else, and for a network so wide that it would make everything a hit.
std::optional<Indicator> classify_value(std::string_view value);

/// Appends copies of `about` with what `value` is: one, or for a range of addresses the networks that hold
/// it. Addresses of nowhere (0.0.0.0, loopback) are counted as skipped; a URL path has confidence 40 at most.
/// False when it is nothing of this.
bool append_indicators(std::string_view value, const Indicator& about, IndicatorFile& out);

/// ISO 8601 with or without time, seconds and zone, `yyyy/mm/dd`, `yyyymmdd`; Unix seconds or milliseconds.
std::optional<Timestamp> parse_indicator_time(std::string_view text);
/// 0 to 100 with or without fraction and `%`, or none, low, medium, high, certain.
std::optional<int> parse_confidence(std::string_view text);

/// At most so many bytes, UTF-8 whatever came: what says something about an indicator ends in JSON.
std::string clean_text(std::string_view text, std::size_t bytes_max = 256);

}  // namespace fieldwatch::detect
