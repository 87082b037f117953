#include "hub/amqp/command_message.hpp"

#include <algorithm>
#include <array>

#include "hub/amqp/telemetry.hpp"
#include "protocol/amqp/address.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::array<std::string_view, 7> kSystem{
    "message-id",       "correlation-id",      "user-id", "to", "content-type",
    "content-encoding", "absolute-expiry-time"};

amqp::Value optional_text(std::string_view text) {
    return text.empty() ? amqp::Value{} : amqp::string_value(text);
}

}  // namespace

Bytes message_of(const Delivery& delivery) {
    const auto& command = delivery.command;
    amqp::Message message;
    auto& properties = message.properties;
    properties.message_id = optional_text(command.property("message-id"));
    properties.correlation_id = optional_text(command.property("correlation-id"));
    properties.to = optional_text(command.property("to"));
    properties.content_type = optional_text(command.property("content-type"));
    properties.content_encoding = optional_text(command.property("content-encoding"));
    if (const auto user = command.property("user-id"); !user.empty())
        properties.user_id = {.type = amqp::Type::Binary, .text = std::string(user)};
    // What the service asked for, not what the hub makes of it when it asked for nothing.
    if (!command.property("absolute-expiry-time").empty())
        properties.absolute_expiry_time = amqp::timestamp_value(command.expiry);
    for (const auto& [name, value] : command.properties)
        if (std::find(kSystem.begin(), kSystem.end(), name) == kSystem.end())
            message.application_properties.add(name, amqp::string_value(value));
    message.annotations.add("x-opt-enqueued-time", amqp::timestamp_value(command.enqueued))
        .add("x-opt-sequence-number", amqp::long_value(static_cast<std::int64_t>(command.sequence)))
        .add("x-opt-lock-token", amqp::string_value(delivery.lock_token));
    message.data = {command.body};
    return amqp::encode_message(message);
}

Result<registry::Command> command_of(const amqp::Message& message, const model::HubName& hub) {
    const auto destination = FIELDWATCH_TRY(amqp::parse_destination(amqp::to_text(message.properties.to)));
    registry::Command command;
    const auto device = FIELDWATCH_TRY(model::parse_device_id(destination.device));
    command.identity = {hub, device, model::ModuleId{destination.module}};
    if (!destination.module.empty()) FIELDWATCH_TRY(model::parse_module_id(destination.module));
    const auto add = [&](std::string_view name, const amqp::Value& value) {
        if (!value.empty()) command.properties.emplace_back(name, amqp::to_text(value));
    };
    const auto& properties = message.properties;
    add("message-id", properties.message_id);
    add("correlation-id", properties.correlation_id);
    add("user-id", properties.user_id);
    add("content-type", properties.content_type);
    add("content-encoding", properties.content_encoding);
    add("absolute-expiry-time", properties.absolute_expiry_time);
    const auto& items = message.application_properties.items;
    for (std::size_t at = 0; at + 1 < items.size(); at += 2) {
        // A system property's name would pass for it.
        const bool system = std::find(kSystem.begin(), kSystem.end(), items[at].text) != kSystem.end();
        if (items[at].is_text() && !system) add(items[at].text, items[at + 1]);
    }
    std::string storage;
    command.body = body_of(message, storage);
    return command;
}

}  // namespace fieldwatch::hub
