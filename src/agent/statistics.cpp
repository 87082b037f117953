#include "agent/statistics.hpp"

#include <charconv>
#include <string>

namespace fieldwatch::agent {

namespace {

/// How far a counter came; one that stands lower than before began anew.
std::uint64_t since(std::uint64_t now, std::uint64_t before) {
    return now >= before ? now - before : now;
}

}  // namespace

void Statistics::sent(std::size_t body_bytes, std::size_t bag_bytes) {
    for (auto* messages : {&since_, &total_}) {
        ++messages->sent;
        messages->small += body_bytes < 4'096;
        messages->bytes += body_bytes;
        messages->units += fieldwatch_billing_units(body_bytes + bag_bytes);
    }
}

std::vector<Observation> Statistics::take_drops(const Outbox& outbox, const fw_status& collector,
                                                const Inventory::Counters& inventory,
                                                std::uint64_t refused_records) {
    std::array<QueueCounters, kQueueCount> queues;
    for (const auto queue : {Queue::High, Queue::Low, Queue::Operational}) {
        const auto i = static_cast<std::size_t>(queue);
        queues[i] = queue_since(outbox, queue);
        told_[i] = outbox.counters(queue);
        restored_[i] = {};
    }
    const auto text = [](std::uint64_t number) { return std::to_string(number); };
    std::vector<Observation> out;
    for (const auto queue : {Queue::High, Queue::Low}) {
        const auto& counters = queues[static_cast<std::size_t>(queue)];
        auto& payload = out.emplace_back(Observation{.kind = FIELDWATCH_DROPPED_EVENTS_STATISTICS});
        payload.text("Queue", queue == Queue::High ? "High" : "Low");
        payload.integer("CollectedEvents", static_cast<std::int64_t>(counters.collected));
        payload.integer("DroppedEvents",
                        static_cast<std::int64_t>(counters.dropped_full + counters.dropped_large));
        payload.extra("DroppedCacheFull", text(counters.dropped_full));
        payload.extra("DroppedTooLarge", text(counters.dropped_large));
    }
    auto& low = out.back();
    const auto& operational = queues[static_cast<std::size_t>(Queue::Operational)];
    low.extra("OperationalCollected", text(operational.collected));
    low.extra("OperationalDropped", text(operational.dropped_full + operational.dropped_large));
    static constexpr const char* kSeen[] = {"ProcessSeen", "ProcessExitSeen", "ConnectionSeen",
                                            "ConnectionUdpSeen"};
    static constexpr const char* kLost[] = {"ProcessLost", "ProcessExitLost", "ConnectionLost",
                                            "ConnectionUdpLost"};
    for (std::size_t i = 0; i < FW_CLASS_COUNT; ++i) {
        const auto& now = collector.counters[i];
        const auto& told = told_collector_.counters[i];
        low.extra(kSeen[i], text(since(now.produced, told.produced)));
        low.extra(kLost[i], text(since(now.dropped, told.dropped)));
    }
    low.extra("ConnectionUntracked", text(since(collector.untracked, told_collector_.untracked)));
    low.extra("LoginLost", text(since(collector.logins_lost, told_collector_.logins_lost)));
    low.extra("FileChangeSeen", text(since(inventory.file_changes, told_inventory_.file_changes)));
    low.extra("FileChangeLost", text(since(inventory.file_changes_lost, told_inventory_.file_changes_lost)));
    low.extra("HardwareOverflows", text(inventory.uevent_overflows));
    told_inventory_ = inventory;
    low.extra("RefusedRecords", text(refused_records));
    told_collector_ = collector;
    return out;
}

QueueCounters Statistics::queue_since(const Outbox& outbox, Queue queue) const {
    const auto i = static_cast<std::size_t>(queue);
    const auto now = outbox.counters(queue);
    return {restored_[i].collected + since(now.collected, told_[i].collected),
            restored_[i].dropped_full + since(now.dropped_full, told_[i].dropped_full),
            restored_[i].dropped_large + since(now.dropped_large, told_[i].dropped_large)};
}

std::string Statistics::untold(const Outbox& outbox) const {
    std::string out;
    for (const auto queue : {Queue::High, Queue::Low, Queue::Operational}) {
        const auto counters = queue_since(outbox, queue);
        for (const auto number : {counters.collected, counters.dropped_full, counters.dropped_large})
            out += (out.empty() ? "" : " ") + std::to_string(number);
    }
    return out;
}

void Statistics::restore(std::string_view untold) {
    constexpr std::uint64_t kMost = 1ULL << 40;  // no device comes so far; a file that says so is damaged
    std::array<QueueCounters, kQueueCount> restored;
    const auto* at = untold.data();
    const auto* const end = at + untold.size();
    for (auto& queue : restored) {
        for (auto* number : {&queue.collected, &queue.dropped_full, &queue.dropped_large}) {
            while (at != end && *at == ' ')
                ++at;
            const auto parsed = std::from_chars(at, end, *number);
            if (parsed.ec != std::errc{} || *number > kMost) return;
            at = parsed.ptr;
        }
    }
    restored_ = restored;
}

Observation Statistics::take_messages() {
    Observation out{.kind = FIELDWATCH_MESSAGE_STATISTICS};
    out.integer("MessagesSent", static_cast<std::int64_t>(since_.sent));
    out.integer("MessagesUnder4KB", static_cast<std::int64_t>(since_.small));
    out.integer("TotalFailed", static_cast<std::int64_t>(since_.failed));
    out.extra("BytesSent", std::to_string(since_.bytes));
    out.extra("BillingUnits", std::to_string(since_.units));
    since_ = {};
    return out;
}

}  // namespace fieldwatch::agent
