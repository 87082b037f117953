// What the sessions of a server share, and what those of one core share. Inside src/hub only.
#pragma once

#include <atomic>
#include <functional>
#include <unordered_map>

#include "hub/authentication.hpp"
#include "hub/commands.hpp"
#include "hub/defender.hpp"
#include "hub/endpoint.hpp"
#include "hub/failure_table.hpp"
#include "hub/ingress.hpp"
#include "hub/methods.hpp"
#include "hub/operation.hpp"
#include "hub/rate.hpp"
#include "hub/server.hpp"
#include "hub/session_table.hpp"
#include "hub/telemetry_metrics.hpp"
#include "hub/throttles.hpp"
#include "model/record.hpp"
#include "net/mailbox.hpp"

namespace fieldwatch::hub {

class Provisioning;
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
    Counter& slow_consumers;
    Counter& addresses_refused;
    Counter& twin_operations;
    Counter& defender_reports;
    Counter& defender_rejected;
    Counter& metric_messages;
    Counter& metric_messages_dropped;
    Counter& metric_bodies_unread;
};

/// Any thread.
struct Shared {
    Shared(Parts its_parts, const Options& its_options)
        : parts(std::move(its_parts)),
          options(its_options),
          hubs(parts.registry),
          route_twins(parts.registry, parts.clock),
          log(parts.journal, parts.partition_count, parts.clock, parts.metrics),
          counters(parts.metrics),
          failures(FailureTable(options.failures_per_minute)),
          connects(TokenBucket(options.connects_per_second, options.connects_burst)),
          throttles(options.rates, {options.publishes_per_second, options.publishes_burst}, log,
                    parts.metrics),
          defender(options.defender_interval),
          commands(parts.registry, log, parts.clock, parts.random, parts.metrics, options.commands),
          methods(
              table,
              [this](SessionTable::Where where, std::move_only_function<void(Endpoint*)> work) {
                  on_endpoint(where, std::move(work));
              },
              log, parts.clock, options.methods) {}
    Parts parts;
    Options options;
    HubCache hubs;
    RouteTwins route_twins;
    OperationLog log;
    Counters counters;
    SessionTable table;
    net::Guarded<FailureTable> failures;
    net::Guarded<TokenBucket> connects;
    Throttles throttles;
    DefenderTable defender;
    Commands commands;
    Methods methods;
    IngressTable ingress;
    ChosenMetrics chosen_metrics;
    Provisioning* provisioning = nullptr;  ///< of the server; there as long as this is
    /// Runs a function on the strand of an endpoint of any core, from any thread; with null when it is gone.
    std::function<void(SessionTable::Where, std::move_only_function<void(Endpoint*)>)> on_endpoint;
    std::atomic<std::uint64_t> ids{1};

    /// An endpoint's id, unique over all listeners; never 0.
    std::uint64_t next_id() { return ids.fetch_add(1, std::memory_order_relaxed); }
    /// Ends an endpoint of any core, from any core.
    void close(SessionTable::Where where, int result, std::string_view why) {
        on_endpoint(where, [result, text = std::string(why)](Endpoint* endpoint) {
            if (endpoint != nullptr) endpoint->end(result, text);
        });
    }
    /// Tells an identity's endpoint, if there is one, that messages wait.
    void wake(const model::Identity& identity) {
        if (const auto where = table.find(identity)) {
            on_endpoint(*where, [](Endpoint* endpoint) {
                if (endpoint != nullptr) endpoint->commands_waiting();
            });
        }
    }
    /// The server's rate of connects, and that of the hub that `host` names; before anybody is authenticated.
    bool admits_connect(std::string_view host, Speaker speaker);
    /// What became of a refused connect, for the log (condensed by FailureTable) and the counters. `speaker`
    /// has all but the identity.
    void log_refusal(const Refusal& refusal, Speaker speaker, std::string_view device,
                     std::string_view module);
};

/// Why a connection ended whose peer let more wait than a session may hold.
inline constexpr std::string_view kTooSlow = "the connection was closed: it does not read what it is sent";

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
    HubCache& hubs;
    std::unordered_map<std::uint64_t, Session*>
        sessions;  ///< of MQTT, those alive; they enter and leave by themselves
    std::unordered_map<std::uint64_t, Endpoint*> endpoints;  ///< of every protocol, likewise
    model::Record scratch;  ///< the message being appended: its strings keep their capacity
    net::Mailbox<Mail> mailbox;
    /// Callbacks that still may come, from the journal or a worker; stop() waits for none.
    std::atomic<std::uint64_t> outstanding{0};

    void deliver(std::vector<Mail>& mails);
};

}  // namespace fieldwatch::hub
