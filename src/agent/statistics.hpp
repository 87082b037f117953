// What the agent saw, sent and lost since it last said so: the two statistics events of
// spec/security-messages.md, and the totals of `fieldwatch-agent status`.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/aggregation/observation.hpp"
#include "agent/bpf/records.h"
#include "agent/inventory/inventory.hpp"
#include "agent/spool/outbox.hpp"

namespace fieldwatch::agent {

/// One thread. Each take_*() answers for the time since the last.
class Statistics {
  public:
    struct Messages {
        std::uint64_t sent = 0, small = 0, failed = 0, bytes = 0, units = 0;
    };

    void sent(std::size_t body_bytes, std::size_t bag_bytes);
    void failed(std::size_t messages) { since_.failed += messages; }

    /// A DroppedEventsStatistics payload for High and for Low; Low's also carries, as extras, the operational
    /// queue, what each collector saw and lost, and how many records the sender refused.
    std::vector<Observation> take_drops(const Outbox& outbox, const fw_status& collector,
                                        const Inventory::Counters& inventory, std::uint64_t refused_records);
    Observation take_messages();

    /// What take_drops() would tell of the queues and has not told yet, as words: kept over a restart, so
    /// that a loss is counted though the agent ended before it said so.
    std::string untold(const Outbox& outbox) const;
    void restore(std::string_view untold);

    const Messages& total() const { return total_; }

  private:
    Messages since_, total_;
    QueueCounters queue_since(const Outbox& outbox, Queue queue) const;
    std::array<QueueCounters, kQueueCount> told_{};
    std::array<QueueCounters, kQueueCount> restored_{};  // of the runs before
    fw_status told_collector_{};
    Inventory::Counters told_inventory_{};
};

}  // namespace fieldwatch::agent
