// What the agent saw, sent and lost since it last said so: the two statistics events of
// spec/security-messages.md, and the totals of `fieldwatch-agent status`.
#pragma once

#include <array>
#include <cstdint>
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

    const Messages& total() const { return total_; }

  private:
    Messages since_, total_;
    std::array<QueueCounters, kQueueCount> told_{};
    fw_status told_collector_{};
    Inventory::Counters told_inventory_{};
};

}  // namespace fieldwatch::agent
