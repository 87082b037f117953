// Backtests that people asked for: one at a time, on a thread of their own that yields to everything else;
// the last of them are kept with their reports.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "journal/journal.hpp"
#include "portal/rules.hpp"

namespace fieldwatch::app {

/// Any thread.
class Backtests {
  public:
    static constexpr std::size_t kKept = 8;

    struct Parts {
        journal::Journal& journal;
        const Clock& clock;
    };
    /// Both sides of a comparison; compiled on the backtest's thread, which takes a second or so.
    using Compile = std::function<Result<detect::ContentPtr>()>;
    struct Start {
        Timestamp from, to;
        std::string hub;
        std::uint64_t against_version = 0;
        detect::RuleDiff diff;
        Compile candidate, against;
    };

    explicit Backtests(Parts parts) : parts_(parts) {}
    ~Backtests();  ///< stops what runs, joins

    /// Errors: Exhausted while another runs.
    Result<portal::BacktestJob> start(Start start);
    std::vector<portal::BacktestJob> list() const;  ///< newest first
    Result<portal::BacktestJob> get(const std::string& id) const;
    Result<void> stop(const std::string& id);

  private:
    struct Entry {
        portal::BacktestJob job;
        pipeline::BacktestProgress progress;
    };
    static portal::BacktestJob snapshot(const Entry& entry);
    void run(Entry& entry, const Start& start);

    Parts parts_;
    mutable std::mutex mutex_;
    std::list<std::unique_ptr<Entry>>
        entries_;  // newest first; of the running one only `progress` changes unlocked
    std::uint64_t next_id_ = 1;
    std::thread thread_;
};

}  // namespace fieldwatch::app
