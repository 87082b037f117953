// A token bucket: so many a second on average, so many at once.
#pragma once

#include <algorithm>
#include <chrono>

namespace fieldwatch::hub {

/// One strand, or guarded. Times are monotonic.
class TokenBucket {
  public:
    TokenBucket(double per_second, double burst) : per_second_(per_second), burst_(burst), tokens_(burst) {}

    /// All of `amount` or nothing; more than the burst is never there.
    bool take(std::chrono::nanoseconds now, double amount = 1) {
        if (now > last_) {  // cores read the time before they come here: they may come out of order
            tokens_ =
                std::min(burst_, tokens_ + per_second_ * std::chrono::duration<double>(now - last_).count());
            last_ = now;
        }
        if (tokens_ < amount) return false;
        tokens_ -= amount;
        return true;
    }

  private:
    double per_second_, burst_, tokens_;
    std::chrono::nanoseconds last_{0};
};

}  // namespace fieldwatch::hub
