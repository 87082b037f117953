#include "agent/provisioning/ask_schedule.hpp"

#include <algorithm>

namespace fieldwatch::agent {

namespace {

constexpr std::int64_t kAskSecond = 1'000'000'000;
constexpr std::int64_t kFirstAskMost = 5 * kAskSecond;
constexpr std::int64_t kAskWaitLeast = kAskSecond;
constexpr std::int64_t kAskWaitMost = 600 * kAskSecond;
constexpr std::chrono::seconds kAskRetryAfterMost{3'600};

}  // namespace

void AskSchedule::no_hub(std::int64_t now_ns) {
    lost_ = kLostMost;
    hub_lost(true, now_ns);
}

void AskSchedule::hub_lost(bool refused, std::int64_t now_ns) {
    if (lost_ < kLostMost) ++lost_;
    if (due_ns_ != INT64_MAX || (!refused && lost_ < kLostMost)) return;
    const auto jitter = static_cast<std::int64_t>(random_.below(kFirstAskMost));
    due_ns_ = std::max(not_before_ns_, now_ns + jitter);
}

void AskSchedule::hub_serves() {
    lost_ = 0;
    asks_ = 0;
    due_ns_ = INT64_MAX;
}

void AskSchedule::leave_alone(std::chrono::seconds retry_after, std::int64_t now_ns) {
    const auto ceiling = std::min(kAskWaitMost, 8 * kAskSecond << std::min(asks_, 7U));
    auto wait = kAskWaitLeast + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(ceiling)));
    if (retry_after > std::chrono::seconds(0)) {
        const auto asked = std::min(retry_after, kAskRetryAfterMost).count() * kAskSecond;
        wait = std::max(wait, asked + static_cast<std::int64_t>(
                                          random_.below(static_cast<std::uint64_t>(asked / 2 + 1))));
    }
    ++asks_;
    not_before_ns_ = now_ns + wait;
}

void AskSchedule::answered(std::int64_t now_ns) {
    leave_alone(std::chrono::seconds(0), now_ns);
    lost_ = 0;
    due_ns_ = INT64_MAX;
}

std::chrono::nanoseconds AskSchedule::failed(std::chrono::seconds retry_after, std::int64_t now_ns) {
    leave_alone(retry_after, now_ns);
    due_ns_ = not_before_ns_;
    return std::chrono::nanoseconds(due_ns_ - now_ns);
}

}  // namespace fieldwatch::agent
