// One partition at work: reads batches, runs the core, commits rows, publishes checkpoints. Any error ends
// the run; the next one begins from the newest checkpoint, so that there is one way of recovering and every
// test of it counts.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "pipeline/checkpoint.hpp"
#include "pipeline/fact_outlet.hpp"
#include "pipeline/pipeline.hpp"
#include "pipeline/shard_core.hpp"

namespace fieldwatch::pipeline {

/// Of all shards together.
struct PipelineMetrics {
    explicit PipelineMetrics(Metrics& metrics);
    Counter &records, &events, &alerts, &recommendations, &dead_letters, &duplicates, &late,
        &refused_messages, &refused_events, &refused_operations, &commits, &restarts, &unrouted,
        &skipped_rows, &fleet_facts, &dropped_facts;
};

/// One thread runs it; progress() is for any.
class Shard {
  public:
    Shard(Parts& parts, const Options& options, DeadLetters& dead_letters, SharedRuleCounts& rule_counts,
          PipelineMetrics& metrics, std::uint32_t partition);

    /// Returns when asked to stop.
    void run(const std::stop_token& stop);
    Progress progress() const;

  private:
    /// What a workspace has of this partition.
    struct Target {
        Route route;
        std::uint64_t committed = 0;
        workspace::Commit pending;
        bool has_rows = false;

        bool has_findings() const { return !pending.alerts.empty() || !pending.recommendations.empty(); }
        std::size_t rows() const;
    };
    using Time = std::chrono::nanoseconds;  // of the monotonic clock

    Result<void> work(const std::stop_token& stop);
    Result<void> resume();
    Result<void> process(const journal::Batch& batch);
    Result<void> process_record(const journal::BatchRecord& bytes);
    Result<void> commit_when_due();
    Result<void> commit(bool offsets_too);
    /// When what is pending is to be committed; nothing is pending: never.
    Time due() const;
    Result<void> publish_checkpoint();
    Result<void> publish_last_checkpoint();
    Result<Target*> target_of(std::string_view hub);
    void count(const LossLedger& before);

    Parts& parts_;
    const Options& options_;
    DeadLetters& dead_letters_;
    SharedRuleCounts& rule_counts_;
    RuleTally tally_;  // outlives core_, which is watched by it
    PipelineMetrics& metrics_;
    std::uint32_t partition_;
    Checkpoints checkpoints_;
    std::unique_ptr<ShardCore> core_;
    FactOutlet facts_;
    Outcome outcome_;
    std::map<std::string, workspace::Workspace*, std::less<>>
        hubs_;  // of this batch: routes may change between batches
    std::map<std::string, Target, std::less<>>
        targets_;  // by workspace id, so that commits go in a fixed order
    std::vector<model::DeadLetter> letters_;
    std::uint64_t next_offset_ = 0;
    Time pending_since_ = Time::max();  // the first row since the last commit; max() = none
    Time findings_committed_{0};        // paces commits, and decides nothing else
    std::atomic<std::uint64_t> committed_{0}, checkpoint_{0};
    std::atomic<bool> healthy_{true};
};

}  // namespace fieldwatch::pipeline
