#include "app/workspaces.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "workspace/upkeep.hpp"

namespace fieldwatch::app {

namespace {
constexpr std::size_t kRoutesMax = 1'024;  // names that records may carry; hubs are far fewer
}

Result<workspace::Workspace*> Workspaces::by_id(std::string_view id) {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(id);
    if (found != open_.end()) return found->second.get();
    auto opened = FIELDWATCH_TRY(workspace::open({.directory = directory_of(id),
                                                  .id = std::string(id),
                                                  .partition_count = config_.partition_count,
                                                  .raw_retention = config_.raw_retention,
                                                  .alert_retention = config_.alert_retention,
                                                  .memory_bytes_max = config_.workspace_memory_bytes_max,
                                                  .portal_url = page_url_},
                                                 system_clock(), metrics_));
    // What is set may be unreadable after a step back to an older version: then the configured days hold.
    if (const auto kept = keep_as_set(*opened, id); !kept)
        log::error("workspace", "retention: " + kept.error().message);
    return open_.emplace(id, std::move(opened)).first->second.get();
}

Result<void> Workspaces::keep_as_set(workspace::Workspace& workspace, std::string_view id) const {
    const auto text = FIELDWATCH_TRY(registry_.setting(workspace::retention_setting(id)));
    if (!text) return {};
    const auto days = FIELDWATCH_TRY(workspace::parse_retention(*text));
    FIELDWATCH_TRY(workspace::upkeep_of(workspace))->keep(days);
    return {};
}

workspace::Workspace* Workspaces::existing(std::string_view id) {
    const auto hubs = registry_.hubs();
    if (!hubs) return nullptr;
    for (const auto& hub : *hubs) {
        if (hub.workspace != id) continue;
        const auto opened = by_id(id);
        if (!opened) log::error("workspace", opened.error().message);
        return opened ? *opened : nullptr;
    }
    return nullptr;
}

pipeline::Route Workspaces::route(std::string_view hub_name) {
    const std::lock_guard lock(routes_mutex_);
    if (const auto changes = registry_.change_count(); changes != routes_from_) {
        routes_.clear();
        routes_from_ = changes;
    }
    const auto known = routes_.find(hub_name);
    if (known != routes_.end()) return known->second;
    pipeline::Route route;
    if (const auto hub = registry_.hub(model::HubName{std::string(hub_name)}); hub && hub->security_enabled) {
        const auto opened = by_id(hub->workspace);
        if (opened)
            route = {
                .workspace = *opened, .workspace_id = hub->workspace, .store_raw = hub->store_raw_events};
        if (!opened) log::error("workspace", opened.error().message);
    }
    if (routes_.size() >= kRoutesMax) routes_.clear();
    return routes_.emplace(hub_name, route).first->second;
}

std::vector<pipeline::Route> Workspaces::routes() {
    std::vector<pipeline::Route> out;
    for (const auto& hub : registry_.hubs().value_or(std::vector<registry::Hub>{})) {
        if (const auto found = route(hub.name.value); found.workspace != nullptr) out.push_back(found);
    }
    return out;
}

std::vector<exports::Source> Workspaces::all() {
    const std::lock_guard lock(mutex_);
    std::vector<exports::Source> out;
    for (const auto& [id, opened] : open_)
        out.push_back({id, opened.get()});
    return out;
}

std::uint64_t Workspaces::bytes(std::string_view id) const {
    std::uint64_t out = 0;
    std::error_code ignored;
    const auto directory = directory_of(id);
    for (auto file = std::filesystem::recursive_directory_iterator(directory, ignored);
         file != std::filesystem::recursive_directory_iterator(); file.increment(ignored)) {
        const auto size = file->file_size(ignored);
        if (!ignored) out += size;
    }
    return out;
}

std::string Workspaces::directory_of(std::string_view id) const {
    return fmt::format("{}/workspaces/{}", config_.data_directory, id);
}

}  // namespace fieldwatch::app
