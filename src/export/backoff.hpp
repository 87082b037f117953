// How long to leave a receiver alone that did not answer.
#pragma once

#include <chrono>

#include "base/random.hpp"

namespace fieldwatch::exports {

/// Doubles from one second to five minutes; half of each span is chance, so that destinations that failed
/// together do not come back together. One strand.
class Backoff {
  public:
    static constexpr std::chrono::milliseconds kFirst{1'000}, kMost{300'000};

    explicit Backoff(Random& random) : random_(random) {}

    std::chrono::milliseconds next();
    void reset() { span_ = kFirst; }

  private:
    Random& random_;
    std::chrono::milliseconds span_ = kFirst;
};

}  // namespace fieldwatch::exports
