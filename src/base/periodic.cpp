#include "base/periodic.hpp"

#include <utility>

namespace fieldwatch {

void Periodic::start(Ticks first, Ticks pause, std::function<void()> work) {
    const std::lock_guard joining(joining_);
    thread_ = std::thread([this, first, pause, work = std::move(work)] { run(first, pause, work); });
}

void Periodic::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    const std::lock_guard joining(joining_);
    if (thread_.joinable()) thread_.join();
}

void Periodic::run(Ticks first, Ticks pause, const std::function<void()>& work) {
    std::unique_lock lock(mutex_);
    for (auto wait = first; !wake_.wait_for(lock, wait, [this] { return stopping_; }); wait = pause) {
        lock.unlock();
        work();
        lock.lock();
    }
}

}  // namespace fieldwatch
