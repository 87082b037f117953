// Cloud-to-device messages: accepted durably, handed to one receiver at a time under a lock, settled by it or
// by time. MQTT, AMQP and HTTPS share it. Source: spec/iot-hub-protocols.md section 4.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/metrics.hpp"
#include "base/random.hpp"
#include "hub/operation.hpp"
#include "net/mailbox.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::hub {

struct CommandLimits {
    std::size_t queue_max = 50;
    std::size_t bytes_max = 64u << 10;  ///< counted as a device's message is
    Ticks ttl = std::chrono::hours(1);
    Ticks ttl_max = std::chrono::hours(48);
    std::uint32_t deliveries_max = 10;
    Ticks lock_for = std::chrono::seconds(60);  ///< AMQP and HTTPS; MQTT holds until its connection ends
    /// Of what services read, feedback and uploaded files; the public service's defaults.
    Ticks notice_ttl = std::chrono::hours(1);
    Ticks notice_lock_for = std::chrono::seconds(60);  ///< over HTTPS
    std::uint32_t notice_deliveries_max = 100;         ///< then it is dropped
    std::size_t notices_max = 10'000;  ///< of a hub and kind, about 4 MB; then the oldest is dropped
};

/// A message that its receiver holds; whoever shows the token settles it.
struct Delivery {
    registry::Command command;
    std::string lock_token;  ///< a UUID
};

/// Any thread; calls block on the registry, so they run on a worker. `log` tells of every step.
class Commands {
  public:
    Commands(registry::Registry& registry, const OperationLog& log, const Clock& clock, Random& random,
             Metrics& metrics, CommandLimits limits)
        : registry_(registry),
          log_(log),
          clock_(clock),
          random_(random),
          limits_(limits),
          notices_dropped_(metrics.counter("fieldwatch_hub_notices_dropped_total",
                                           "Feedback and file notices that no service completed in time")) {}

    /// Called with a receiver that has something to take. Set once, before the first call.
    void on_waiting(std::function<void(const model::Identity&)> wake) { wake_ = std::move(wake); }
    /// Called when services have something to read (Notices of that hub and kind). Any thread.
    void on_notice(std::function<void(const model::HubName&, registry::NoticeKind)> wake) {
        notice_wake_ = std::move(wake);
    }

    /// Durable when it returns. `command` has the receiver, properties (with `iothub-ack`,
    /// `absolute-expiry-time`) and body. Errors: NotFound (404001), Exhausted (403004), TooLarge (413001),
    /// InvalidArgument (an expiry or acknowledgement that is none).
    Result<registry::Command> send(registry::Command command, const Speaker& by);

    struct Take {
        std::size_t count_max = 1;
        std::uint64_t holder = 0;       ///< a session's id: release() gives back what it holds; 0 = nobody's
        std::optional<Ticks> lock_for;  ///< none = until the holder settles or goes
        bool sends_once = false;        ///< MQTT: remember that it was sent, for the DUP flag
    };
    /// The oldest messages that nobody holds.
    Result<std::vector<Delivery>> take(const model::Identity& identity, const Take& take, const Speaker& by);
    /// Errors: Conflict (412002) when the lock is over or somebody else's.
    Result<void> complete(const model::Identity& identity, std::string_view lock_token, const Speaker& by);
    Result<void> reject(const model::Identity& identity, std::string_view lock_token, const Speaker& by);
    Result<void> abandon(const model::Identity& identity, std::string_view lock_token, const Speaker& by);
    /// The holder is gone: what it held is free again, with the same delivery count.
    void release(std::uint64_t holder);
    /// Returns how many were removed.
    Result<std::size_t> purge(const model::Identity& identity, const Speaker& by);
    Result<std::uint64_t> count(const model::Identity& identity) { return store().count(identity); }

    /// Dead-letters what is past its time, frees what was locked too long, and writes down what notices had
    /// to go. Now and then, on a worker.
    void sweep();

    /// Whether the identity's stored MQTT session subscribes to its messages.
    Result<bool> subscribed(const model::Identity& identity);
    /// In force at once; kept when keep_subscription() has run (on a worker).
    void set_subscribed(const model::Identity& identity, bool subscribed);
    void keep_subscription(const model::Identity& identity);

    const CommandLimits& limits() const { return limits_; }

    /// Feedback, or uploaded files, as a service reads them: at most 64 in one JSON array.
    struct NoticeBatch {
        model::HubName hub;
        std::string body;
        std::vector<std::uint64_t> sequences;
    };
    /// What no reader holds and is not past its time; nullopt when there is nothing. A reader that `locks`
    /// (over HTTPS, where nothing tells that it is gone) holds it for notice_lock_for; sweep() gives it back.
    Result<std::optional<NoticeBatch>> take_notices(const model::HubName& hub, registry::NoticeKind kind,
                                                    bool locks = false);
    Result<void> complete_notices(const NoticeBatch& batch);
    /// The reader is gone, and had no say.
    void release_notices(const NoticeBatch& batch);
    /// The reader gave it back. Who was given it as often as may be has it dropped. Counts are this run's:
    /// the age bounds what a restart forgets.
    void abandon_notices(const NoticeBatch& batch);
    Result<void> add_notice(const model::HubName& hub, registry::NoticeKind kind, std::string_view json);

  private:
    struct Lock {
        model::Identity identity;
        std::string token;
        std::uint64_t holder = 0;
        std::optional<Timestamp> until;
    };
    using NoticeQueue = std::pair<model::HubName, registry::NoticeKind>;
    struct Held {
        std::map<std::uint64_t, Lock> locks;  ///< by sequence; at most queue_max a device
        /// The last ones settled: who read the queue before must not hand them out again.
        std::set<std::uint64_t> settled;
        std::deque<std::uint64_t> settled_order;
        std::map<std::uint64_t, std::optional<Timestamp>> notices;  ///< held, until when
        std::map<std::uint64_t, std::uint32_t> abandoned;  ///< notices, how often; kAbandonedKept at most
        std::map<NoticeQueue, std::int64_t> notices_gone;  ///< since the last record of it
        Timestamp notices_looked_at{0};
        struct Subscription {
            bool wanted = false, writing = false;
        };
        std::map<model::Identity, Subscription> subscriptions;  ///< not yet in the registry
    };
    enum class Outcome : std::uint8_t { Success, Expired, DeliveryCountExceeded, Rejected, Purged };

    registry::CommandStore& store() { return registry_.commands(); }
    bool lock(Held& held, const registry::Command& command, const Take& take, std::string& token);
    Result<registry::Command> held_by(const model::Identity& identity, std::string_view token);
    Result<void> settle(const registry::Command& command, Outcome outcome);
    std::string feedback(const registry::Command& command, Outcome outcome);
    void log(std::string_view name, const registry::Command& command, const Speaker& by, int result = 0,
             std::string_view description = {}) const;
    Result<void> check(registry::Command& command) const;
    void drop_old_notices(Timestamp now);
    void count_gone(const model::HubName& hub, registry::NoticeKind kind, std::size_t count);

    registry::Registry& registry_;
    const OperationLog& log_;
    const Clock& clock_;
    Random& random_;
    const CommandLimits limits_;
    Counter& notices_dropped_;
    std::function<void(const model::Identity&)> wake_;
    std::function<void(const model::HubName&, registry::NoticeKind)> notice_wake_;
    net::Guarded<Held> held_;
};

/// The six-digit code of a refused command call.
int command_error_code(const Error& error);

}  // namespace fieldwatch::hub
