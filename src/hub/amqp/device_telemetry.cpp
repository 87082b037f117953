// What an endpoint does with a telemetry transfer: check it, append it, accept it when it is durable.
#include <algorithm>

#include "base/log.hpp"
#include "hub/amqp/device_endpoint.hpp"
#include "hub/amqp/session.hpp"
#include "hub/amqp/telemetry.hpp"
#include "hub/ingress.hpp"

namespace fieldwatch::hub {

namespace {
constexpr std::chrono::milliseconds kThrottle{250};  // a device over its rate is asked again so much later
constexpr std::chrono::seconds kSpaceWait{30};       // then again, should the journal never call back
}  // namespace

void DeviceEndpoint::on_telemetry(amqp::DeliveryId delivery, ByteView bytes, bool settled) {
    Held held{.delivery = delivery, .settled = settled};
    held.bytes.assign(bytes.begin(), bytes.end());
    held_.push_back(std::move(held));
    take_held();
}

bool DeviceEndpoint::take_held() {
    while (!held_.empty()) {
        if (!take(held_.front())) return false;
        held_.pop_front();
    }
    return true;
}

bool DeviceEndpoint::take(Held& held) {
    const auto outer = amqp::decode_message(held.bytes);
    if (!outer) {
        refuse_message(held.delivery, outer.error().code == Errc::TooLarge ? 413001 : 400006,
                       outer.error().message, held.settled);
        return true;
    }
    auto messages = messages_of_batch(*outer);
    if (messages.empty()) messages.push_back(*outer);
    for (; held.from < messages.size(); ++held.from) {
        auto& throttles = hub().throttles;
        const auto time = hub().parts.clock.monotonic();
        const bool over = !publishes_.take(time);
        if (over) throttles.over(Throttle::Messages, speaker_);
        if (over || !throttles.take(Throttle::Messages, speaker_, time)) {
            hub().counters.throttled.add();
            session_.pause_reading(kThrottle);
            return false;
        }
        const auto appended = append(messages[held.from], held.delivery, held.settled);
        if (appended) continue;
        if (appended.error().code != Errc::Exhausted) {
            refuse_message(held.delivery, appended.error().code == Errc::TooLarge ? 413001 : 500001,
                           appended.error().message, held.settled);
            return true;
        }
        session_.pause_reading(kSpaceWait);
        if (!std::exchange(waiting_for_space_, true)) {
            auto& core = session_.core();
            core.core.outstanding.fetch_add(1);
            hub().parts.journal.on_space([&core, session = session_.id()] {
                core.mailbox.push({.session = session, .kind = AmqpMail::Kind::HasSpace});
                core.core.outstanding.fetch_sub(1);
            });
        }
        return false;
    }
    if (!held.settled) {
        pending_[held.delivery].complete = true;
        answer_if_done(held.delivery);
    }
    return true;
}

Result<void> DeviceEndpoint::append(const amqp::Message& message, amqp::DeliveryId delivery, bool settled) {
    const auto bag = bag_of(message);
    std::string storage;
    const Message its_message{
        .properties = bag, .body = body_of(message, storage), .received = hub().parts.clock.now()};
    journal::Writer::Durable durable = [](const Result<void>&) {};
    if (!settled) {
        auto& core = session_.core();
        core.core.outstanding.fetch_add(1);
        durable = [&core, session = session_.id(), delivery](const Result<void>& result) {
            core.mailbox.push({session, delivery, result ? AmqpMail::Kind::Durable : AmqpMail::Kind::Failed});
            core.core.outstanding.fetch_sub(1);
        };
        ++pending_[delivery].waiting;
    }
    auto appended = append_message(hub(), speaker_, stamps_, its_message, std::move(durable));
    if (!appended && !settled) {
        session_.core().core.outstanding.fetch_sub(1);
        auto& pending = pending_[delivery];
        if (--pending.waiting == 0 && !pending.complete) pending_.erase(delivery);
    }
    return appended;
}

void DeviceEndpoint::refuse_message(amqp::DeliveryId delivery, int result, const std::string& why,
                                    bool settled) {
    log(kTelemetry, "ingress", result, why);
    pending_.erase(delivery);
    if (!settled) session_.engine().settle(delivery, amqp::Outcome::Rejected, condition_of(result, why));
}

void DeviceEndpoint::durable(amqp::DeliveryId delivery, bool ok) {
    const auto found = pending_.find(delivery);
    if (found == pending_.end()) return;
    if (found->second.waiting > 0) --found->second.waiting;
    found->second.failed = found->second.failed || !ok;
    answer_if_done(delivery);
}

void DeviceEndpoint::answer_if_done(amqp::DeliveryId delivery) {
    const auto found = pending_.find(delivery);
    if (found == pending_.end() || found->second.waiting > 0 || !found->second.complete) return;
    if (found->second.failed) {
        session_.engine().settle(delivery, amqp::Outcome::Rejected,
                                 condition_of(500001, "the journal cannot be written"));
    } else {
        session_.engine().settle(delivery, amqp::Outcome::Accepted);
        hub().counters.acknowledged.add();
    }
    pending_.erase(found);
}

}  // namespace fieldwatch::hub
