#include "hub/commands.hpp"

#include <algorithm>

#include "base/json_text.hpp"
#include "base/log.hpp"
#include "base/uuid.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::size_t kSettledKept = 4'096;
constexpr std::size_t kSweepMax = 500;
constexpr std::size_t kNoticesMax = 64;  // of one batch, section 4
constexpr std::size_t kAbandonedKept = 4'096;
constexpr std::chrono::minutes kNoticeLook{1};  // it reads their whole table

std::string_view ack_of(const registry::Command& command) {
    const auto ack = command.property("iothub-ack");
    return ack.empty() ? "none" : ack;
}

/// As the log spells it: spec/hub-signals.md section 2.
std::string_view ack_name(std::string_view ack) {
    if (ack == "positive") return "PositiveOnly";
    if (ack == "negative") return "NegativeOnly";
    return ack == "full" ? "Full" : "None";
}

std::string text_of(Ticks span) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(span).count());
}

}  // namespace

int command_error_code(const Error& error) {
    switch (error.code) {
        case Errc::NotFound:
            return 404001;
        case Errc::Exhausted:
            return 403004;
        case Errc::TooLarge:
            return 413001;
        case Errc::InvalidArgument:
        case Errc::Malformed:
            return 400004;
        case Errc::Conflict:
            return 412002;
        default:
            return 500001;
    }
}

Result<void> Commands::check(registry::Command& command) const {
    std::size_t size = command.body.size();
    for (const auto& [name, value] : command.properties)
        size += name.size() + value.size();
    if (size > limits_.bytes_max) {
        return fail(Errc::TooLarge, "a message to a device has at most 65536 bytes, properties included");
    }
    const auto ack = ack_of(command);
    if (ack != "none" && ack != "positive" && ack != "negative" && ack != "full") {
        return fail(Errc::InvalidArgument, "iothub-ack is none, positive, negative or full");
    }
    command.enqueued = clock_.now();
    command.expiry = command.enqueued + limits_.ttl;
    if (const auto text = command.property("absolute-expiry-time"); !text.empty()) {
        const auto time = parse_iso8601(text);
        if (!time) return fail(Errc::InvalidArgument, "absolute-expiry-time is no ISO 8601 time");
        command.expiry = std::min(time->time, command.enqueued + limits_.ttl_max);
        if (command.expiry <= command.enqueued)
            return fail(Errc::InvalidArgument, "absolute-expiry-time lies in the past");
    }
    return {};
}

Result<registry::Command> Commands::send(registry::Command command, const Speaker& by) {
    const auto refuse = [&](const Error& error) {
        log("send", command, by, command_error_code(error), error.message);
        return std::unexpected(error);
    };
    std::erase_if(command.properties, [](const auto& property) { return property.first == "to"; });
    std::string to = "/devices/" + percent_encode(command.identity.device.value);
    if (!command.identity.module.empty()) to += "/modules/" + percent_encode(command.identity.module.value);
    command.properties.emplace(command.properties.begin(), "to", to + "/messages/devicebound");
    if (const auto fine = check(command); !fine) return refuse(fine.error());
    auto accepted = store().enqueue(command, limits_.queue_max);
    if (!accepted) return refuse(accepted.error());
    log("send", *accepted, by);
    if (wake_) wake_(accepted->identity);
    return accepted;
}

bool Commands::lock(Held& held, const registry::Command& command, const Take& take, std::string& token) {
    if (held.settled.contains(command.sequence)) return false;
    const auto now = clock_.now();
    const auto found = held.locks.find(command.sequence);
    if (found != held.locks.end() && (!found->second.until || *found->second.until > now)) return false;
    token = Uuid::random(random_).text();
    Lock fresh{.identity = command.identity, .token = token, .holder = take.holder, .until = std::nullopt};
    if (take.lock_for) fresh.until = now + *take.lock_for;
    held.locks[command.sequence] = std::move(fresh);
    return true;
}

Result<std::vector<Delivery>> Commands::take(const model::Identity& identity, const Take& take,
                                             const Speaker& by) {
    auto waiting = FIELDWATCH_TRY(store().waiting(identity, limits_.queue_max));
    std::vector<Delivery> out;
    std::vector<std::uint64_t> first_time;
    for (auto& command : waiting) {
        if (out.size() >= take.count_max) break;
        if (command.expiry <= clock_.now()) continue;  // sweep() tells of it
        std::string token;
        if (!held_.with([&](Held& held) { return lock(held, command, take, token); })) continue;
        if (take.sends_once && !command.sent) first_time.push_back(command.sequence);
        out.push_back({std::move(command), std::move(token)});
    }
    FIELDWATCH_TRY(store().mark_sent(first_time));
    for (const auto& delivery : out)
        log("deliver", delivery.command, by);
    return out;
}

Result<registry::Command> Commands::held_by(const model::Identity& identity, std::string_view token) {
    const auto sequence = held_.with([&](Held& held) -> std::uint64_t {
        const auto found = std::find_if(held.locks.begin(), held.locks.end(), [&](const auto& entry) {
            return entry.second.token == token && entry.second.identity == identity;
        });
        if (found == held.locks.end()) return 0;
        if (found->second.until && *found->second.until <= clock_.now()) return 0;
        return found->first;
    });
    for (auto& command : FIELDWATCH_TRY(store().waiting(identity, limits_.queue_max))) {
        if (sequence != 0 && command.sequence == sequence) return std::move(command);
    }
    return fail(Errc::Conflict, "the lock of the message is over, or was never this receiver's");
}

std::string Commands::feedback(const registry::Command& command, Outcome outcome) {
    const auto ack = ack_of(command);
    const bool good = outcome == Outcome::Success;
    if (ack == "none" || (ack == "positive" && !good) || (ack == "negative" && good)) return {};
    static constexpr std::string_view kNames[] = {"Success", "Expired", "DeliveryCountExceeded", "Rejected",
                                                  "Purged"};
    static constexpr std::string_view kDescriptions[] = {"Success", "Message expired",
                                                         "Message delivery count exceeded",
                                                         "Message rejected", "Message purged"};
    const auto entry = registry_.get(command.identity);
    const auto index = static_cast<std::size_t>(outcome);
    std::string text;
    JsonWriter json(text);
    json.begin_object()
        .member("originalMessageId", command.property("message-id"))
        .member("enqueuedTimeUtc", to_iso8601(clock_.now()))
        .member("statusCode", kNames[index])
        .member("description", kDescriptions[index])
        .member("deviceId", command.identity.device.value);
    if (!command.identity.module.empty()) json.member("moduleId", command.identity.module.value);
    json.member("deviceGenerationId", entry ? entry->generation_id : std::string()).end_object();
    return text;
}

Result<void> Commands::settle(const registry::Command& command, Outcome outcome) {
    const auto text = feedback(command, outcome);
    std::optional<registry::NewNotice> notice;
    if (!text.empty()) {
        notice = {.kind = registry::NoticeKind::Feedback,
                  .json = text,
                  .created = clock_.now(),
                  .count_max = limits_.notices_max};
    }
    count_gone(command.identity.hub, registry::NoticeKind::Feedback,
               FIELDWATCH_TRY(store().settle(command.identity.hub, command.sequence, notice)));
    held_.with([&](Held& held) {
        held.locks.erase(command.sequence);
        if (held.settled.insert(command.sequence).second) held.settled_order.push_back(command.sequence);
        if (held.settled_order.size() > kSettledKept) {
            held.settled.erase(held.settled_order.front());
            held.settled_order.pop_front();
        }
    });
    if (!text.empty() && notice_wake_) notice_wake_(command.identity.hub, registry::NoticeKind::Feedback);
    return {};
}

Result<void> Commands::complete(const model::Identity& identity, std::string_view token, const Speaker& by) {
    const auto command = FIELDWATCH_TRY(held_by(identity, token));
    FIELDWATCH_TRY(settle(command, Outcome::Success));
    log("complete", command, by);
    return {};
}

Result<void> Commands::reject(const model::Identity& identity, std::string_view token, const Speaker& by) {
    const auto command = FIELDWATCH_TRY(held_by(identity, token));
    FIELDWATCH_TRY(settle(command, Outcome::Rejected));
    log("reject", command, by);
    return {};
}

Result<void> Commands::abandon(const model::Identity& identity, std::string_view token, const Speaker& by) {
    auto command = FIELDWATCH_TRY(held_by(identity, token));
    command.delivery_count = FIELDWATCH_TRY(store().raise_delivery_count(command.sequence));
    log("abandon", command, by);
    if (command.delivery_count >= limits_.deliveries_max) {
        FIELDWATCH_TRY(settle(command, Outcome::DeliveryCountExceeded));
        log("deliver", command, by, 500001, "The message was delivered as often as it may be.");
        return {};
    }
    held_.with([&](Held& held) { held.locks.erase(command.sequence); });
    if (wake_) wake_(identity);
    return {};
}

void Commands::release(std::uint64_t holder) {
    std::set<model::Identity> free;
    held_.with([&](Held& held) {
        std::erase_if(held.locks, [&](const auto& entry) {
            if (entry.second.holder != holder) return false;
            free.insert(entry.second.identity);
            return true;
        });
    });
    if (!wake_) return;
    for (const auto& identity : free)
        wake_(identity);
}

Result<std::size_t> Commands::purge(const model::Identity& identity, const Speaker& by) {
    const auto waiting = FIELDWATCH_TRY(store().waiting(identity, limits_.queue_max));
    std::size_t count = 0;
    for (const auto& command : waiting) {
        if (settle(command, Outcome::Purged)) ++count;
    }
    Operation operation{.category = "C2DCommands", .name = "purge"};
    operation.counts.emplace_back("messageCount", static_cast<std::int64_t>(count));
    log_.append(operation, by);
    return count;
}

void Commands::sweep() {
    const auto now = clock_.now();
    const auto overdue = store().expired(now, kSweepMax);
    if (overdue) {
        for (const auto& command : *overdue) {
            if (!settle(command, Outcome::Expired)) continue;
            Speaker nobody;
            nobody.identity = command.identity;
            nobody.protocol.clear();
            log("messageExpired", command, nobody, 500001, "The message has expired.");
        }
    }
    std::set<model::Identity> free;
    held_.with([&](Held& held) {
        std::erase_if(held.locks, [&](const auto& entry) {
            if (!entry.second.until || *entry.second.until > now) return false;
            free.insert(entry.second.identity);
            return true;
        });
        std::erase_if(held.notices, [&](const auto& entry) { return entry.second && *entry.second <= now; });
    });
    drop_old_notices(now);
    if (!wake_) return;
    for (const auto& identity : free)
        wake_(identity);
}

void Commands::log(std::string_view name, const registry::Command& command, const Speaker& by, int result,
                   std::string_view description) const {
    Operation operation{
        .category = "C2DCommands", .name = name, .result = result, .description = description};
    auto& properties = operation.properties;
    properties.emplace_back("messageId", std::string(command.property("message-id")));
    properties.emplace_back("deliveryAcknowledgement", std::string(ack_name(ack_of(command))));
    properties.emplace_back("deliveryCount", std::to_string(command.delivery_count));
    if (command.expiry.ticks != 0) {
        properties.emplace_back("expiryTime", to_iso8601(command.expiry));
        properties.emplace_back("timeInSystem", text_of(clock_.now() - command.enqueued));
        properties.emplace_back("ttl", text_of(command.expiry - command.enqueued));
    }
    operation.counts.emplace_back("messageSizeInBytes", static_cast<std::int64_t>(command.body.size()));
    auto speaker = by;
    speaker.identity = command.identity;
    log_.append(operation, speaker);
}

Result<std::optional<Commands::NoticeBatch>> Commands::take_notices(const model::HubName& hub,
                                                                    registry::NoticeKind kind, bool locks) {
    const auto now = clock_.now();
    const auto notices =
        FIELDWATCH_TRY(store().notices(hub, kind, now - limits_.notice_ttl, kNoticesMax * 16));
    NoticeBatch batch{.hub = hub, .body = {}, .sequences = {}};
    std::vector<std::uint64_t> worn;
    // Uploaded files are told one by one, feedback as an array: section 7.7.
    const auto count_max = kind == registry::NoticeKind::File ? 1 : kNoticesMax;
    const auto until = locks ? std::optional(now + limits_.notice_lock_for) : std::nullopt;
    held_.with([&](Held& held) {
        for (const auto& notice : notices) {
            if (batch.sequences.size() >= count_max) break;
            const auto abandoned = held.abandoned.find(notice.sequence);
            if (abandoned != held.abandoned.end() && abandoned->second >= limits_.notice_deliveries_max) {
                held.abandoned.erase(abandoned);
                worn.push_back(notice.sequence);
                continue;
            }
            if (!held.notices.try_emplace(notice.sequence, until).second) continue;
            batch.body += (batch.body.empty() ? "" : ",") + notice.body;
            batch.sequences.push_back(notice.sequence);
        }
    });
    if (!worn.empty()) {
        if (const auto done = store().remove_notices(hub, worn); !done) {
            release_notices(batch);
            return std::unexpected(done.error());
        }
        count_gone(hub, kind, worn.size());
    }
    if (batch.sequences.empty()) return std::nullopt;
    if (kind == registry::NoticeKind::Feedback) batch.body = "[" + batch.body + "]";
    return batch;
}

Result<void> Commands::complete_notices(const NoticeBatch& batch) {
    FIELDWATCH_TRY(store().remove_notices(batch.hub, batch.sequences));
    held_.with([&](Held& held) {
        for (const auto sequence : batch.sequences) {
            held.notices.erase(sequence);
            held.abandoned.erase(sequence);
        }
    });
    return {};
}

void Commands::release_notices(const NoticeBatch& batch) {
    held_.with([&](Held& held) {
        for (const auto sequence : batch.sequences)
            held.notices.erase(sequence);
    });
}

void Commands::abandon_notices(const NoticeBatch& batch) {
    held_.with([&](Held& held) {
        for (const auto sequence : batch.sequences) {
            if (held.notices.erase(sequence) == 0) continue;  // its lock was over: no reader's to give
            ++held.abandoned[sequence];
            if (held.abandoned.size() > kAbandonedKept) held.abandoned.erase(held.abandoned.begin());
        }
    });
}

void Commands::count_gone(const model::HubName& hub, registry::NoticeKind kind, std::size_t count) {
    if (count == 0) return;
    notices_dropped_.add(count);
    held_.with([&](Held& held) { held.notices_gone[{hub, kind}] += static_cast<std::int64_t>(count); });
}

void Commands::drop_old_notices(Timestamp now) {
    const bool is_due = held_.with([&](Held& held) {
        const auto since = now - held.notices_looked_at;
        if (since >= Ticks(0) && since < Ticks(kNoticeLook)) return false;
        held.notices_looked_at = now;
        return true;
    });
    if (is_due) {
        const auto gone = store().remove_notices_until(now - limits_.notice_ttl);
        if (!gone) log::error("hub", "removing old notices: " + gone.error().message);
        for (const auto& [hub, kind, count] : gone.value_or(std::vector<registry::NoticesGone>{}))
            count_gone(hub, kind, count);
    }
    for (const auto& [queue, count] :
         held_.with([](Held& held) { return std::exchange(held.notices_gone, {}); })) {
        const bool feedback = queue.second == registry::NoticeKind::Feedback;
        Operation operation{.category = feedback ? "C2DCommands" : "FileUploadOperations",
                            .name = feedback ? "feedbackDropped" : "noticeDropped",
                            .description =
                                "Too old, too many, or given back too often; no service had "
                                "completed them."};
        operation.counts.emplace_back("messageCount", count);
        Speaker nobody;
        nobody.identity.hub = queue.first;
        nobody.protocol.clear();
        log_.append(operation, nobody);
    }
}

Result<bool> Commands::subscribed(const model::Identity& identity) {
    const auto fresh = held_.with([&](const Held& held) -> std::optional<bool> {
        const auto found = held.subscriptions.find(identity);
        return found == held.subscriptions.end() ? std::nullopt : std::optional(found->second.wanted);
    });
    if (fresh) return *fresh;
    return store().subscribed(identity);
}

void Commands::set_subscribed(const model::Identity& identity, bool subscribed) {
    held_.with([&](Held& held) { held.subscriptions[identity].wanted = subscribed; });
}

void Commands::keep_subscription(const model::Identity& identity) {
    // One writer an identity, so that the last wish is what is kept; it goes on until that is so.
    for (;;) {
        const auto wanted = held_.with([&](Held& held) -> std::optional<bool> {
            const auto found = held.subscriptions.find(identity);
            if (found == held.subscriptions.end() || std::exchange(found->second.writing, true))
                return std::nullopt;
            return found->second.wanted;
        });
        if (!wanted) return;
        const auto done = store().set_subscribed(identity, *wanted);
        if (!done && done.error().code != Errc::Conflict)  // its identity is gone
            log::error("hub", "keeping a session: " + done.error().message);
        const bool settled = held_.with([&](Held& held) {
            auto& entry = held.subscriptions[identity];
            entry.writing = false;
            if (entry.wanted != *wanted) return false;
            held.subscriptions.erase(identity);
            return true;
        });
        if (settled) return;
    }
}

Result<void> Commands::add_notice(const model::HubName& hub, registry::NoticeKind kind,
                                  std::string_view json) {
    count_gone(
        hub, kind,
        FIELDWATCH_TRY(store().add_notice(
            hub, {.kind = kind, .json = json, .created = clock_.now(), .count_max = limits_.notices_max})));
    if (notice_wake_) notice_wake_(hub, kind);
    return {};
}

}  // namespace fieldwatch::hub
