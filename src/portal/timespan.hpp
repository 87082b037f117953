// The query API's timespan: ISO 8601 duration, `start/end`, `start/duration` or `duration/end`.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwatch::portal {

struct Timespan {
    Timestamp from, to;
};
/// Errors: InvalidArgument, saying the forms that are allowed.
Result<Timespan> parse_timespan(std::string_view text, Timestamp now);

}  // namespace fieldwatch::portal
