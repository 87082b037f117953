// Hours of each day in which nothing leaves: "22:00-06:00", in UTC, or with the offset of the clock on the
// wall behind it, "22:00-06:00+01:00".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwatch::exports {

struct QuietHours {
    int from = 0, to = 0;  ///< minutes of the day, on that clock; `to` before `from` is over midnight
    int offset = 0;        ///< minutes that the clock is ahead of UTC

    /// Errors: InvalidArgument, saying the form.
    static Result<QuietHours> parse(std::string_view text);
    std::string text() const;
    /// When they end; nullopt outside of them.
    std::optional<Timestamp> end_of(Timestamp now) const;
};

}  // namespace fieldwatch::exports
