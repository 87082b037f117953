// Where time comes from. Only base reads the machine's clocks; everything else is handed a Clock.
#pragma once

#include <atomic>
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

/// A clock that stands still until it is told. One strand moves it, any may read it.
class ManualClock final : public Clock {
  public:
    explicit ManualClock(Timestamp start) : now_(start.ticks) {}
    Timestamp now() const override { return {now_.load(std::memory_order_acquire)}; }
    std::chrono::nanoseconds monotonic() const override {
        return std::chrono::nanoseconds{monotonic_.load(std::memory_order_acquire)};
    }
    void advance(Ticks step) {
        now_.fetch_add(step.count(), std::memory_order_acq_rel);
        monotonic_.fetch_add(std::chrono::duration_cast<std::chrono::nanoseconds>(step).count(),
                             std::memory_order_acq_rel);
    }
    void set(Timestamp now) { now_.store(now.ticks, std::memory_order_release); }

  private:
    std::atomic<std::int64_t> now_;           ///< ticks
    std::atomic<std::int64_t> monotonic_{0};  ///< nanoseconds
};

}  // namespace fieldwatch
