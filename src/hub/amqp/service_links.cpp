#include "hub/amqp/service_links.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "hub/amqp/command_message.hpp"
#include "hub/amqp/session.hpp"

namespace fieldwatch::hub {

namespace {
constexpr std::size_t kBatchesInFlight = 8;  // 512 records
}

void ServiceSendLink::message(amqp::DeliveryId delivery, ByteView bytes, bool) {
    const auto message = amqp::decode_message(bytes);
    auto command = message ? command_of(*message, by_.identity.hub)
                           : Result<registry::Command>(std::unexpected(message.error()));
    if (!command) {
        return session_.engine().settle(
            delivery, amqp::Outcome::Rejected,
            condition_of(command_error_code(command.error()), command.error().message));
    }
    if (!session_.hub().throttles.take(Throttle::CommandSends, by_, session_.hub().parts.clock.monotonic())) {
        return session_.engine().settle(delivery, amqp::Outcome::Rejected,
                                        condition_of(429001, "too many messages to devices of this hub"));
    }
    session_.ask([command = std::move(*command),
                  by = by_](Shared& shared) mutable { return shared.commands.send(std::move(command), by); },
                 [delivery](AmqpSession& session, Result<registry::Command> sent) {
                     if (sent) return session.engine().settle(delivery, amqp::Outcome::Accepted);
                     session.engine().settle(
                         delivery, amqp::Outcome::Rejected,
                         condition_of(command_error_code(sent.error()), sent.error().message));
                 });
}

void NoticeLink::poke() {
    if (taking_ || unsettled_.size() >= kBatchesInFlight || session_.engine().credit_of(id()) <= 0) return;
    taking_ = true;
    using Taken = Result<std::optional<Commands::NoticeBatch>>;
    session_.ask(
        [hub = hub_, kind = kind_](Shared& shared) { return shared.commands.take_notices(hub, kind); },
        [link = id()](AmqpSession& session, Taken taken) {
            auto* const its_link = session.notice_link(link);
            if (its_link == nullptr) {
                if (taken && *taken) session.hub().commands.release_notices(**taken);
                return;
            }
            its_link->taking_ = false;
            if (!taken) return log::error("hub", "reading feedback: " + taken.error().message);
            if (*taken) its_link->send(std::move(**taken));
        },
        [](Shared& shared, Taken taken) {
            if (taken && *taken) shared.commands.release_notices(**taken);
        });
}

void NoticeLink::send(Commands::NoticeBatch batch) {
    amqp::Message message;
    const bool feedback = kind_ == registry::NoticeKind::Feedback;
    message.properties.content_type =
        amqp::symbol_value(feedback ? "application/vnd.microsoft.iothub.feedback.json"
                                    : "application/vnd.microsoft.iothub.filenotification.json");
    message.properties.user_id = {.type = amqp::Type::Binary, .text = hub_.value};
    message.annotations.add("iothub-enqueuedtime", amqp::timestamp_value(session_.hub().parts.clock.now()));
    message.data = {batch.body};
    const auto delivery = session_.engine().send(id(), amqp::encode_message(message));
    if (delivery == 0) return session_.hub().commands.release_notices(batch);
    unsettled_.emplace(delivery, std::move(batch));
    poke();
}

void NoticeLink::outcome(amqp::DeliveryId delivery, amqp::Outcome outcome) {
    const auto found = unsettled_.find(delivery);
    if (found == unsettled_.end()) return;
    auto batch = std::move(found->second);
    unsettled_.erase(found);
    if (outcome != amqp::Outcome::Accepted && outcome != amqp::Outcome::Rejected) {
        session_.hub().commands.abandon_notices(batch);
        return;
    }
    session_.ask(
        [batch = std::move(batch)](Shared& shared) { return shared.commands.complete_notices(batch); },
        [](AmqpSession&, Result<void> done) {
            if (!done) log::error("hub", "completing feedback: " + done.error().message);
        });
}

void NoticeLink::detached() {
    for (const auto& [delivery, batch] : unsettled_)
        session_.hub().commands.release_notices(batch);
    unsettled_.clear();
}

}  // namespace fieldwatch::hub
