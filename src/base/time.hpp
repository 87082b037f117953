// Time as the whole system counts it: 100 ns ticks since 1970-01-01 UTC (KQL's resolution), and its text
// forms.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <ratio>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fieldwatch {

using Ticks = std::chrono::duration<std::int64_t, std::ratio<1, 10'000'000>>;  ///< 100 ns

/// A point in UTC. Not std::chrono's system_clock: its epoch and tick are fixed here, and there is no now().
struct Timestamp {
    std::int64_t ticks = 0;  ///< 100 ns since 1970-01-01T00:00:00Z, may be negative

    static constexpr Timestamp from_unix_seconds(std::int64_t seconds) { return {seconds * 10'000'000}; }
    static constexpr Timestamp from_unix_millis(std::int64_t millis) { return {millis * 10'000}; }
    constexpr std::int64_t unix_seconds() const {
        return ticks >= 0 ? ticks / 10'000'000 : -((9'999'999 - ticks) / 10'000'000);
    }
    constexpr std::int64_t unix_millis() const {
        return ticks >= 0 ? ticks / 10'000 : -((9'999 - ticks) / 10'000);
    }

    friend constexpr auto operator<=>(Timestamp, Timestamp) = default;
    friend constexpr Timestamp operator+(Timestamp time, Ticks step) { return {time.ticks + step.count()}; }
    friend constexpr Timestamp operator-(Timestamp time, Ticks step) { return {time.ticks - step.count()}; }
    friend constexpr Ticks operator-(Timestamp left, Timestamp right) {
        return Ticks{left.ticks - right.ticks};
    }
};

inline constexpr Timestamp kTimestampMin{INT64_MIN};
inline constexpr Timestamp kTimestampMax{INT64_MAX};

/// `2026-11-22T21:04:52.1234567Z`; `digits` (0 to 7) after the point, cut, not rounded.
std::string to_iso8601(Timestamp time, int digits = 7);

struct ParsedTime {
    Timestamp time;  ///< in UTC, as the zone says; without zone taken as UTC
    bool has_zone = false;
    bool is_z = false;  ///< the zone was `Z` or `z`
    std::int32_t offset_minutes = 0;
};

/// `YYYY-MM-DD(T|t| )HH:MM:SS[.f{1,9}][Z|z|±HH:MM|±HHMM]`, spec/security-messages.md section 4; second 60
/// allowed. Errors: Malformed.
Result<ParsedTime> parse_iso8601(std::string_view text);

/// ISO 8601 duration `P[nY][nM][nW][nD][T[nH][nM][nS]]`, the last component may be fractional; year = 365
/// days, month = 30 days. Errors: Malformed.
Result<Ticks> parse_iso8601_duration(std::string_view text);
std::string to_iso8601_duration(Ticks duration);  ///< `P1DT2H3M4S`, largest first, `PT0S` for zero

}  // namespace fieldwatch
