// What rules would have said of the past: the journal's history through the same ShardCore as live, once with
// the rules as they would be and once as they are (design section 3, "rules").
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "detect/engine.hpp"
#include "journal/journal.hpp"
#include "pipeline/rule_counts.hpp"

namespace fieldwatch::pipeline {

struct BacktestRequest {
    detect::ContentPtr candidate, against;
    Timestamp from, to;  ///< [from, to) of event time
    std::string hub;     ///< "" = every hub
};

/// Written by the run, read by whoever waits; any thread.
struct BacktestProgress {
    std::atomic<std::uint64_t> records{0};  ///< read so far
    std::atomic<std::uint64_t> of{0};       ///< to be read; 0 while that is not known
    std::atomic<bool> stop{false};          ///< asks the run to end: Cancelled
};

struct BacktestAlert {
    std::string hub, device;
    Timestamp time;
    std::string what;  ///< command line, address, or description
};
struct BacktestDevice {
    std::string hub, device;
    std::uint64_t alerts = 0;
};
/// What one rule said in the time asked for.
struct BacktestCount {
    std::uint64_t hits = 0, alerts = 0, devices = 0;
};
struct BacktestRule {
    static constexpr std::size_t kListMax = 20;

    std::string id, title;                     ///< of the candidate, else of what it is compared with
    std::optional<BacktestCount> now, before;  ///< none where there is no such rule
    std::optional<std::uint64_t> cost_ns;      ///< of an event on average, where some were measured
    std::vector<BacktestDevice> top_devices;   ///< of the candidate, most alerts first
    std::vector<BacktestAlert> gained, lost;   ///< alerts of the one that the other has not, oldest first
};
struct BacktestReport {
    Timestamp from, to;  ///< what of the time asked for the journal has
    std::uint64_t records = 0, events = 0;
    double seconds = 0;               ///< it took, both runs together
    std::vector<BacktestRule> rules;  ///< of either content, by id
    bool is_cut = false;              ///< kAlertsMax was met: gained and lost are of the first ones only

    double days() const;
};

inline constexpr std::size_t kBacktestAlertsMax = 200'000;  ///< remembered a side, some 40 MiB

/// Settings and indicators are those of the contents given, whatever the log names. `reader` is only read;
/// `clock` times the run and decides nothing. Errors: InvalidArgument for an empty time; NotFound when the
/// journal has nothing of it; Cancelled; what reading gives.
Result<BacktestReport> backtest(journal::Reader& reader, std::uint32_t partition_count,
                                const BacktestRequest& request, const Clock& clock,
                                BacktestProgress& progress);

}  // namespace fieldwatch::pipeline
