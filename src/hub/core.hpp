// What the sessions of a server share, and what those of one core share. Inside src/hub only.
#pragma once

#include <atomic>
#include <functional>
#include <unordered_map>

#include "hub/authentication.hpp"
#include "hub/failure_table.hpp"
#include "hub/operation.hpp"
#include "hub/rate.hpp"
#include "hub/server.hpp"
#include "hub/session_table.hpp"
#include "model/record.hpp"
#include "net/mailbox.hpp"

namespace fieldwatch::hub {

class Session;

struct Counters {
    explicit Counters(Metrics& metrics);
    Counter& connects;
    Counter& connect_failures;
    Counter& publishes;
    Counter& publish_bytes;
    Counter& security_messages;
    Counter& acknowledged;
    Counter& refused_messages;
    Counter& properties_dropped;
    Counter& stalled;
    Counter& throttled;
    Counter& twin_operations;
};

/// Any thread.
struct Shared {
    Shared(Parts its_parts, const Options& its_options)
        : parts(std::move(its_parts)),
          options(its_options),
          log(parts.journal, parts.partition_count, parts.clock, parts.metrics),
          counters(parts.metrics),
          failures(FailureTable(options.failures_per_minute)),
          connects(TokenBucket(options.connects_per_second, options.connects_burst)) {}
    Parts parts;
    Options options;
    OperationLog log;
    Counters counters;
    SessionTable table;
    net::Guarded<FailureTable> failures;
    net::Guarded<TokenBucket> connects;
    /// Ends a session of any core, from any core.
    std::function<void(unsigned core, std::uint64_t session, int result, std::string_view why)>
        close_elsewhere;
};

/// What other threads tell a session.
struct Mail {
    enum class Kind : std::uint8_t { DurableSecurity, DurableTelemetry, JournalFailed, JournalHasSpace };
    std::uint64_t session = 0;
    Kind kind = Kind::DurableSecurity;
};

/// The sessions of one core; its strand, but for the mailbox and the counts.
struct Core {
    Core(unsigned its_index, Shared& its_shared);

    unsigned index;
    Shared& shared;
    HubCache hubs;
    std::unordered_map<std::uint64_t, Session*>
        sessions;           ///< those alive; they enter and leave by themselves
    model::Record scratch;  ///< the message being appended: its strings keep their capacity
    net::Mailbox<Mail> mailbox;
    /// Callbacks that still may come, from the journal or a worker; stop() waits for none.
    std::atomic<std::uint64_t> outstanding{0};

    void deliver(std::vector<Mail>& mails);
};

}  // namespace fieldwatch::hub
