#include "workspace/duckdb/watchdog.hpp"

#include <algorithm>

namespace fieldwatch::workspace {
namespace {

/// A statement that was interrupted between two of the engine's checks may miss it: ask again.
constexpr std::chrono::nanoseconds kRepeat = std::chrono::milliseconds(20);

}  // namespace

Watchdog::Watchdog(const Clock& clock)
    : clock_(clock), thread_([this](const std::stop_token& stop) { run(stop); }) {}
Watchdog::~Watchdog() = default;  // jthread asks to stop, and joins

Watchdog::Watch::Watch(Watchdog& owner, Connection& connection, std::chrono::milliseconds timeout)
    : owner_(owner), connection_(connection), deadline_(owner.clock_.monotonic() + timeout) {
    {
        const std::scoped_lock lock(owner_.mutex_);
        owner_.watches_.push_back(this);
    }
    owner_.changed_.notify_one();
}
Watchdog::Watch::~Watch() {
    const std::scoped_lock lock(owner_.mutex_);
    owner_.watches_.remove(this);
}
bool Watchdog::Watch::expired() const {
    const std::scoped_lock lock(owner_.mutex_);
    return expired_;
}

void Watchdog::run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        auto wait = std::chrono::nanoseconds(std::chrono::hours(1));
        const auto now = clock_.monotonic();
        for (auto* watch : watches_) {
            if (watch->deadline_ <= now) {
                watch->expired_ = true;
                watch->connection_.interrupt();
                wait = std::min(wait, kRepeat);
            } else {
                wait = std::min(wait, watch->deadline_ - now);
            }
        }
        changed_.wait_for(lock, stop, wait, [this, before = watches_.size()] {
            return watches_.size() > before;  // a new one may be due sooner
        });
    }
}

}  // namespace fieldwatch::workspace
