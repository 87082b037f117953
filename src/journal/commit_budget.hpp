// What all partitions of a journal share on the writing side: the bound of what waits for a commit, and
// whether the disk still takes anything.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <vector>

#include "base/result.hpp"

namespace fieldwatch::journal {

/// Any thread.
class CommitBudget {
  public:
    explicit CommitBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    /// Errors: Exhausted (full, or the disk is low), Io after stop().
    Result<void> take(std::size_t bytes);
    void give_back(std::size_t bytes);
    /// Calls back once when at least a quarter is free: at once, on this thread, if that is so now.
    void on_space(std::move_only_function<void()> callback);

    /// A commit failed: what the disk holds is no longer known, so nothing more is taken until a restart.
    void stop(const Error& reason);
    bool stopped() const { return stopped_.load(std::memory_order_acquire); }
    void set_disk_low(bool low) { disk_low_.store(low, std::memory_order_relaxed); }

  private:
    bool has_space() const { return used_.load() <= bytes_max_ - bytes_max_ / 4; }

    const std::size_t bytes_max_;
    std::atomic<std::size_t> used_{0};
    std::atomic<bool> stopped_{false};
    std::atomic<bool> disk_low_{false};
    std::atomic<bool> waited_for_{false};
    std::mutex mutex_;
    std::vector<std::move_only_function<void()>> waiting_;
    std::string reason_;
};

}  // namespace fieldwatch::journal
