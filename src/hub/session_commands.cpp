// What a session does for cloud-to-device messages and direct methods. Source: spec/iot-hub-protocols.md
// sections 3.2, 3.7 and 4.
#include <algorithm>
#include <array>

#include "base/log.hpp"
#include "hub/session.hpp"
#include "protocol/mqtt/property_bag.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::size_t kCommandsInFlight = 20;  // unacknowledged; the others wait in the queue

/// The bag of a message to a device: system properties first, `$.to` before all (trap 8).
std::string bag_of(const registry::Command& command) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kSystem{
        {{"$.to", "to"},
         {"$.mid", "message-id"},
         {"$.cid", "correlation-id"},
         {"$.uid", "user-id"},
         {"$.exp", "absolute-expiry-time"},
         {"$.ct", "content-type"},
         {"$.ce", "content-encoding"}}};
    std::vector<mqtt::Property> bag;
    for (const auto& [key, name] : kSystem) {
        if (const auto value = command.property(name); !value.empty())
            bag.push_back({std::string(key), std::string(value)});
    }
    for (const auto& [name, value] : command.properties) {
        const bool system = std::any_of(kSystem.begin(), kSystem.end(),
                                        [&](const auto& entry) { return entry.second == name; });
        if (!system) bag.push_back({name, value});
    }
    return mqtt::encode_property_bag(bag);
}

}  // namespace

template <class Function>
void Session::on_worker(Function function) {
    core_.outstanding.fetch_add(1);
    core_.shared.parts.runtime.post_worker([core = &core_, function = std::move(function)]() mutable {
        function(*core);
        core->outstanding.fetch_sub(1);
    });
}

void Session::begin_commands(bool clean_session) {
    persistent_ = !clean_session;
    const auto stored = core_.shared.commands.subscribed(speaker_.identity);
    if (!stored) log::error("hub", "reading a session: " + stored.error().message);
    stored_ = stored && *stored;
    if (persistent_) {
        devicebound_ = stored_;
    } else if (stored_) {
        remember_subscription(false);
    }
}

void Session::remember_subscription(bool subscribed) {
    stored_ = subscribed;
    core_.shared.commands.set_subscribed(speaker_.identity, subscribed);
    on_worker(
        [identity = speaker_.identity](Core& core) { core.shared.commands.keep_subscription(identity); });
}

void Session::subscribe_commands(std::uint8_t qos) {
    devicebound_ = true;
    command_qos_ = qos;
    if (persistent_ && !stored_) remember_subscription(true);
    commands_waiting();
}

void Session::unsubscribe_commands() {
    devicebound_ = false;
    if (stored_) remember_subscription(false);
}

void Session::commands_waiting() {
    if (state_ != State::Connected || !devicebound_) return;
    if (taking_) {
        take_again_ = true;
        return;
    }
    if (commands_.size() >= kCommandsInFlight) return;
    taking_ = true;
    Commands::Take take{.count_max = kCommandsInFlight - commands_.size(),
                        .holder = id_,
                        .lock_for = std::nullopt,
                        .sends_once = true};
    on_worker([session = id_, identity = speaker_.identity, speaker = speaker_, take](Core& core) {
        auto taken = core.shared.commands.take(identity, take, speaker);
        core.outstanding.fetch_add(1);
        core.shared.parts.runtime.post(core.index, [&core, session, taken = std::move(taken)]() mutable {
            const auto found = core.sessions.find(session);
            if (found != core.sessions.end()) {
                found->second->commands_taken(std::move(taken));
            } else if (taken && !taken->empty()) {
                core.shared.commands.release(session);  // it went while the queue was read
            }
            core.outstanding.fetch_sub(1);
        });
    });
}

void Session::commands_taken(Result<std::vector<Delivery>> deliveries) {
    taking_ = false;
    if (state_ != State::Connected) {
        core_.shared.commands.release(id_);
        return;
    }
    if (!deliveries) {
        log::error("hub", "reading a queue: " + deliveries.error().message);
        return;
    }
    for (auto& delivery : *deliveries)
        publish_command(std::move(delivery));
    flush();
    if (std::exchange(take_again_, false)) commands_waiting();
}

void Session::publish_command(Delivery delivery) {
    const auto& command = delivery.command;
    // The same id whenever it is sent again, on any connection (MQTT 3.1.1 section 4.4): from the sequence,
    // which the registry keeps.
    const auto packet_id = static_cast<std::uint16_t>(command.sequence % 65'535 + 1);
    const auto& identity = speaker_.identity;
    std::string topic = "devices/" + identity.device.value;
    if (!identity.module.empty()) topic += "/modules/" + identity.module.value;
    topic += "/messages/devicebound/" + bag_of(command);
    if (topic.size() > 65'535) {
        log("C2DCommands", "deliver", 400004, "the properties do not fit into a topic");
        settle_command(delivery.lock_token, Settle::Reject);
        return;
    }
    if (command_qos_ > 0 && commands_.contains(packet_id))
        return;  // 65,535 apart: held until the next connection
    mqtt::encode_publish(connection_.output(), {.topic = topic,
                                                .payload = as_bytes(command.body),
                                                .packet_id = command_qos_ > 0 ? packet_id : std::uint16_t{0},
                                                .qos = command_qos_,
                                                .duplicate = command.sent && command_qos_ > 0});
    output_waits_ = true;
    if (command_qos_ > 0)
        commands_.emplace(packet_id, std::move(delivery.lock_token));
    else
        settle_command(delivery.lock_token, Settle::Complete);  // nobody will say that it came
}

void Session::settle_command(std::string token, Settle how) {
    on_worker([session = id_, identity = speaker_.identity, speaker = speaker_, token = std::move(token),
               how](Core& core) {
        auto& commands = core.shared.commands;
        const auto done = how == Settle::Complete ? commands.complete(identity, token, speaker)
                                                  : commands.reject(identity, token, speaker);
        // Gone by time or purge while it was under way: nothing is left to do.
        if (!done && done.error().code != Errc::Conflict && done.error().code != Errc::NotFound)
            log::error("hub", "completing a message: " + done.error().message);
        core.shared.on_endpoint({core.index, session}, [](Endpoint* endpoint) {
            if (endpoint != nullptr) endpoint->commands_waiting();
        });
    });
}

void Session::on_puback(const mqtt::Frame& frame) {
    const auto packet_id = mqtt::decode_packet_id(frame);
    if (!packet_id) return end(400006, packet_id.error().message);
    const auto found = commands_.find(*packet_id);
    if (found == commands_.end()) return;  // of an earlier connection
    auto token = std::move(found->second);
    commands_.erase(found);
    settle_command(std::move(token), Settle::Complete);
}

bool Session::call_method(const MethodRequest& request) {
    if (state_ != State::Connected || !wants_methods_) return false;
    mqtt::encode_publish(connection_.output(), {.topic = mqtt::method_topic(request.name, request.request_id),
                                                .payload = as_bytes(request.payload_json)});
    output_waits_ = true;
    flush();
    return true;
}

void Session::keep_model(const std::string& model_id) {
    if (model_id.empty()) return;
    on_worker([identity = speaker_.identity, model_id = model_id.substr(0, 512)](Core& core) {
        auto& registry = core.shared.parts.registry;
        const auto twin = registry.twin(identity);
        if (!twin || twin->model_id == model_id) return;
        if (const auto done = registry.set_model_id(identity, model_id); !done)
            log::error("hub", "keeping a model id: " + done.error().message);
    });
}

}  // namespace fieldwatch::hub
