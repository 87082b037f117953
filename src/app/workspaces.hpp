// The workspaces of all hubs, and which of them a hub's rows go to.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "app/server_config.hpp"
#include "base/metrics.hpp"
#include "export/exporter.hpp"
#include "pipeline/pipeline.hpp"
#include "registry/registry.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::app {

/// Each is opened when first asked for. Any thread.
class Workspaces {
  public:
    Workspaces(const ServerConfig& config, registry::Registry& registry, Metrics& metrics)
        : config_(config), registry_(registry), metrics_(metrics) {}

    /// What links in rows begin with. Before any workspace is opened.
    void set_page_url(std::string url) { page_url_ = std::move(url); }

    Result<workspace::Workspace*> by_id(std::string_view id);
    /// Null for an id that no hub has: nobody makes a workspace by asking for one.
    workspace::Workspace* existing(std::string_view id);
    /// Where the rows of a hub go; null for a hub that is not there, or whose Security is off.
    pipeline::Route route(std::string_view hub_name);
    std::vector<pipeline::Route> routes();
    /// Those that are open.
    std::vector<exports::Source> all();
    /// What the files of one take on disk; files that go meanwhile do not count.
    std::uint64_t bytes(std::string_view id) const;

  private:
    std::string directory_of(std::string_view id) const;
    /// The retention that people set over what the server was started with.
    Result<void> keep_as_set(workspace::Workspace& workspace, std::string_view id) const;

    const ServerConfig& config_;
    registry::Registry& registry_;
    Metrics& metrics_;
    std::string page_url_;
    std::mutex mutex_;
    std::map<std::string, std::unique_ptr<workspace::Workspace>, std::less<>> open_;

    std::mutex routes_mutex_;
    std::uint64_t routes_from_ = 0;  ///< the registry's change count that routes_ was read at
    std::map<std::string, pipeline::Route, std::less<>> routes_;
};

}  // namespace fieldwatch::app
