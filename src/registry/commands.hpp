// Cloud-to-device messages, kept until somebody settles them, and what services are to hear of it. Rows of
// the registry: accepting one is durable like any change here. Who holds which message at the moment is the
// hub's business (hub/commands.hpp). Source: spec/iot-hub-protocols.md section 4.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "model/ids.hpp"

namespace fieldwatch::registry {

struct Command {
    model::Identity identity;    ///< the receiver
    std::uint64_t sequence = 0;  ///< grows over all receivers; never used again
    /// As a record has them: system ones by name ("message-id"), then the application's.
    std::vector<std::pair<std::string, std::string>> properties;
    std::string body;
    Timestamp enqueued, expiry;
    std::uint32_t delivery_count = 0;  ///< how often it was abandoned
    bool sent = false;                 ///< over MQTT, perhaps without an acknowledgement

    /// "" when there is none.
    std::string_view property(std::string_view name) const {
        for (const auto& [its_name, value] : properties) {
            if (its_name == name) return value;
        }
        return {};
    }
};

/// What a service reads: feedback on messages, or files that devices have uploaded.
enum class NoticeKind : std::uint8_t { Feedback = 0, File = 1 };
struct Notice {
    std::uint64_t sequence = 0;
    std::string body;  ///< JSON object
    Timestamp created;
};
struct NewNotice {
    NoticeKind kind = NoticeKind::Feedback;
    std::string_view json;
    Timestamp created;
    std::size_t count_max = 0;  ///< of its hub and kind: the oldest go, so that this one is kept
};
struct NoticesGone {
    model::HubName hub;
    NoticeKind kind = NoticeKind::Feedback;
    std::size_t count = 0;
};

/// Any thread; short and blocking like every call of the registry.
class CommandStore {
  public:
    virtual ~CommandStore() = default;
    /// Errors: NotFound (no such receiver), Exhausted (`queue_max` wait already).
    virtual Result<Command> enqueue(Command command, std::size_t queue_max) = 0;
    /// The oldest first.
    virtual Result<std::vector<Command>> waiting(const model::Identity& identity, std::size_t count_max) = 0;
    virtual Result<std::uint64_t> count(const model::Identity& identity) = 0;
    /// Over all receivers, those past their time.
    virtual Result<std::vector<Command>> expired(Timestamp now, std::size_t count_max) = 0;
    virtual Result<void> mark_sent(const std::vector<std::uint64_t>& sequences) = 0;
    /// Takes the message off its queue, and leaves the feedback (none = nobody asked) for services. Returns
    /// how many older notices had to go for it. Errors: NotFound when it is gone.
    virtual Result<std::size_t> settle(const model::HubName& hub, std::uint64_t sequence,
                                       const std::optional<NewNotice>& feedback) = 0;
    /// Returns the new count. Errors: NotFound.
    virtual Result<std::uint32_t> raise_delivery_count(std::uint64_t sequence) = 0;

    /// Returns how many older ones had to go for it.
    virtual Result<std::size_t> add_notice(const model::HubName& hub, const NewNotice& notice) = 0;
    /// The oldest first, of those younger than `created_after`.
    virtual Result<std::vector<Notice>> notices(const model::HubName& hub, NoticeKind kind,
                                                Timestamp created_after, std::size_t count_max) = 0;
    virtual Result<void> remove_notices(const model::HubName& hub,
                                        const std::vector<std::uint64_t>& sequences) = 0;
    /// Removes those of every hub that are as old as `created`, or older.
    virtual Result<std::vector<NoticesGone>> remove_notices_until(Timestamp created) = 0;

    /// Whether the identity's stored MQTT session subscribes to its messages (clean session 0).
    virtual Result<bool> subscribed(const model::Identity& identity) = 0;
    virtual Result<void> set_subscribed(const model::Identity& identity, bool subscribed) = 0;
};

}  // namespace fieldwatch::registry
