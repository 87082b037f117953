// Where time comes from. Only base reads the machine's clocks; everything else is handed a Clock.
#pragma once

#include <chrono>

#include "base/time.hpp"

namespace fieldwatch {

class Clock {
  public:
    virtual ~Clock() = default;
    virtual Timestamp now() const = 0;                       ///< wall time, UTC; may jump
    virtual std::chrono::nanoseconds monotonic() const = 0;  ///< since some fixed point; never jumps
};

/// The machine's own clocks.
const Clock& system_clock();

/// A clock that stands still until it is told. One strand.
class ManualClock final : public Clock {
  public:
    explicit ManualClock(Timestamp start) : now_(start) {}
    Timestamp now() const override { return now_; }
    std::chrono::nanoseconds monotonic() const override { return monotonic_; }
    void advance(Ticks step) {
        now_ = now_ + step;
        monotonic_ += std::chrono::duration_cast<std::chrono::nanoseconds>(step);
    }
    void set(Timestamp now) { now_ = now; }

  private:
    Timestamp now_;
    std::chrono::nanoseconds monotonic_{0};
};

}  // namespace fieldwatch
