#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "app/workspaces.hpp"
#include "journal/journal.hpp"

namespace fieldwatch::app {

/// Sealing, merging and retention of journal and workspaces: once a minute, on a thread of its own.
class Maintenance {
  public:
    Maintenance(journal::Journal& journal, Workspaces& workspaces);
    ~Maintenance();
    /// As long as it is held nothing is sealed, merged or deleted.
    std::unique_lock<std::mutex> pause() { return std::unique_lock(work_mutex_); }

  private:
    void run();

    journal::Journal& journal_;
    Workspaces& workspaces_;
    std::mutex work_mutex_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace fieldwatch::app
