// Runs scheduled queries on hub time and writes what they find into the registry's outbox, from where it gets
// into the log (docs/decisions/0085-scheduled-queries.md). One thread of its own.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "base/metrics.hpp"
#include "portal/scheduled_rules.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::app {

class ScheduledQueries final : public portal::ScheduledRules {
  public:
    struct Parts {
        registry::Registry& registry;
        std::function<workspace::Workspace*(std::string_view id)> workspace;  ///< null = no such workspace
        FileSystem& files;
        const Clock& clock;
        Metrics& metrics;
        std::string state_file;  ///< where every rule got to; losing it costs a repeat of what is known
    };
    /// Errors: what keeps the state from being read.
    static Result<std::unique_ptr<ScheduledQueries>> open(Parts parts);
    ~ScheduledQueries() override;

    void start();
    void stop();  ///< joins; a query that runs is waited for

    Result<portal::ScheduledTrial> trial(const registry::Hub& hub,
                                         const detect::ScheduledRule& rule) override;
    portal::ScheduledHealth health(std::string_view hub, std::string_view rule) override;
    std::vector<portal::ScheduledRun> runs(std::string_view hub, std::string_view rule) override;
    void changed() override;

  private:
    using Key = std::pair<std::string, std::string>;  // hub, rule
    struct State {
        Timestamp begin{0};   ///< end of the first window of this version: none before is asked
        Timestamp cursor{0};  ///< end of the newest window that was answered; 0 = none yet
        Timestamp retry{0};   ///< not before
        std::uint64_t version = 0;
        std::map<std::string, std::vector<Timestamp>> raised;  ///< by hash of the entities: ends
        portal::ScheduledHealth health;
        std::deque<portal::ScheduledRun> runs;  ///< oldest first; not kept over a restart
    };
    struct Due {
        registry::Hub hub;
        detect::ScheduledRule rule;
        std::uint64_t version = 0;
    };

    explicit ScheduledQueries(Parts parts);
    void run();
    std::vector<Due> rules();
    bool turn(const Due& due);
    bool ask(const Due& due, Timestamp end, State& state);
    Result<std::uint64_t> write(const Due& due, const portal::ScheduledTrial& found, State& state);
    Result<portal::ScheduledTrial> window(const registry::Hub& hub, const detect::ScheduledRule& rule,
                                          Timestamp end);
    State state_of(const Key& key);
    void keep(const Key& key, State state);
    void count_unhealthy();
    Result<void> load();
    Result<void> read_states(std::string_view text);
    void save();

    Parts parts_;
    Counter& runs_;
    Counter& failures_;
    Gauge& unhealthy_;
    std::thread thread_;
    std::mutex mutex_;  ///< of everything below; never held while a query runs
    std::condition_variable wake_;
    bool stopping_ = false, woken_ = false;
    std::map<Key, State> states_;
};

}  // namespace fieldwatch::app
