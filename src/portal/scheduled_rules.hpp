// Queries that run by themselves, as the portal sees them: what one would raise now, and how each fares.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "detect/scheduled/query_finding.hpp"
#include "detect/scheduled/scheduled_rule.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::portal {

/// Kind of the registry's documents that hold the rules.
inline constexpr std::string_view kScheduledRuleKind = "scheduled-rule";

/// What a rule finds in one window.
struct ScheduledTrial {
    Timestamp from, to;  ///< the newest whole window
    std::int64_t rows = 0;
    bool truncated = false;    ///< more rows than are looked at
    std::size_t left_out = 0;  ///< findings beyond the bound of one window
    std::vector<detect::QueryFinding> findings;
};

struct ScheduledHealth {
    std::optional<Timestamp> last_run;     ///< hub time of the last attempt
    std::optional<Timestamp> last_window;  ///< end of the newest window that was answered
    std::uint64_t runs = 0, findings = 0, failures = 0;
    std::int64_t last_rows = 0, last_ms = 0;
    std::string problem;  ///< why it is unhealthy: what the last attempt died of, or left out; "" = healthy
};

/// One attempt to ask one window.
struct ScheduledRun {
    Timestamp ran, window_end;
    std::int64_t rows = 0, ms = 0;
    std::uint64_t findings = 0;  ///< raised: not those that were suppressed, or known from before
    std::string problem;         ///< what it died of, or left out
};

/// Any thread; calls block while a query runs.
class ScheduledRules {
  public:
    virtual ~ScheduledRules() = default;

    /// Errors: InvalidArgument with the query's own error and its place; Unavailable without a workspace.
    virtual Result<ScheduledTrial> trial(const registry::Hub& hub, const detect::ScheduledRule& rule) = 0;
    virtual ScheduledHealth health(std::string_view hub, std::string_view rule) = 0;
    /// Newest first, since the server's start: the last hundred.
    virtual std::vector<ScheduledRun> runs(std::string_view hub, std::string_view rule) = 0;
    /// The registry holds other rules now: look.
    virtual void changed() = 0;
};

}  // namespace fieldwatch::portal
