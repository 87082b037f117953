#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/time.hpp"

namespace fieldwatch {

/// A thread that does something again and again, with a pause between, until it is told to stop.
class Periodic {
  public:
    Periodic() = default;
    ~Periodic() { stop(); }
    Periodic(const Periodic&) = delete;
    Periodic& operator=(const Periodic&) = delete;

    /// Once. `first` passes before the first time: 0 is at once.
    void start(Ticks first, Ticks pause, std::function<void()> work);
    /// Waits until work that is being done is done; there is none after it. Any number of times, from any
    /// other thread.
    void stop();

  private:
    void run(Ticks first, Ticks pause, const std::function<void()>& work);

    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::mutex joining_;
    std::thread thread_;
};

}  // namespace fieldwatch
