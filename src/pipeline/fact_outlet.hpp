// The way of what a shard tells of its devices to the shards that look at the fleet: into the log. Appends go
// in order and without waiting; what is not yet on disk keeps the checkpoint back.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "journal/journal.hpp"
#include "pipeline/shard_core.hpp"

namespace fieldwatch::pipeline {

/// Of one shard, on its thread.
class FactOutlet {
  public:
    /// A journal that refuses for so long is full, and what keeps it full may be this shard's checkpoint:
    /// facts that wait are then given up, and counted.
    static constexpr auto kPatience = std::chrono::seconds(10);
    static constexpr std::size_t kWaitingMax = 65'536;

    FactOutlet(journal::Journal& journal, const Clock& clock, Counter& sent, Counter& dropped)
        : journal_(journal), clock_(clock), sent_(sent), dropped_(dropped) {}

    void add(const std::vector<FactRecord>& facts);
    /// Appends what the journal takes now. Errors: Io when the disk refused what it had taken.
    Result<void> flush();
    /// Whether everything that was added is on disk or given up: a checkpoint may name what it came of.
    bool settled() const { return waiting_.empty() && in_flight_->load() == 0; }
    /// The shard goes back: what waits will be told again.
    void forget() { waiting_.clear(); }

  private:
    struct Waiting {
        std::uint32_t partition = 0;
        Bytes bytes;
    };
    void give_up();

    journal::Journal& journal_;
    const Clock& clock_;
    Counter &sent_, &dropped_;
    std::deque<Waiting> waiting_;
    std::chrono::nanoseconds refused_since_ = std::chrono::nanoseconds::max();
    // The journal answers from its own thread, perhaps behind the end of this shard.
    std::shared_ptr<std::atomic<std::uint64_t>> in_flight_ = std::make_shared<std::atomic<std::uint64_t>>(0);
    std::shared_ptr<std::atomic<bool>> failed_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace fieldwatch::pipeline
