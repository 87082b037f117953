// Asks the stored rows of one workspace for what is an indicator now and was none before.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "detect/intel/hunt_finding.hpp"
#include "registry/registry.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::app {

struct HistoryHunt {
    workspace::Workspace& workspace;
    const std::vector<registry::Hub>& hubs;  ///< of this workspace, Security on
    const detect::IntelSnapshot* before;     ///< what was looked up in until now; null = nothing
    Timestamp before_at;                     ///< when that was last asked of history
    const detect::IntelSnapshot& now;
    Timestamp from, to;  ///< hub time of the rows: what comes later met the new indicators live
    std::function<bool()> stopped;

    static constexpr std::size_t kValuesMax = 200'000;  ///< different ones of one slice of time
    static constexpr std::size_t kHitsMax = 2'000;      ///< values: of more, the list is at fault

    struct Found {
        std::string hub;
        detect::HuntFinding finding;
    };
    struct Outcome {
        std::vector<Found> found;
        std::uint64_t values = 0;    ///< asked of
        std::uint64_t left_out = 0;  ///< slices with too many different values, and hits beyond the bound
    };
    /// Errors: what keeps the workspace from answering; Cancelled when stopped.
    Result<Outcome> run() const;
};

}  // namespace fieldwatch::app
