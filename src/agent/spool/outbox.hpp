// Events that wait to be sent: three queues with reserved shares, exact bytes, and messages made of them. An
// event leaves only when the hub has acknowledged the message it was in.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "fieldwatch/security_message.h"

namespace fieldwatch::agent {

enum class Queue : std::uint8_t { High, Low, Operational };
inline constexpr std::size_t kQueueCount = 3;

struct WaitingEvent {
    std::uint64_t number = 0;  ///< unique in this installation's spool
    Queue queue = Queue::Low;
    bool spooled = false;       ///< also on disk
    std::int64_t since_ns = 0;  ///< monotonic, when it came
    std::string json;
};

struct QueueCounters {
    std::uint64_t collected = 0;
    std::uint64_t dropped_full = 0;
    std::uint64_t dropped_large = 0;
};

/// One thread. Bounded by `cache_bytes`: when full, the queue over its reserved share loses its oldest, Low
/// before High before Operational; each loss is counted, and told to `on_gone`.
class Outbox {
  public:
    struct Options {
        std::size_t cache_bytes = 2'560'000;
        std::size_t message_bytes = 204'800;
    };
    explicit Outbox(Options options) : options_(options) {}
    void set_options(Options options);

    void add(Queue queue, std::string json, std::int64_t now_ns);
    void restore(WaitingEvent event);  ///< from the spool, oldest first

    /// Takes events for one message: Operational first, then `trigger`, then from the other queue what fits
    /// into the last begun block of 4,096 bytes. Nothing waiting there = an empty list. The events are in
    /// flight until acknowledged() or lost().
    struct Batch {
        std::uint64_t id = 0;
        std::vector<const WaitingEvent*> events;
        std::size_t bytes = 0;  ///< of the events' JSON and the commas between them
    };
    Batch take(Queue trigger, std::size_t envelope_bytes);
    void acknowledged(std::uint64_t batch);
    void lost(std::uint64_t batch);  ///< back to the front, in order
    void lose_all();

    bool empty(Queue queue) const { return queues_[index(queue)].empty(); }
    bool has_in_flight() const { return !in_flight_.empty(); }
    std::size_t waiting() const;                ///< events, in flight ones included
    std::size_t bytes() const;                  ///< idem
    std::int64_t oldest_ns(Queue queue) const;  ///< when its first event came; INT64_MAX if none
    std::size_t message_bytes() const { return options_.message_bytes; }
    std::size_t cache_bytes() const { return options_.cache_bytes; }

    QueueCounters counters(Queue queue) const { return counters_[index(queue)]; }
    /// Every event that is not yet on disk, for the spool to write; marks them.
    void spool_unwritten(std::int64_t older_than_ns, const std::function<bool(const WaitingEvent&)>& write);
    /// Gives every event that is not yet on disk a number above `taken` and above all that were given.
    void renumber_unspooled(std::uint64_t taken);
    /// Writes these once more, in the order of their queues.
    void spool_again(const std::vector<std::uint64_t>& numbers,
                     const std::function<bool(const WaitingEvent&)>& write) const;
    void each(const std::function<void(const WaitingEvent&)>& visit) const;
    std::function<void(const WaitingEvent&)> on_gone;  ///< acknowledged or dropped

    std::uint64_t next_number() const { return next_number_; }

  private:
    static std::size_t index(Queue queue) { return static_cast<std::size_t>(queue); }
    void shrink();
    bool drop_oldest(Queue queue);
    void drop_large(Queue queue);
    WaitingEvent pop(Queue queue);

    Options options_;
    std::array<std::deque<WaitingEvent>, kQueueCount> queues_;
    std::array<std::size_t, kQueueCount> bytes_{};
    std::map<std::uint64_t, std::vector<WaitingEvent>> in_flight_;  // by batch
    std::size_t in_flight_bytes_ = 0;
    std::array<QueueCounters, kQueueCount> counters_{};
    std::uint64_t next_number_ = 1;
    std::uint64_t next_batch_ = 1;
};

/// Body of a message: the envelope around events' JSON. Errors: TooLarge.
Result<std::string> build_message(std::string_view agent_version, std::string_view agent_id,
                                  const std::vector<const WaitingEvent*>& events);
std::size_t envelope_bytes(std::string_view agent_version, std::string_view agent_id);

}  // namespace fieldwatch::agent
