// Threads that share the work of queries, and of nothing else. The engine's own threads would also take the
// tasks of commits: each of a commit's small statements then waits, spinning, for another thread to be given
// a core, which on a busy machine was most of what a commit cost. So the engine has none of its own (its
// setting external_threads), a commit runs in its caller alone, and these help while a query runs.
#pragma once

#include <duckdb.h>

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

namespace fieldwatch::workspace {

/// Any thread. Goes before its database; no Help may outlive it.
class QueryHelpers {
  public:
    QueryHelpers(duckdb_database database, unsigned count);
    ~QueryHelpers();

    /// While one lives, the threads take the engine's tasks.
    class Help {
      public:
        explicit Help(QueryHelpers& owner) : owner_(owner) { owner_.enter(); }
        ~Help() { owner_.leave(); }
        Help(const Help&) = delete;
        Help& operator=(const Help&) = delete;

      private:
        QueryHelpers& owner_;
    };

  private:
    void enter();
    void leave();
    void run(const std::stop_token& stop);

    duckdb_database database_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::size_t queries_ = 0;            // guarded by mutex_
    std::vector<std::jthread> threads_;  // last: they start when the rest is there
};

}  // namespace fieldwatch::workspace
