// The routes of all hubs: an endpoint each with its runner, made anew when a hub's configuration changes.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "base/metrics.hpp"
#include "base/periodic.hpp"
#include "hub/operation.hpp"
#include "hub/routing/endpoint_runner.hpp"
#include "journal/journal.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::hub {

/// Kind of the registry's document of an endpoint's user and password: {"user","password"}.
inline constexpr std::string_view kEndpointSecret = "route-secret";

struct RouteParts {
    registry::Registry& registry;
    journal::Journal& journal;
    FileSystem& files;
    const Clock& clock;
    Metrics& metrics;
    std::string directory;  ///< of files: DIRECTORY/HUB/ENDPOINT/
    RunnerTimes times{};
};

/// Any thread. Bound: kRunnersMax endpoints of the server, a thread each; further ones are said to be
/// unhealthy.
class Routes {
  public:
    static constexpr std::size_t kRunnersMax = 64;

    explicit Routes(RouteParts parts);
    ~Routes();  ///< stop()

    void start();
    /// Ends deliveries that are under way and keeps every place. Before the journal closes.
    void stop();
    /// Of one hub's endpoints, by name.
    std::vector<EndpointStatus> status(const model::HubName& hub) const;

  private:
    struct Wanted {
        model::HubName hub;
        RouteEndpoint endpoint;
        std::shared_ptr<const Routing> routing;
        std::string signing_key;
        std::string user, password;  ///< of a stream of others
        std::string as_text;         ///< all of it: another text, another runner
    };
    struct Running {
        model::HubName hub;
        std::string as_text;
        EndpointStatus instead;  ///< while there is no runner: why
        std::unique_ptr<EndpointRunner> runner;
    };
    using Key = std::string;  ///< the consumer's name

    void look();
    /// Reads the hubs' configurations and makes what runs be what is wanted. False: the registry cannot be
    /// read.
    bool refresh();
    /// False: the hub's routes cannot be read.
    bool add_wanted(const registry::Hub& hub, std::map<Key, Wanted>& out) const;
    Result<void> add_secret(Wanted& wanted) const;
    void start_one(const Key& key, const Wanted& wanted);
    /// What an endpoint that cannot be opened has kept for longer than it may: nobody else lets it go.
    void let_go(const Key& key, const Wanted& wanted);
    Result<std::unique_ptr<RouteSink>> sink_of(const Wanted& wanted) const;
    void forget_strangers(const std::map<Key, Wanted>& wanted);

    const RouteParts parts_;
    OperationLog log_;
    RunnerCounters counters_;
    RouteTwins twins_;
    std::optional<std::uint64_t> seen_;  ///< the registry's change count, the thread's
    bool incomplete_ = false;            ///< an endpoint could not be opened: tried again
    unsigned turns_ = 0;                 ///< since the configurations were read last, the thread's
    mutable std::mutex mutex_;
    std::map<Key, Running> running_;
    Periodic looking_;
};

}  // namespace fieldwatch::hub
