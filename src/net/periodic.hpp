// Something that is done every so often on one core: flushing counts, looking for what is overdue.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "net/runtime.hpp"

namespace fieldwatch::net {

/// Runs `work` on the core's thread each `interval`, first after one interval, until destroyed.
class Periodic {
  public:
    Periodic(Runtime& runtime, unsigned core, std::chrono::milliseconds interval, std::function<void()> work);
    ~Periodic();  ///< from outside the loops: waits for a run that is under way
    Periodic(const Periodic&) = delete;
    Periodic& operator=(const Periodic&) = delete;

  private:
    struct State;
    Runtime& runtime_;
    unsigned core_;
    std::shared_ptr<State> state_;
};

}  // namespace fieldwatch::net
