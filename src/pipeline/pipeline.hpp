// The shards of a server: one thread a partition, from the journal to the workspaces. Rows are committed with
// the offset they came from; checkpoints follow what is committed and never lead it (design 3a, "Commit
// order").
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "journal/journal.hpp"
#include "pipeline/content_store.hpp"
#include "pipeline/dead_letters.hpp"
#include "pipeline/rule_counts.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::pipeline {

/// Where the rows of a hub go.
struct Route {
    workspace::Workspace* workspace = nullptr;
    std::string workspace_id;
    bool store_raw = true;
};

/// What a commit has just made visible; valid during the call.
struct Visible {
    std::span<const workspace::AlertRow> alerts;
    std::span<const workspace::RecommendationRow> recommendations;
    std::size_t raw_events = 0, diagnostics = 0;
};

/// Everything outlives the pipeline.
struct Parts {
    journal::Journal& journal;
    FileSystem& files;
    ContentStore& content;
    Metrics& metrics;
    const Clock& clock;  ///< paces commits and checkpoints; decides nothing
    /// Null workspace: the hub is not known, its rows go nowhere and are counted. Called from every shard's
    /// thread.
    std::function<Route(std::string_view hub)> route;
    /// Every workspace there is: a restart goes back to the lowest offset that any of them has committed.
    std::function<std::vector<Route>()> workspaces;
    /// Called after each commit, from the shard's thread: what has just become visible. May be empty.
    std::function<void(const Visible&)> on_commit;
};

struct Options {
    std::string directory;           ///< of checkpoints
    std::string first_content_hash;  ///< in force before the first content record of the log
    std::size_t batch_records = 4'096;
    std::size_t batch_bytes = 4u << 20;
    /// A commit costs a millisecond and some microseconds a row. So a finding goes at once, raw rows
    /// together: at most this long after the first of them, or when there are this many.
    std::chrono::milliseconds commit_interval{100};
    std::size_t commit_rows = 4'096;  ///< twice the engine's vector; some 25 ms, which the next finding waits
    std::chrono::milliseconds finding_interval{10};  ///< at least, between commits because of findings
    std::chrono::milliseconds checkpoint_interval{30'000};
    std::size_t checkpoints_kept = 2;
};

/// Of one partition; a snapshot.
struct Progress {
    std::uint32_t partition = 0;
    std::uint64_t journal_end = 0;  ///< one past the newest durable record
    std::uint64_t committed = 0;    ///< one past the newest record whose rows are visible
    std::uint64_t checkpoint = 0;   ///< a restart would replay from here
    bool healthy = true;            ///< false while a shard waits to try again after an error
};

/// Runs until stop() or destruction. start and stop from one thread.
class Pipeline {
  public:
    /// Makes the checkpoint directory. Errors: Io; NotFound for first_content_hash.
    static Result<std::unique_ptr<Pipeline>> create(Parts parts, Options options);
    ~Pipeline();

    void start();
    /// Lets every shard finish its batch and write a checkpoint. Idempotent.
    void stop();

    std::vector<Progress> progress() const;
    const DeadLetters& dead_letters() const;
    /// What rules did since start(), in the batches that are done.
    RuleCounts rule_counts() const;

  private:
    struct Impl;
    explicit Pipeline(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwatch::pipeline
