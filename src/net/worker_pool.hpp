// Threads for work that blocks (queries, the registry), away from the threads that move bytes.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace fieldwatch::net {

/// Any thread may submit. Jobs already queued still run when the pool stops.
class WorkerPool {
  public:
    using Job = std::move_only_function<void()>;

    /// `queue_max` is what may wait; past it submit() refuses, and the caller tells its peer to come back.
    WorkerPool(unsigned threads, std::size_t queue_max);
    ~WorkerPool();

    bool submit(Job job);
    void stop();  ///< runs what is queued, joins; idempotent

  private:
    void run();

    const std::size_t queue_max_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Job> jobs_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace fieldwatch::net
