// When a device asks its provisioning service again: its hub refuses it, or has not been reached for some
// tries.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/random.hpp"

namespace fieldwatch::agent {

/// Times are monotonic nanoseconds. A fleet whose hub is gone does not ask at once and not all together: five
/// seconds by chance before the first time, and full jitter up to 8 s, 16 s, … ten minutes between later
/// ones, but never before the time that the service asked for is over.
class AskSchedule {
  public:
    static constexpr unsigned kLostMost = 5;  ///< tries of the hub's own back-off: some fifteen seconds

    explicit AskSchedule(Random& random) : random_(random) {}

    void no_hub(std::int64_t now_ns);  ///< none was ever assigned
    /// The hub could not be reached, or, `refused`, knows us no more.
    void hub_lost(bool refused, std::int64_t now_ns);
    void hub_serves();  ///< nothing needs to be asked
    /// The service has answered: the hub it names gets its own tries.
    void answered(std::int64_t now_ns);
    /// It did not, or not with a hub. How long it is left alone now.
    std::chrono::nanoseconds failed(std::chrono::seconds retry_after, std::int64_t now_ns);

    std::int64_t due_ns() const { return due_ns_; }  ///< INT64_MAX: it is not to be asked

  private:
    void leave_alone(std::chrono::seconds retry_after, std::int64_t now_ns);

    Random& random_;
    unsigned lost_ = 0;  // in a row
    unsigned asks_ = 0;  // since the hub last served
    std::int64_t not_before_ns_ = 0;
    std::int64_t due_ns_ = INT64_MAX;
};

}  // namespace fieldwatch::agent
