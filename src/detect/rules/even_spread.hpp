// An aggregate says how many and from when to when, no more: so its hits lie evenly over that interval, for
// windows that stand still and for those that slide.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.hpp"

namespace fieldwatch::detect {

/// A tumbling window, aligned to 1970: [start, start + size).
std::int64_t window_start(std::int64_t ticks, Ticks size);

struct Share {
    std::int64_t start = 0;  ///< of the window, ticks
    std::int64_t amount = 0;
};
/// Spreads `amount` evenly over [from, to] into windows of `size`; integers by largest remainder, so that
/// they add up. An interval over more than kSharesMax windows counts at its end.
std::vector<Share> spread(std::int64_t amount, Timestamp from, Timestamp to, Ticks size);
inline constexpr std::int64_t kSharesMax =
    72 * 60;  ///< one-minute windows of the lateness that detection allows

/// Hits of an aggregate that count together.
struct Part {
    Timestamp time;  ///< the middle of its part of the interval
    std::int64_t amount = 0;
};
inline constexpr std::size_t kPartsMax = 256;
/// Spreads `amount` evenly over [from, to] for windows of `size` that end anywhere, both ends included: no
/// window sees more than its share, to a few in a hundred. Of an interval that is longer than kPartsMax
/// windows only the end counts.
std::vector<Part> spread_sliding(std::int64_t amount, Timestamp from, Timestamp to, Ticks size);

}  // namespace fieldwatch::detect
