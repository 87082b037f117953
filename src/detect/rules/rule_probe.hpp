// What a rule costs: the time from where the matcher turns to it until it is decided, on the events that are
// measured. Reading a field is charged to the rule that first asks for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <utility>

#include "base/clock.hpp"

namespace fieldwatch::detect {

/// One strand. `clock` outlives it; its times decide nothing.
class RuleProbe {
  public:
    using Time = std::chrono::nanoseconds;

    explicit RuleProbe(const Clock& clock) : clock_(clock) {}
    Time now() const { return clock_.monotonic() - left_out_; }
    void leave_out(Time spent) { left_out_ += spent; }
    void add(std::uint32_t rule, Time spent) { spent_[rule] += spent; }
    /// By rule, since the last take.
    std::map<std::uint32_t, Time> take() { return std::exchange(spent_, {}); }

  private:
    const Clock& clock_;
    Time left_out_{0};
    std::map<std::uint32_t, Time> spent_;
};

/// What lasts as long as this is charged to nobody: it is done once in a server's life, whoever asks first.
class ProbePause {
  public:
    explicit ProbePause(RuleProbe* probe) : probe_(probe) {
        if (probe_ != nullptr) since_ = probe_->now();
    }
    ~ProbePause() {
        if (probe_ != nullptr) probe_->leave_out(probe_->now() - since_);
    }
    ProbePause(const ProbePause&) = delete;
    ProbePause& operator=(const ProbePause&) = delete;

  private:
    RuleProbe* probe_;
    RuleProbe::Time since_{0};
};

/// Charges its lifetime to a rule; without a probe it is nothing.
class ProbeScope {
  public:
    ProbeScope(RuleProbe* probe, std::uint32_t rule) : probe_(probe), rule_(rule) {
        if (probe_ != nullptr) since_ = probe_->now();
    }
    ~ProbeScope() {
        if (probe_ != nullptr) probe_->add(rule_, probe_->now() - since_);
    }
    ProbeScope(const ProbeScope&) = delete;
    ProbeScope& operator=(const ProbeScope&) = delete;

  private:
    RuleProbe* probe_;
    std::uint32_t rule_;
    RuleProbe::Time since_{0};
};

}  // namespace fieldwatch::detect
