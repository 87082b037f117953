// The connectors of all hubs: what each is attached to, kept in the registry, with a thread that reads it.
// docs/connectors.md.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system.hpp"
#include "base/metrics.hpp"
#include "base/periodic.hpp"
#include "base/random.hpp"
#include "hub/connector/intake.hpp"
#include "hub/connector/settings.hpp"
#include "hub/operation.hpp"
#include "journal/journal.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::hub {

struct ConnectorParts {
    registry::Registry& registry;
    journal::Writer& journal;
    std::uint32_t partition_count;
    FileSystem& files;
    const Clock& clock;
    Random& random;
    Metrics& metrics;
    std::string directory;  ///< of places: DIRECTORY/HUB/NAME.json
};

enum class ConnectorState : std::uint8_t { Off, Connecting, Reading, Failing };
std::string_view to_string(ConnectorState state);

struct ConnectorStatus {
    ConnectorState state = ConnectorState::Connecting;
    std::string problem;  ///< of the last attempt; "" = none
    Timestamp since;      ///< of the state
    std::optional<Timestamp> next_try;
    IntakeCounts counts;  ///< since the server's start, or the last change
};

class ConnectorRunner;

/// Any thread. Bound: kConnectorsMax of a server, a thread each.
class Connectors {
  public:
    static constexpr std::size_t kConnectorsMax = 16;

    struct Shown {
        ConnectorSettings settings;
        ConnectorStatus status;
    };

    explicit Connectors(ConnectorParts parts);
    ~Connectors();  ///< stop()

    void start();
    /// Ends what is being read; places are kept. Before the journal closes.
    void stop();

    Result<std::vector<Shown>> list(const model::HubName& hub) const;             ///< by name
    Result<Shown> get(const model::HubName& hub, const std::string& name) const;  ///< Errors: NotFound
    /// Makes or replaces one. What is secret and not given stays, for the same peer. True: it is new.
    /// Errors: InvalidArgument, NotFound (the hub), Exhausted.
    Result<bool> put(const model::HubName& hub, const std::string& name, std::string_view json);
    Result<void> remove(const model::HubName& hub, const std::string& name);  ///< Errors: NotFound

    /// Diagnostic records from outside, on disk when it returns. Errors: NotFound (the hub), of the log.
    Result<ImportReport> import(const model::HubName& hub, std::string_view text);

  private:
    struct Wanted {
        ImportTarget target;
        std::string name, as_text;  ///< all of it: another text, another runner
        ConnectorSettings settings;
    };
    using Key = std::string;  ///< HUB/NAME

    void look();
    /// What the registry says becomes what runs. False: it cannot be read.
    bool refresh();
    Result<std::map<Key, Wanted>> wanted() const;
    void start_one(const Key& key, Wanted wanted);
    ConnectorStatus status_of(const Key& key, const ConnectorSettings& settings) const;

    const ConnectorParts parts_;
    OperationLog log_;
    std::optional<std::uint64_t> seen_;  ///< the registry's change count, the thread's
    std::mutex change_mutex_;            ///< one change after the other
    mutable std::mutex mutex_;
    std::map<Key, std::unique_ptr<ConnectorRunner>> running_;
    Periodic looking_;
};

}  // namespace fieldwatch::hub
