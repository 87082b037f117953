// What an agent says of its own traffic: R06 small messages, R21 its version, R22 dropped events.
// spec/recommendations.md sections 3 and 5.
#pragma once

#include "base/bounded_table.hpp"
#include "detect/detector.hpp"

namespace fieldwatch::detect {

/// Counts of the last 24 hours, by the time they were reported.
class DailyCounts {
  public:
    static constexpr std::size_t kEntriesMax = 96;  ///< a report each quarter of an hour; the oldest goes
    static constexpr Ticks kWindow = std::chrono::hours(24);

    struct Sum {
        std::int64_t total = 0, part = 0;
    };
    /// Reports within `grain` of the newest are kept as one.
    void add(Timestamp time, Sum sum, Ticks grain = {});
    Sum last_day(Timestamp now) const;
    bool empty() const { return entries_.empty(); }

    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    struct Entry {
        Timestamp time;
        Sum sum;
    };
    std::vector<Entry> entries_;  // by time
};

/// One strand.
class AgentTraffic final : public Detector {
  public:
    static constexpr std::size_t kDevicesMax = 65'536;
    static constexpr std::size_t kQueuesMax = 4;  ///< High, Low, Operational, and one to come

    std::string_view section() const override { return "agent-traffic"; }
    void receive(const model::Event& event, Context& context) override;
    void observe(const model::Event& event, Context& context) override;
    void save(ByteWriter& out) const override;
    Result<void> restore(ByteReader& in) override;

  private:
    struct Queue {
        std::string name;
        DailyCounts events;
    };
    struct Device {
        Timestamp first_message;
        DailyCounts reported;  ///< by MessageStatistics
        DailyCounts measured;  ///< on receipt, for agents that send none
        std::vector<Queue> queues;
    };
    static void assess_messages(const model::Event& event, DailyCounts::Sum sum, Context& context);
    static void assess_queues(const Device& device, const model::Event& event, Context& context);
    static void assess_version(const model::Event& event, Context& context);

    BoundedTable<Device> devices_{kDevicesMax};
};

/// Whether version `left` is older: part by part as numbers, 0.0.9 before 0.0.10.
bool is_older_version(std::string_view left, std::string_view right);

}  // namespace fieldwatch::detect
