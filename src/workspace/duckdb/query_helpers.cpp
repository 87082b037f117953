#include "workspace/duckdb/query_helpers.hpp"

#include <chrono>

namespace fieldwatch::workspace {
namespace {

/// How long a helper that finds no task waits before it looks again, while a query runs: short beside the
/// pieces of work there are (tens of milliseconds), long beside a look (under a microsecond).
constexpr std::chrono::microseconds kHelperPause{100};

}  // namespace

QueryHelpers::QueryHelpers(duckdb_database database, unsigned count) : database_(database) {
    for (unsigned i = 0; i < count; ++i)
        threads_.emplace_back([this](const std::stop_token& stop) { run(stop); });
}

QueryHelpers::~QueryHelpers() {
    for (auto& thread : threads_)
        thread.request_stop();
    threads_.clear();  // joins
}

void QueryHelpers::enter() {
    {
        const std::scoped_lock lock(mutex_);
        ++queries_;
    }
    changed_.notify_all();
}

void QueryHelpers::leave() {
    const std::scoped_lock lock(mutex_);
    --queries_;
}

void QueryHelpers::run(const std::stop_token& stop) {
    auto* const state = duckdb_create_task_state(database_);
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(mutex_);
            if (!changed_.wait(lock, stop, [this] { return queries_ > 0; })) break;
        }
        if (duckdb_execute_n_tasks_state(state, 1) == 0) std::this_thread::sleep_for(kHelperPause);
    }
    duckdb_destroy_task_state(state);
}

}  // namespace fieldwatch::workspace
