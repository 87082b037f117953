#include "portal/timespan.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace fieldwatch::portal {
namespace {

std::unexpected<Error> refuse(std::string_view text) {
    return fail(
        Errc::InvalidArgument,
        fmt::format("\"timespan\" must be an ISO 8601 duration (P1D, PT4H) or an interval start/end or "
                    "start/duration; it is \"{}\"",
                    text.substr(0, 100)));
}

bool is_duration(std::string_view text) {
    return text.starts_with('P');
}

Timestamp before(Timestamp end, Ticks duration) {
    return end.ticks < kTimestampMin.ticks + duration.count() ? kTimestampMin : end - duration;
}

}  // namespace

Result<Timespan> parse_timespan(std::string_view text, Timestamp now) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) {
        const auto duration = parse_iso8601_duration(text);
        if (!duration) return refuse(text);
        return Timespan{before(now, *duration), now};
    }
    const auto left = text.substr(0, slash);
    const auto right = text.substr(slash + 1);
    if (is_duration(left)) {
        const auto duration = parse_iso8601_duration(left);
        const auto end = parse_iso8601(right);
        if (!duration || !end) return refuse(text);
        return Timespan{before(end->time, *duration), end->time};
    }
    const auto start = parse_iso8601(left);
    if (!start) return refuse(text);
    if (is_duration(right)) {
        const auto duration = parse_iso8601_duration(right);
        if (!duration ||
            duration->count() > kTimestampMax.ticks - std::max<std::int64_t>(start->time.ticks, 0)) {
            return refuse(text);
        }
        return Timespan{start->time, start->time + *duration};
    }
    const auto end = parse_iso8601(right);
    if (!end || end->time < start->time) return refuse(text);
    return Timespan{start->time, end->time};
}

}  // namespace fieldwatch::portal
