// When indicators are new, history is asked for them: what is found goes through the registry's outbox into
// the log, where a shard makes alerts of it (docs/decisions/0084-new-indicators-ask-history.md). One thread
// of its own.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "base/metrics.hpp"
#include "detect/intel/intel.hpp"
#include "pipeline/content_store.hpp"
#include "portal/indicators.hpp"
#include "registry/registry.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::app {

class RetroHunt final : public portal::HuntHealth {
  public:
    static constexpr Ticks kHistory = std::chrono::hours(24 * 31);  ///< as long as raw events are kept

    struct Parts {
        registry::Registry& registry;
        pipeline::ContentStore& contents;
        std::function<workspace::Workspace*(std::string_view id)> workspace;  ///< null = no such workspace
        FileSystem& files;
        const Clock& clock;
        Metrics& metrics;
        std::string state_file;  ///< which content history was asked with
        std::string hash;        ///< the content in force at start
        struct Progress {
            std::uint64_t log_end = 0, committed = 0;
        };
        std::function<std::vector<Progress>()> progress;  ///< by partition; empty before the pipeline runs
    };
    /// Errors: what keeps the state from being read.
    static Result<std::unique_ptr<RetroHunt>> open(Parts parts);
    ~RetroHunt() override;

    void start();
    void stop();  ///< joins; a query that runs is waited for
    /// Another content is in force, as the log says, since now. Any thread.
    void announced(const std::string& hash);

    Status status() const override;

  private:
    /// A content and since when it is in force.
    struct Version {
        std::string hash;
        Timestamp at;
    };

    explicit RetroHunt(Parts parts);
    void run();
    bool rows_are_stored();
    Result<void> turn(const Version& wanted);
    Result<std::uint64_t> hunt(const detect::IntelSnapshot* before, const detect::IntelSnapshot& now,
                               const Version& wanted);
    Result<void> load();
    Result<void> read_state(std::string_view text);
    Result<void> save();

    Parts parts_;
    Counter& hunts_;
    Counter& found_;
    Counter& failures_;
    std::thread thread_;
    mutable std::mutex mutex_;  ///< of everything below; never held while a query runs
    std::condition_variable wake_;
    bool stopping_ = false;
    std::optional<Version> done_;      ///< history was asked with this one
    std::optional<Version> wanted_;    ///< and is to be asked with this one
    std::vector<std::uint64_t> ends_;  ///< of the log when that was known: rows before are to be stored first
    Timestamp retry_{0};               ///< not before
    Status status_;
};

}  // namespace fieldwatch::app
