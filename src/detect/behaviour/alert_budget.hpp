// How much the models of behaviour may say: an alert a week and device, one alert for what goes on, and no
// learning while it is open. spec/detection.md section 4, 5c; docs/decisions/0033, 0170.
#pragma once

#include <chrono>

#include "base/time.hpp"

namespace fieldwatch::detect {

/// Findings of one cause that come within it of each other are one alert.
inline constexpr Ticks kAlertMerge = std::chrono::hours(6);
/// Whoever has an open alert learns nothing for so long: somebody should have looked by then.
inline constexpr Ticks kFrozenMost = std::chrono::hours(24);

/// The newest alert that the models raised about a device.
struct LastAlert {
    static constexpr Ticks kBudgetTime = std::chrono::hours(168);
    static constexpr double kStranger = 1.25;

    Timestamp at;  ///< 0: none
    double score = 0;

    /// Whether the week's alert has been spent: only what is a quarter stranger is told then.
    bool spends_budget(Timestamp now, double newer) const {
        return at.ticks > 0 && now - at < kBudgetTime && newer < kStranger * score;
    }
    /// Whether the device learns nothing, provided that the alert is open.
    bool freezes(Timestamp now) const { return at.ticks > 0 && now - at < kFrozenMost; }
};

}  // namespace fieldwatch::detect
