#pragma once

#include <mutex>

#include "app/workspaces.hpp"
#include "base/periodic.hpp"
#include "journal/journal.hpp"

namespace fieldwatch::app {

/// Sealing, merging and retention of journal and workspaces: once a minute, on a thread of its own.
class Maintenance {
  public:
    Maintenance(journal::Journal& journal, Workspaces& workspaces);
    /// As long as it is held nothing is sealed, merged or deleted.
    std::unique_lock<std::mutex> pause() { return std::unique_lock(work_mutex_); }

  private:
    void work();

    journal::Journal& journal_;
    Workspaces& workspaces_;
    std::mutex work_mutex_;
    Periodic minutes_;
};

}  // namespace fieldwatch::app
