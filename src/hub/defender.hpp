// Devices that report to AWS IoT Device Defender: what a report becomes in our log, and what the hub keeps of
// the one before. Source: spec/aws-device-defender.md sections 1 and 3.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "model/ids.hpp"
#include "net/mailbox.hpp"
#include "protocol/defender/report.hpp"

namespace fieldwatch::hub {

/// Connections as numbers, sorted: whether one was in the report before is all that is asked.
using ConnectionMarks = std::vector<std::uint64_t>;
ConnectionMarks marks_of(const defender::Report& report);

/// The report as a security message (spec/security-messages.md): listening ports as one snapshot, connections
/// that `before` (null = there was no report) does not hold, and every number as one Custom event. Ids are
/// named by device and report, so that a report that comes twice is seen once. "" when nothing is to be told.
/// Errors: TooLarge above limits::message_bytes.
Result<std::string> to_security_message(const defender::Report& report, const model::Identity& device,
                                        Timestamp received, const ConnectionMarks* before);

/// The last report of each device. Any thread. Bound: kDevicesMax; past it a device that is forgotten may
/// report early, and tells all its connections once more.
class DefenderTable {
  public:
    explicit DefenderTable(std::chrono::nanoseconds interval_min) : interval_min_(interval_min) {}

    enum class Verdict : std::uint8_t { Evaluate, Repeated, Throttled };
    struct Standing {
        Verdict verdict = Verdict::Evaluate;
        bool has_before = false;
        ConnectionMarks before;
    };
    Standing standing(const model::Identity& device, std::int64_t report_id,
                      std::chrono::nanoseconds now) const;
    /// It is in the journal: the next one may come after the interval.
    void taken(const model::Identity& device, std::chrono::nanoseconds now);
    /// It is durable: the next one is compared with it.
    void kept(const model::Identity& device, std::int64_t report_id, ConnectionMarks marks);

  private:
    static constexpr std::size_t kDevicesMax = 100'000;  ///< about 30 MB with twenty connections each
    struct Last {
        std::int64_t report_id = 0;
        std::chrono::nanoseconds taken{-1};  ///< -1 = never
        bool is_kept = false;
        ConnectionMarks marks;
    };
    Last& last_of(std::map<model::Identity, Last>& all, const model::Identity& device) const;

    const std::chrono::nanoseconds interval_min_;
    net::Guarded<std::map<model::Identity, Last>> last_;
};

}  // namespace fieldwatch::hub
