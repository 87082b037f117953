#include "app/maintenance.hpp"

#include <chrono>

#include "base/log.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::app {

namespace {

constexpr std::chrono::minutes kMaintenanceTurn{1};

}  // namespace

Maintenance::Maintenance(journal::Journal& journal, Workspaces& workspaces)
    : journal_(journal), workspaces_(workspaces) {
    minutes_.start(kMaintenanceTurn, kMaintenanceTurn, [this] { work(); });
}

void Maintenance::work() {
    const std::lock_guard working(work_mutex_);
    if (const auto done = journal_.enforce_retention(); !done) log::error("journal", done.error().message);
    for (const auto& one : workspaces_.all()) {
        if (const auto done = one.workspace->maintain(); !done) log::error("workspace", done.error().message);
    }
}

}  // namespace fieldwatch::app
