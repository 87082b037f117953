// Events as an application or a person writes them, one JSON object a line, checked and completed into events
// of the published schema: what fieldwatch-send reads.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/result.hpp"

namespace fieldwatch::agent {

inline constexpr std::size_t kInputLineBytesMax = 1u << 20;

/// The events of one line, each encoded. A line is a whole message (`Events`), or one event: `Name` and
/// `Payload` (one object or a list); Id and timestamps are made where they are missing, numbers and booleans
/// in ExtraDetails become texts. Errors: Malformed (no JSON), InvalidArgument (names event, payload and
/// member), TooLarge.
Result<std::vector<std::string>> read_events(std::string_view line, const Clock& clock, Random& random);

}  // namespace fieldwatch::agent
