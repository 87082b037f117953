// The HTTP APIs and the page, over the registry, the workspaces and the hub's sessions: docs/api.md. Handlers
// block (queries do) and run on the HTTP server's workers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "model/finding.hpp"
#include "net/http.hpp"
#include "portal/advisories.hpp"
#include "portal/backups.hpp"
#include "portal/devices.hpp"
#include "portal/indicators.hpp"
#include "portal/notifier.hpp"
#include "registry/accounts.hpp"
#include "registry/registry.hpp"
#include "workspace/upkeep.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::hub {
class Connectors;  // hub/connector/connectors.hpp
class Routes;      // hub/routing/routes.hpp
}  // namespace fieldwatch::hub

namespace fieldwatch::exports {
class Exporter;  // export/exporter.hpp
}
namespace fieldwatch::feed {
class Feeds;    // feed/feeds.hpp
class Bundles;  // feed/bundles.hpp
}  // namespace fieldwatch::feed

namespace fieldwatch::portal {

class Rules;           // portal/rules.hpp
class ScheduledRules;  // portal/scheduled_rules.hpp

/// Setting of the registry that holds the tuning document (spec/alerts.md section 6).
inline constexpr std::string_view kDetectionSettings = "detection.settings";

/// How far the pipeline is: data health of the overview, readiness.
struct PipelineProgress {
    struct Partition {
        std::uint32_t partition = 0;
        std::uint64_t journal_end = 0;  ///< one past the newest durable record
        std::uint64_t committed = 0;    ///< one past the newest record whose rows are visible
        std::uint64_t checkpoint = 0;   ///< a restart would replay from here
        bool healthy = true;            ///< false while its shard waits to try again after an error
    };
    std::vector<Partition> partitions;
    std::uint64_t dead_letters = 0;  ///< since start
    std::uint64_t refused = 0;       ///< messages the hub refused, since start
    bool ready = false;              ///< caught up with what lay in the journal at start
};

/// What a purge changed, or would change.
struct PurgeReport {
    std::map<std::string, std::uint64_t> rows;  ///< by table
    std::uint64_t sealed_files = 0;             ///< written anew
    std::uint64_t log_records = 0;              ///< replaced in the log
};

/// Everything outlives the portal.
struct Parts {
    registry::Registry& registry;
    registry::Accounts& accounts;
    std::function<workspace::Workspace*(std::string_view id)> workspace;  ///< null = no such workspace
    DeviceLink& devices;
    Metrics& metrics;
    const Clock& clock;
    Random& random;
    std::function<PipelineProgress()> progress;
    /// The newest messages of a hub that did not conform, newest first.
    std::function<std::vector<model::DeadLetter>(std::string_view hub, std::size_t count_max)> dead_letters =
        [](std::string_view, std::size_t) { return std::vector<model::DeadLetter>{}; };
    /// What the files of a workspace take on disk.
    std::function<std::uint64_t(std::string_view id)> workspace_bytes = [](std::string_view) { return 0; };
    /// What detection runs on was changed in the registry: groups, settings. Returns at once.
    std::function<void()> content_changed = [] {};
    /// The provisioning service behind a path like /enrollments/{id}; "" is what it is itself.
    std::function<net::HttpResponse(const net::HttpRequest&, std::string_view path)> provisioning = nullptr;
    IndicatorFiles* indicators = nullptr;   ///< null where there are none
    feed::Feeds* feeds = nullptr;           ///< null where no feed is pulled
    feed::Bundles* bundles = nullptr;       ///< null where there are none
    const HuntHealth* hunt = nullptr;       ///< null where history is not asked
    AdvisoryFiles* advisories = nullptr;    ///< null where there are none
    Rules* rules = nullptr;                 ///< null where there are none
    ScheduledRules* scheduled = nullptr;    ///< null where no query runs by itself
    const hub::Routes* routes = nullptr;    ///< null where there are none
    hub::Connectors* connectors = nullptr;  ///< null where the server is attached to nothing
    /// Takes personal data out of workspaces and log; "" as hub is all of them.
    std::function<Result<PurgeReport>(const workspace::Purge&)> purge = nullptr;
    Backups* backups = nullptr;             ///< null where there are none
    exports::Exporter* exporter = nullptr;  ///< null where nothing leaves
    std::string version;                    ///< of the product
    Timestamp started;                      ///< of the server
    std::string host_name;                  ///< for connection strings of hubs that name none
};

class Portal {
  public:
    static Result<std::unique_ptr<Portal>> create(Parts parts);
    ~Portal();

    /// For net::HttpServer; the portal outlives the server.
    net::HttpHandler handler();
    /// To be told after each workspace commit.
    Notifier& notifier();

  private:
    class Impl;
    explicit Portal(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwatch::portal
