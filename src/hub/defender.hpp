// Devices that report to AWS IoT Device Defender: what a report becomes in our log, and what the hub keeps of
// the one before. Source: spec/aws-device-defender.md sections 1 and 3.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bounded_table.hpp"
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
/// named by device, report and kind, whatever else is told, so that a report that comes twice is seen once.
/// "" when nothing is to be told. Errors: TooLarge above limits::message_bytes.
Result<std::string> to_security_message(const defender::Report& report, const model::Identity& device,
                                        Timestamp received, const ConnectionMarks* before);

/// The last report of each device. Any thread. Bounds: Bounds, about 60 MB at the most; past them the device
/// that reported longest ago is forgotten: it may report early, and tells all its connections once more.
class DefenderTable {
  public:
    struct Bounds {
        std::size_t devices_max = 100'000;
        std::size_t marks_max = 4'000'000;  ///< of all devices: forty connections each, 32 MB
    };
    explicit DefenderTable(std::chrono::nanoseconds interval_min) : DefenderTable(interval_min, Bounds{}) {}
    DefenderTable(std::chrono::nanoseconds interval_min, Bounds bounds)
        : interval_min_(interval_min), state_(std::in_place, bounds) {}

    enum class Verdict : std::uint8_t {
        Evaluate,
        Repeated,  ///< it is durable already: the answer did not arrive
        Throttled
    };
    struct Standing {
        Verdict verdict = Verdict::Evaluate;
        bool has_before = false;
        ConnectionMarks before;
    };
    /// A report that was taken and is not durable yet is evaluated again: nobody knows whether it will be.
    Standing standing(const model::Identity& device, std::int64_t report_id, std::chrono::nanoseconds now);
    /// It is in the journal: another one may come after the interval.
    void taken(const model::Identity& device, std::int64_t report_id, std::chrono::nanoseconds now);
    /// It is durable: the next one is compared with it. False: it was so before.
    bool kept(const model::Identity& device, std::int64_t report_id, ConnectionMarks marks);

  private:
    struct Last {
        std::int64_t taken_id = 0, kept_id = 0;  ///< 0 = none
        std::chrono::nanoseconds taken{0};
        ConnectionMarks marks;  ///< of the one that was kept
    };
    struct State {
        explicit State(Bounds its_bounds) : bounds(its_bounds), devices(bounds.devices_max) {}
        Last& of(const model::Identity& device);
        const Bounds bounds;
        BoundedTable<Last> devices;
        std::size_t marks = 0;  ///< of all
    };

    const std::chrono::nanoseconds interval_min_;
    net::Guarded<State> state_;
};

}  // namespace fieldwatch::hub
