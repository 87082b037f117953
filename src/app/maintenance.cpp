#include "app/maintenance.hpp"

#include <chrono>

#include "base/log.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::app {

Maintenance::Maintenance(journal::Journal& journal, Workspaces& workspaces)
    : journal_(journal), workspaces_(workspaces) {
    thread_ = std::thread([this] { run(); });
}

Maintenance::~Maintenance() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void Maintenance::run() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, std::chrono::seconds(60), [this] { return stopping_; })) {
        lock.unlock();
        std::unique_lock work(work_mutex_);
        if (const auto done = journal_.enforce_retention(); !done)
            log::error("journal", done.error().message);
        for (const auto& one : workspaces_.all()) {
            if (const auto done = one.workspace->maintain(); !done)
                log::error("workspace", done.error().message);
        }
        work.unlock();
        lock.lock();
    }
}

}  // namespace fieldwatch::app
