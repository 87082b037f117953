#include "export/backoff.hpp"

#include <algorithm>

namespace fieldwatch::exports {

std::chrono::milliseconds Backoff::next() {
    const auto half = span_ / 2;
    const auto chance = random_.below(static_cast<std::uint64_t>(half.count()) + 1);
    span_ = std::min(span_ * 2, kMost);
    return half + std::chrono::milliseconds(chance);
}

}  // namespace fieldwatch::exports
