// What one partition's log means: decode, enrich, detect, record by record. No I/O, no clock, no threads: the
// server's shards, replay, backtest and the offline engine run exactly this (design 3a, "Same log, same
// alerts").
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "detect/engine.hpp"
#include "detect/rule_watcher.hpp"
#include "model/event.hpp"
#include "model/finding.hpp"
#include "model/record.hpp"
#include "pipeline/decode/operation.hpp"
#include "pipeline/decode/security_message.hpp"
#include "pipeline/enrich/duplicates.hpp"
#include "pipeline/enrich/event_time.hpp"
#include "pipeline/enrich/seen_operations.hpp"

namespace fieldwatch::pipeline {

/// Where a content version that the log names is found. Errors: NotFound, or what keeps it from compiling.
using ContentLookup = std::function<Result<detect::ContentPtr>(std::string_view hash)>;

/// What became of everything that came in, since the shard's log began: part of its state.
struct LossLedger {
    std::uint64_t messages = 0, events = 0, duplicates = 0, id_reuse = 0, late = 0, refused_messages = 0,
                  refused_events = 0, compat = 0, benign = 0, operations = 0, refused_operations = 0,
                  repeated_changes = 0,  ///< registry changes that the log holds twice, after a crash
        repeated_facts = 0;              ///< likewise what shards tell each other
};

/// A record for the shard that looks at a group of the whole fleet.
struct FactRecord {
    std::uint32_t partition = 0;
    model::Record record;
};

/// What one record came to. Spans and views are valid until the core's next call.
struct Outcome {
    std::vector<const model::Event*> events;  ///< to be stored: conforming, seen for the first time
    std::span<const OperationDecoder::Decoded> operations;
    std::vector<model::Finding> findings;  ///< in the order in which they were decided; dead letters too
    /// What is to be appended to the log before a checkpoint may name the record: whoever reads them drops
    /// what it has had.
    std::vector<FactRecord> facts;
};

/// One strand.
class ShardCore {
  public:
    struct Options {
        DecodeOptions decode;
        std::uint32_t partition_count = 1;  ///< of the log: says which shard looks at a hub as a whole
        detect::Watch watch = {};           ///< of its rules
        /// This core sees the whole input, and what devices tell of each other meets in it at once.
        bool is_whole = false;
    };
    /// Time goes on at least this often: ticks of the log, or the receive times of its records.
    static constexpr Ticks kAdvanceInterval = std::chrono::seconds(5);

    ShardCore(detect::ContentPtr content, std::string content_hash, ContentLookup lookup, Options options);

    /// Records must come in log order. Errors: only what keeps the log from being understood (content that is
    /// missing); whatever a device sends ends in the outcome.
    Result<void> process(const model::RecordView& record, model::LogPosition position, Outcome& out);
    /// Time runs on to `now` without a record: the end of recorded input.
    void run_on(Timestamp now, Outcome& out);

    const LossLedger& losses() const { return losses_; }
    std::string_view content_hash() const { return content_hash_; }
    Timestamp now() const { return now_; }

    void save(Bytes& out) const;
    /// Switches to the content that the state was saved under. Errors: Corrupt, Unsupported, and the
    /// lookup's.
    Result<void> restore(ByteView state);

  private:
    Result<void> dispatch(const model::RecordView& record, model::LogPosition position, Outcome& out);
    void advance(Timestamp now, Outcome& out);
    void security_message(const model::RecordView& record, model::LogPosition position, Outcome& out);
    void operations(const model::RecordView& record, model::LogPosition position, Outcome& out);
    void registry_change(const model::RecordView& record, model::LogPosition position, Outcome& out);
    model::ShardRole role_of(const model::RecordView& record, model::LogPosition position);
    void fleet_fact(const model::RecordView& record, model::LogPosition position, Outcome& out);
    void tell_fleet(model::LogPosition position, Outcome& out);
    Result<void> switch_content(std::string_view hash);
    void alert_state(const model::RecordView& record, model::LogPosition position, Outcome& out);
    void dead_letter(const model::RecordView& record, model::LogPosition position, std::string reason,
                     Outcome& out) const;
    bool is_first(const model::Event& event);

    Options options_;
    ContentLookup lookup_;
    std::string content_hash_;
    std::unique_ptr<detect::Engine> engine_;
    SecurityMessageDecoder messages_;
    OperationDecoder operation_decoder_;
    json::Reader control_reader_;
    EventTimes times_;
    Duplicates duplicates_;
    SeenOperations seen_operations_;
    LossLedger losses_;
    Timestamp now_{0}, advanced_{0};
    Result<void> restore_facts(ByteReader& in);

    /// By partition that facts came from: the last one seen, as (offset, number).
    std::map<std::uint32_t, std::pair<std::uint64_t, std::uint32_t>> facts_seen_;
    std::uint64_t registry_sequence_ = 0;  ///< the highest seen; changes at or below it have been applied
    std::string identity_;                 // scratch
    model::HubName hub_name_;              // scratch
    model::DeviceId device_id_;            // scratch
};

}  // namespace fieldwatch::pipeline
