// What the log carries besides what devices send (design section 3a): ticks, so that time passes in the log;
// the content version in force; and the registry's changes, pumped from its outbox. One thread of its own.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "journal/journal.hpp"
#include "model/record.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::app {

class LogFeed {
  public:
    struct Parts {
        registry::Registry& registry;
        journal::Journal& journal;
        const Clock& clock;
    };
    explicit LogFeed(Parts parts) : parts_(parts) {}
    ~LogFeed();

    /// Makes a content version the one in force, in every partition, durably. Call before start().
    Result<void> announce_content(const std::string& hash);

    void start();
    void stop();  ///< pumps what is left, joins
    /// The registry changed: look at the outbox now, not at the next turn.
    void wake();
    /// As long as it is held the registry's changes stay in its outbox: log and registry stand still towards
    /// each other. Time goes on in the log.
    std::unique_lock<std::mutex> hold() { return std::unique_lock(pump_mutex_); }

  private:
    void run();
    Result<void> pump();
    void tick();
    Result<void> append_everywhere(const model::Record& record);
    std::vector<std::uint32_t> partitions_of(const model::Record& record) const;

    Parts parts_;
    std::thread thread_;
    std::mutex pump_mutex_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    bool woken_ = false;
    struct PartitionTick {
        Timestamp at{0};
        std::uint64_t end_offset = 0;  ///< of the partition right behind the tick
    };
    std::vector<PartitionTick> ticks_;
};

}  // namespace fieldwatch::app
