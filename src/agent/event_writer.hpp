// Observations become events here: encoded by their schema, put into the queue that the twin's priority for
// their kind names. Between the collectors' records and the outbox.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/aggregation/observation.hpp"
#include "agent/spool/outbox.hpp"
#include "agent/twin/settings.hpp"
#include "base/clock.hpp"
#include "base/random.hpp"

namespace fieldwatch::agent {

/// One thread; lives as long as the twin and the outbox it was given. Kinds whose priority is Off are left
/// out; what cannot be encoded is said in the log.
class EventWriter {
  public:
    EventWriter(const Twin& twin, Outbox& outbox, const Clock& clock, Random& random);

    void emit(const Observation& observation);
    /// All payloads in one event, or in several that carry the same SnapshotId when they are too many.
    void emit_snapshot(fieldwatch_kind kind, std::vector<Observation> payloads);
    void emit_findings(const std::vector<ConfigurationFinding>& findings);
    void diagnose(std::string_view severity, std::string message);

    /// Evidence of what happened while the agent stood still; the first event of a run. It waits among the
    /// operational ones, which are dropped last: without it, nobody knows that a run's first events are gone.
    struct Start {
        std::string previous_sequences;  ///< sequences() of the run before, "" = not known
        std::uint64_t spool_breaks = 0;
        std::uint64_t spool_torn_bytes = 0;
    };
    void tell_start(const Start& start);
    /// Each queue's marker and the highest number that it has given: `GUID:NUMBER`, three, by blanks.
    std::string sequences() const;

    fieldwatch_priority priority(fieldwatch_kind kind) const {
        return twin_.settings().priority[static_cast<std::size_t>(kind)];
    }
    bool is_off(fieldwatch_kind kind) const { return priority(kind) == FIELDWATCH_PRIORITY_OFF; }

  private:
    Queue queue_of(fieldwatch_kind kind) const;
    void enqueue(fieldwatch_kind kind, Queue queue, const std::vector<const Observation*>& payloads);

    const Twin& twin_;
    Outbox& outbox_;
    const Clock& clock_;
    Random& random_;
    // A marker per queue: within one, sequences arrive in order.
    std::array<std::string, kQueueCount> boot_ids_;
    std::array<std::uint64_t, kQueueCount> sequences_{};
};

}  // namespace fieldwatch::agent
