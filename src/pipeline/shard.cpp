#include "pipeline/shard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/log.hpp"
#include "pipeline/rows.hpp"

namespace fieldwatch::pipeline {

namespace {
constexpr auto kIdleWait =
    std::chrono::milliseconds(200);  ///< how soon an idle shard sees that it is to stop
constexpr auto kRetryWait =
    std::chrono::milliseconds(1'000);  ///< after an error, before the run begins again
constexpr std::string_view kConsumer = "pipeline";
}  // namespace

PipelineMetrics::PipelineMetrics(Metrics& metrics)
    : records(metrics.counter("fieldwatch_pipeline_records_total", "Journal records that shards processed")),
      events(
          metrics.counter("fieldwatch_pipeline_events_total", "Security events that conformed and were new")),
      alerts(metrics.counter("fieldwatch_pipeline_alert_rows_total", "Rows written about alerts")),
      recommendations(metrics.counter("fieldwatch_pipeline_recommendation_rows_total",
                                      "Rows written about recommendations")),
      dead_letters(metrics.counter("fieldwatch_pipeline_dead_letters_total",
                                   "Messages and events that did not conform")),
      duplicates(metrics.counter("fieldwatch_pipeline_duplicates_total", "Events that had come before")),
      late(metrics.counter("fieldwatch_pipeline_late_total", "Events too late for detection, stored only")),
      refused_messages(metrics.counter("fieldwatch_pipeline_refused_messages_total",
                                       "Security messages that did not conform")),
      refused_events(metrics.counter("fieldwatch_pipeline_refused_events_total",
                                     "Events that did not conform, of messages that did")),
      refused_operations(metrics.counter("fieldwatch_pipeline_refused_operations_total",
                                         "Records of hubs that were not understood")),
      commits(metrics.counter("fieldwatch_pipeline_commits_total", "Transactions in workspaces")),
      restarts(metrics.counter("fieldwatch_pipeline_restarts_total",
                               "Times a shard went back to its checkpoint after an error")),
      unrouted(
          metrics.counter("fieldwatch_pipeline_unrouted_total", "Records of hubs that have no workspace")),
      skipped_rows(metrics.counter("fieldwatch_pipeline_replayed_records_total",
                                   "Records replayed whose rows were committed before")),
      fleet_facts(metrics.counter("fieldwatch_pipeline_fleet_facts_total",
                                  "Facts written for correlations over the fleet")),
      dropped_facts(metrics.counter("fieldwatch_pipeline_fleet_facts_dropped_total",
                                    "Facts for correlations over the fleet that the journal did not take")) {}

Shard::Shard(Parts& parts, const Options& options, DeadLetters& dead_letters, SharedRuleCounts& rule_counts,
             PipelineMetrics& metrics, std::uint32_t partition)
    : parts_(parts),
      options_(options),
      dead_letters_(dead_letters),
      rule_counts_(rule_counts),
      metrics_(metrics),
      partition_(partition),
      checkpoints_(parts.files, options.directory, partition, options.checkpoints_kept),
      facts_(parts.journal, parts.clock, metrics.fleet_facts, metrics.dropped_facts) {}

Progress Shard::progress() const {
    return {.partition = partition_,
            .journal_end = parts_.journal.reader().end_offset(journal::Stream::Security, partition_),
            .committed = committed_.load(std::memory_order_relaxed),
            .checkpoint = checkpoint_.load(std::memory_order_relaxed),
            .healthy = healthy_.load(std::memory_order_relaxed)};
}

void Shard::run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const auto done = work(stop);
        if (done) return;
        healthy_ = false;
        metrics_.restarts.add();
        log::error("pipeline", fmt::format("partition {}: {}; trying again from the last checkpoint",
                                           partition_, done.error().message));
        for (auto waited = std::chrono::milliseconds(0); waited < kRetryWait && !stop.stop_requested();
             waited += kIdleWait)
            std::this_thread::sleep_for(kIdleWait);
    }
}

Result<void> Shard::work(const std::stop_token& stop) {
    FIELDWATCH_TRY(resume());
    healthy_ = true;
    auto& reader = parts_.journal.reader();
    auto next_checkpoint = parts_.clock.monotonic() + options_.checkpoint_interval;
    while (!stop.stop_requested()) {
        const journal::Place from{journal::Stream::Security, partition_, next_offset_};
        const auto rest = due() - parts_.clock.monotonic();
        // A millisecond more than none: a wait of a part of one would end too early, and again.
        const auto wait = std::clamp(std::chrono::ceil<std::chrono::milliseconds>(rest),
                                     std::chrono::milliseconds(0), kIdleWait);
        if (reader.wait(from, wait)) {
            const auto batch =
                FIELDWATCH_TRY(reader.read(from, options_.batch_records, options_.batch_bytes));
            FIELDWATCH_TRY(process(batch));
        }
        FIELDWATCH_TRY(facts_.flush());
        FIELDWATCH_TRY(commit_when_due());
        if (parts_.clock.monotonic() < next_checkpoint) continue;
        FIELDWATCH_TRY(publish_checkpoint());
        next_checkpoint = parts_.clock.monotonic() + options_.checkpoint_interval;
    }
    return publish_last_checkpoint();
}

/// What was told of the last batch is on disk in a moment; without it a start would read the batch again.
Result<void> Shard::publish_last_checkpoint() {
    constexpr auto kTurn = std::chrono::milliseconds(2);
    constexpr int kTurns = 500;
    FIELDWATCH_TRY(facts_.flush());
    for (int turn = 0; turn < kTurns && !facts_.settled(); ++turn)
        std::this_thread::sleep_for(kTurn);
    return publish_checkpoint();
}

Result<void> Shard::resume() {
    targets_.clear();
    letters_.clear();
    facts_.forget();
    pending_since_ = Time::max();
    // A workspace without any commit of this partition constrains nothing: a checkpoint is published only
    // when every workspace that got rows has them.
    auto lowest = UINT64_MAX;
    std::uint64_t highest = 0;
    for (auto& route : parts_.workspaces()) {
        const auto committed = FIELDWATCH_TRY(route.workspace->committed_offset(partition_));
        if (committed > 0) lowest = std::min(lowest, committed);
        highest = std::max(highest, committed);
        auto& target = targets_[route.workspace_id];
        target.committed = committed;
        target.route = std::move(route);
    }
    std::size_t damaged = 0;
    auto checkpoint = FIELDWATCH_TRY(checkpoints_.newest(lowest, damaged));
    if (damaged > 0)
        log::warning("pipeline",
                     fmt::format("partition {}: {} damaged checkpoint(s) passed over", partition_, damaged));
    const auto first_kept = parts_.journal.reader().first_offset(journal::Stream::Security, partition_);
    auto content = FIELDWATCH_TRY(parts_.content.get(options_.first_content_hash));
    const auto lookup = [this](std::string_view hash) { return parts_.content.get(hash); };
    const auto fresh = [&] {
        return std::make_unique<ShardCore>(
            content, options_.first_content_hash, lookup,
            ShardCore::Options{.decode = {},
                               .partition_count = parts_.journal.partition_count(),
                               .watch = {.watcher = &tally_, .clock = &parts_.clock}});
    };
    core_ = fresh();
    next_offset_ = first_kept;
    if (checkpoint) {
        if (const auto restored = core_->restore(checkpoint->state)) {
            next_offset_ = checkpoint->next_offset;
        } else {
            log::warning(
                "pipeline",
                fmt::format("partition {}: the checkpoint cannot be used ({}); rebuilding from the journal",
                            partition_, restored.error().message));
            core_ = fresh();
        }
    }
    if (next_offset_ < first_kept) {
        log::warning("pipeline",
                     fmt::format("partition {}: the journal begins at {}, behind the checkpoint's {}",
                                 partition_, first_kept, next_offset_));
        next_offset_ = first_kept;
    }
    checkpoint_ = next_offset_;
    committed_ = std::max(highest, next_offset_);
    return parts_.journal.keep_from(kConsumer, {journal::Stream::Security, partition_, next_offset_});
}

Result<void> Shard::process(const journal::Batch& batch) {
    hubs_.clear();
    const auto before = core_->losses();
    for (const auto& record : batch.records) {
        FIELDWATCH_TRY(process_record(record));
        next_offset_ = record.offset + 1;
        FIELDWATCH_TRY(commit_when_due());
    }
    next_offset_ = batch.next_offset;
    metrics_.records.add(batch.records.size());
    if (!tally_.empty()) rule_counts_.add(tally_.take());
    count(before);
    return {};
}

std::size_t Shard::Target::rows() const {
    return pending.raw_events.size() + pending.diagnostics.size() + pending.activities.size();
}

Shard::Time Shard::due() const {
    if (pending_since_ == Time::max()) return Time::max();
    for (const auto& [id, target] : targets_) {
        if (target.rows() >= options_.commit_rows) return Time{0};
        if (target.has_findings()) return findings_committed_ + options_.finding_interval;
    }
    return pending_since_ + options_.commit_interval;
}

// Asked after every record: a finding does not wait for the rest of its batch.
Result<void> Shard::commit_when_due() {
    bool pending = !letters_.empty();
    bool findings = false;
    for (const auto& [id, target] : targets_) {
        pending = pending || target.has_rows;
        findings = findings || target.has_findings();
    }
    if (!pending) {
        committed_ = std::max(committed_.load(std::memory_order_relaxed), next_offset_);
        return {};
    }
    const auto now = parts_.clock.monotonic();
    if (pending_since_ == Time::max()) pending_since_ = now;
    if (now < due()) return {};
    if (findings) findings_committed_ = now;
    return commit(false);
}

Result<void> Shard::process_record(const journal::BatchRecord& bytes) {
    model::LogPosition position{.partition = partition_, .offset = bytes.offset, .item = 0};
    const auto record = model::decode_record(bytes.bytes);
    if (!record) {  // the journal's checksum held, so we wrote it: say so, and go on
        letters_.push_back({.position = position, .reason = record.error().message});
        return {};
    }
    FIELDWATCH_TRY(core_->process(*record, position, outcome_));
    if (!outcome_.facts.empty()) {
        facts_.add(outcome_.facts);
        FIELDWATCH_TRY(facts_.flush());
    }
    if (!outcome_.events.empty() || !outcome_.operations.empty()) {
        auto* const target = FIELDWATCH_TRY(target_of(record->hub));
        if (target == nullptr) {
            metrics_.unrouted.add();
        } else if (bytes.offset < target->committed) {
            metrics_.skipped_rows.add();
        } else {
            add_rows(outcome_, *record, {target->route.workspace_id, target->route.store_raw},
                     target->pending);
            target->has_rows = true;
        }
    }
    std::uint32_t number = 0;
    for (auto& finding : outcome_.findings) {
        const auto index = number++;
        if (auto* const letter = std::get_if<model::DeadLetter>(&finding)) {
            if (bytes.offset >= committed_.load(std::memory_order_relaxed))
                letters_.push_back(std::move(*letter));
            continue;
        }
        auto* const target = FIELDWATCH_TRY(target_of(hub_of(finding)));
        if (target == nullptr || bytes.offset < target->committed) continue;
        (std::holds_alternative<model::Alert>(finding) ? metrics_.alerts : metrics_.recommendations).add();
        add_finding(std::move(finding), position, index,
                    {target->route.workspace_id, target->route.store_raw}, target->pending);
        target->has_rows = true;
    }
    return {};
}

Result<Shard::Target*> Shard::target_of(std::string_view hub) {
    auto known = hubs_.find(hub);
    Route route;
    if (known == hubs_.end()) {
        route = parts_.route(hub);
        hubs_.emplace(hub, route.workspace);
        if (route.workspace == nullptr) return nullptr;
        auto found = targets_.find(route.workspace_id);
        if (found == targets_.end()) {
            Target target;
            target.committed = FIELDWATCH_TRY(route.workspace->committed_offset(partition_));
            found = targets_.emplace(route.workspace_id, std::move(target)).first;
        }
        found->second.route = route;
        return &found->second;
    }
    if (known->second == nullptr) return nullptr;
    for (auto& [id, target] : targets_) {
        if (target.route.workspace == known->second) return &target;
    }
    return nullptr;
}

// Rows go at once. An offset alone is not worth a transaction: it goes along before a checkpoint.
Result<void> Shard::commit(bool offsets_too) {
    for (auto& [id, target] : targets_) {
        const bool behind = next_offset_ > target.committed;
        if (!behind || (!target.has_rows && !offsets_too)) continue;
        auto pending = std::move(target.pending);
        target.pending = {};
        // The next commit is mostly as large: rows that move while their vector grows were a tenth of the
        // work.
        target.pending.raw_events.reserve(std::min(pending.raw_events.size(), options_.commit_rows));
        target.has_rows = false;
        pending.partition = partition_;
        pending.next_offset = next_offset_;
        const auto alerts = pending.alerts;
        const auto recommendations = pending.recommendations;
        const auto raw_events = pending.raw_events.size();
        const auto diagnostics = pending.diagnostics.size();
        FIELDWATCH_TRY(target.route.workspace->commit(std::move(pending)));
        target.committed = next_offset_;
        metrics_.commits.add();
        if (parts_.on_commit) parts_.on_commit({alerts, recommendations, raw_events, diagnostics});
    }
    if (!letters_.empty()) {
        metrics_.dead_letters.add(letters_.size());
        dead_letters_.add(std::move(letters_));
        letters_ = {};
    }
    pending_since_ = Time::max();
    committed_ = std::max(committed_.load(std::memory_order_relaxed), next_offset_);
    return {};
}

Result<void> Shard::publish_checkpoint() {
    if (next_offset_ == checkpoint_) return {};
    FIELDWATCH_TRY(commit(true));
    FIELDWATCH_TRY(facts_.flush());
    if (!facts_.settled()) return {};  // the next time: until then a restart tells them again
    // While old rows are replayed past us some workspace is ahead of the state; one that is behind forbids
    // publishing.
    for (const auto& [id, target] : targets_) {
        if (target.committed < next_offset_) return {};
    }
    Checkpoint checkpoint{.next_offset = next_offset_, .state = {}};
    core_->save(checkpoint.state);
    FIELDWATCH_TRY(checkpoints_.write(checkpoint));
    checkpoint_ = next_offset_;
    return parts_.journal.keep_from(kConsumer, {journal::Stream::Security, partition_, next_offset_});
}

void Shard::count(const LossLedger& before) {
    const auto& now = core_->losses();
    metrics_.events.add(now.events - before.events);
    metrics_.duplicates.add(now.duplicates - before.duplicates);
    metrics_.late.add(now.late - before.late);
    metrics_.refused_messages.add(now.refused_messages - before.refused_messages);
    metrics_.refused_events.add(now.refused_events - before.refused_events);
    metrics_.refused_operations.add(now.refused_operations - before.refused_operations);
}

}  // namespace fieldwatch::pipeline
