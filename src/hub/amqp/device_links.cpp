// The links of a device: telemetry, its messages, methods, its twin. Source: spec/iot-hub-protocols.md
// section 5.3.
#include <algorithm>

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/uuid.hpp"
#include "hub/amqp/command_message.hpp"
#include "hub/amqp/device_endpoint.hpp"
#include "hub/amqp/session.hpp"
#include "hub/amqp/telemetry.hpp"
#include "registry/twin_document.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::size_t kCommandsInFlight = 50;  // a device's whole queue
constexpr std::size_t kTwinRequestsMax = 16;
constexpr std::size_t kMethodsKept = 32;  // more than may be in flight at once
constexpr std::string_view kTwin = "D2CTwinOperations";
constexpr std::string_view kDesiredResource = "/notifications/twin/properties/desired";

}  // namespace

class TelemetryLink final : public AmqpLink {
  public:
    TelemetryLink(amqp::LinkId id, DeviceEndpoint& device) : AmqpLink(id), device_(device) {}
    void message(amqp::DeliveryId delivery, ByteView bytes, bool settled) override {
        device_.on_telemetry(delivery, bytes, settled);
    }

  private:
    DeviceEndpoint& device_;
};

/// Messages to the device: it settles each, the outcome decides what becomes of it.
class CommandLink final : public AmqpLink {
  public:
    CommandLink(amqp::LinkId id, DeviceEndpoint& device) : AmqpLink(id), device_(device) {
        device_.command_link_ = id;
    }
    void credit() override { device_.commands_waiting(); }
    void outcome(amqp::DeliveryId delivery, amqp::Outcome outcome) override {
        const auto found = device_.commands_.find(delivery);
        if (found == device_.commands_.end()) return;
        auto token = std::move(found->second);
        device_.commands_.erase(found);
        device_.settle_command(std::move(token), outcome);
    }
    void detached() override {
        if (device_.command_link_ != id()) return;
        device_.command_link_ = 0;
        device_.commands_.clear();
        device_.hub().commands.release(device_.id_);
    }

  private:
    DeviceEndpoint& device_;
};

/// One direction of the methods' channel.
class MethodLink final : public AmqpLink {
  public:
    MethodLink(amqp::LinkId id, DeviceEndpoint& device, bool to_client) : AmqpLink(id), device_(device) {
        if (to_client) device_.method_link_ = id;
    }
    void message(amqp::DeliveryId delivery, ByteView bytes, bool) override {
        auto& engine = device_.session_.engine();
        const auto message = amqp::decode_message(bytes);
        if (!message)
            return engine.settle(delivery, amqp::Outcome::Rejected,
                                 condition_of(400006, message.error().message));
        engine.settle(delivery, amqp::Outcome::Accepted);
        device_.on_method_response(*message);
    }
    void detached() override {
        if (device_.method_link_ == id()) device_.method_link_ = 0;
    }

  private:
    DeviceEndpoint& device_;
};

/// One direction of the twin's channel.
class TwinLink final : public AmqpLink {
  public:
    TwinLink(amqp::LinkId id, DeviceEndpoint& device, bool to_client) : AmqpLink(id), device_(device) {
        if (to_client) device_.twin_link_ = id;
    }
    void message(amqp::DeliveryId delivery, ByteView bytes, bool settled) override {
        const auto message = amqp::decode_message(bytes);
        if (message) return device_.on_twin_request(delivery, *message, settled);
        device_.session_.engine().settle(delivery, amqp::Outcome::Rejected,
                                         condition_of(400006, message.error().message));
    }
    void detached() override {
        if (device_.twin_link_ != id()) return;
        device_.twin_link_ = 0;
        device_.wants_desired_ = false;  // subscriptions are the channel's
    }

  private:
    DeviceEndpoint& device_;
};

/// What a module would get from others on the edge: nothing is routed there, so nothing ever comes.
class InputLink final : public AmqpLink {
    using AmqpLink::AmqpLink;
};

std::unique_ptr<AmqpLink> DeviceEndpoint::open(const amqp::Attach& attach, amqp::Node node) {
    switch (node) {
        case amqp::Node::Telemetry:
            return std::make_unique<TelemetryLink>(attach.link, *this);
        case amqp::Node::DeviceBound:
            return std::make_unique<CommandLink>(attach.link, *this);
        case amqp::Node::Methods:
            return std::make_unique<MethodLink>(attach.link, *this, !attach.client_sends);
        case amqp::Node::Twin:
            return std::make_unique<TwinLink>(attach.link, *this, !attach.client_sends);
        default:
            return std::make_unique<InputLink>(attach.link);
    }
}

// Messages to the device.

void DeviceEndpoint::commands_waiting() {
    if (left_ || command_link_ == 0) return;
    if (taking_) {
        take_again_ = true;
        return;
    }
    const auto credit = static_cast<std::size_t>(std::max(0, session_.engine().credit_of(command_link_)));
    const auto room = kCommandsInFlight - std::min(kCommandsInFlight, commands_.size());
    const auto count = std::min(credit, room);
    if (count == 0) return;
    taking_ = true;
    const Commands::Take take{
        .count_max = count, .holder = id_, .lock_for = hub().commands.limits().lock_for};
    session_.ask([identity = speaker_.identity, take, speaker = speaker_](
                     Shared& shared) { return shared.commands.take(identity, take, speaker); },
                 [endpoint = id_](AmqpSession& session, Result<std::vector<Delivery>> deliveries) {
                     const auto& endpoints = session.core().core.endpoints;
                     const auto found = endpoints.find(endpoint);
                     if (found == endpoints.end()) return session.hub().commands.release(endpoint);
                     static_cast<DeviceEndpoint*>(found->second)->commands_taken(std::move(deliveries));
                 },
                 [endpoint = id_](Shared& shared, auto&&) { shared.commands.release(endpoint); });
}

void DeviceEndpoint::commands_taken(Result<std::vector<Delivery>> deliveries) {
    taking_ = false;
    if (!deliveries) return log::error("hub", "reading a queue: " + deliveries.error().message);
    bool gives_back = false;
    for (auto& delivery : *deliveries) {
        const auto number =
            command_link_ == 0 ? 0 : session_.engine().send(command_link_, message_of(delivery));
        if (number == 0)
            gives_back = true;
        else
            commands_.emplace(number, std::move(delivery.lock_token));
    }
    // The link went, or took its credit back, while the queue was read.
    if (gives_back && commands_.empty()) hub().commands.release(id_);
    if (std::exchange(take_again_, false)) commands_waiting();
}

void DeviceEndpoint::settle_command(std::string token, amqp::Outcome outcome) {
    session_.ask(
        [identity = speaker_.identity, speaker = speaker_, token = std::move(token),
         outcome](Shared& shared) {
            if (outcome == amqp::Outcome::Accepted) return shared.commands.complete(identity, token, speaker);
            if (outcome == amqp::Outcome::Rejected) return shared.commands.reject(identity, token, speaker);
            return shared.commands.abandon(identity, token, speaker);
        },
        [endpoint = id_](AmqpSession& session, Result<void> done) {
            // A lock that is over: the message is on its way again already.
            if (!done && done.error().code != Errc::Conflict && done.error().code != Errc::NotFound)
                log::error("hub", "settling a message: " + done.error().message);
            const auto& endpoints = session.core().core.endpoints;
            if (const auto found = endpoints.find(endpoint); found != endpoints.end())
                found->second->commands_waiting();
        });
}

// Methods.

bool DeviceEndpoint::call_method(const MethodRequest& request) {
    if (left_ || method_link_ == 0) return false;
    const auto uuid = Uuid::random(hub().parts.random);
    amqp::Message message;
    message.properties.correlation_id = {.type = amqp::Type::Uuid,
                                         .text = std::string(uuid.bytes.begin(), uuid.bytes.end())};
    message.application_properties.add("IoThub-methodname", amqp::string_value(request.name));
    message.data = {request.payload_json};
    methods_.emplace_back(uuid.text(), request.request_id);
    if (methods_.size() > kMethodsKept) methods_.pop_front();
    session_.push(method_link_, amqp::encode_message(message));
    session_.send_now();
    return true;
}

void DeviceEndpoint::on_method_response(const amqp::Message& message) {
    const auto correlation = amqp::to_text(message.properties.correlation_id);
    const auto found = std::find_if(methods_.begin(), methods_.end(),
                                    [&](const auto& one) { return one.first == correlation; });
    if (found == methods_.end()) return;  // late, or not ours
    const auto request_id = std::move(found->second);
    methods_.erase(found);
    const auto* const status = message.application_properties.find("IoThub-status");
    std::string storage;
    const auto body = body_of(message, storage);
    const int code = status != nullptr && status->is_number() ? static_cast<int>(status->number()) : 0;
    hub().methods.respond(speaker_.identity, request_id, code, body);
}

// The twin.

void DeviceEndpoint::on_twin_request(amqp::DeliveryId delivery, const amqp::Message& message, bool settled) {
    if (!settled) session_.engine().settle(delivery, amqp::Outcome::Accepted);
    const auto operation = text_under(message.annotations, "operation");
    const auto resource = text_under(message.annotations, "resource");
    const auto& correlation = message.properties.correlation_id;
    hub().counters.twin_operations.add();
    const auto refuse = [&](int status, int result, std::string_view why) {
        log(kTwin, operation == "PATCH" ? "update" : "read", result, why);
        answer_twin(correlation, twin_error(status, result, why, hub().parts.clock, hub().parts.random));
    };
    if (resource == kDesiredResource && (operation == "PUT" || operation == "DELETE")) {
        wants_desired_ = operation == "PUT";
        if (wants_desired_) log(kTwin, "subscribe");
        return answer_twin(correlation, {.status = 200});
    }
    const bool update = operation == "PATCH" && resource == "/properties/reported";
    if (!update && operation != "GET") return refuse(400, 400003, "a twin operation that does not exist");
    if (!hub().throttles.take(update ? Throttle::TwinUpdates : Throttle::TwinReads, speaker_,
                              hub().parts.clock.monotonic())) {
        return answer_twin(correlation, twin_error(429, 429001, "too many twin requests at this hub",
                                                   hub().parts.clock, hub().parts.random));
    }
    if (twin_requests_.size() >= kTwinRequestsMax)
        return refuse(429, 429001, "too many twin requests at once");
    Asked asked{.request = {.update = update}, .correlation = correlation};
    if (update) {
        std::string storage;
        asked.request.body = body_of(message, storage);
        if (asked.request.body.size() > registry::kTwinPatchBytes)
            return refuse(413, 413001, "a patch of over 128000 bytes");
        if (const auto* const version = message.annotations.find("version");
            version != nullptr && version->is_number())
            asked.request.version = version->bits;
    }
    twin_requests_.push_back(std::move(asked));
    if (twin_requests_.size() == 1) next_twin_request();
}

void DeviceEndpoint::next_twin_request() {
    struct Answered {
        TwinResponse response;
        std::int64_t duration_ms = 0;
    };
    session_.ask(
        [identity = speaker_.identity, request = twin_requests_.front().request](Shared& shared) {
            auto& parts = shared.parts;
            const auto begin = parts.clock.monotonic();
            auto response = answer(request, identity, parts.registry, parts.clock, parts.random);
            const auto spent = parts.clock.monotonic() - begin;
            return Answered{std::move(response),
                            std::chrono::duration_cast<std::chrono::milliseconds>(spent).count()};
        },
        [endpoint = id_](AmqpSession& session, Answered answered) {
            const auto& endpoints = session.core().core.endpoints;
            const auto found = endpoints.find(endpoint);
            if (found == endpoints.end()) return;
            auto& device = *static_cast<DeviceEndpoint*>(found->second);
            const auto& asked = device.twin_requests_.front();
            Operation operation{.category = kTwin,
                                .name = asked.request.update ? "update" : "read",
                                .result = answered.response.result,
                                .description = answered.response.description,
                                .duration_ms = answered.duration_ms};
            operation.counts.emplace_back("messageSize",
                                          static_cast<std::int64_t>(asked.request.body.size()));
            session.hub().log.append(operation, device.speaker_);
            device.answer_twin(asked.correlation, answered.response);
            device.twin_requests_.pop_front();
            if (!device.twin_requests_.empty()) device.next_twin_request();
        });
}

void DeviceEndpoint::answer_twin(const amqp::Value& correlation, const TwinResponse& response) {
    if (twin_link_ == 0) return;  // the operation has applied all the same
    amqp::Message message;
    message.properties.correlation_id = correlation;
    message.annotations.add("status", amqp::int_value(response.status));
    if (response.version)
        message.annotations.add("version", amqp::long_value(static_cast<std::int64_t>(*response.version)));
    message.data = {response.body};
    session_.push(twin_link_, amqp::encode_message(message));
}

void DeviceEndpoint::desired_changed(const registry::TwinChange& change) {
    if (left_ || !wants_desired_ || twin_link_ == 0) return;
    const auto body = with_version(change.patch_json, change.version);
    amqp::Message message;
    message.annotations.add("resource", amqp::string_value("/properties/desired"));
    message.annotations.add("version", amqp::long_value(static_cast<std::int64_t>(change.version)));
    message.data = {body};
    session_.push(twin_link_, amqp::encode_message(message));
    session_.send_now();
}

}  // namespace fieldwatch::hub
