#include "base/clock.hpp"

#include <ctime>

namespace fieldwatch {

namespace {

std::timespec read(clockid_t id) {
    std::timespec time{};
    clock_gettime(id, &time);
    return time;
}

class SystemClock final : public Clock {
  public:
    Timestamp now() const override {
        const auto time = read(CLOCK_REALTIME);
        return {std::int64_t{time.tv_sec} * 10'000'000 + time.tv_nsec / 100};
    }
    std::chrono::nanoseconds monotonic() const override {
        const auto time = read(CLOCK_MONOTONIC);
        return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
    }
};

}  // namespace

const Clock& system_clock() {
    static const SystemClock clock;
    return clock;
}

}  // namespace fieldwatch
