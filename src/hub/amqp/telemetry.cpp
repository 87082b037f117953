#include "hub/amqp/telemetry.hpp"

#include <algorithm>
#include <array>

namespace fieldwatch::hub {

namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kAnnotations{
    {{"iothub-interface-id", "$.ifid"},
     {"dt-subject", "$.sub"},
     {"Diagnostic-Id", "$.diagid"},
     {"Correlation-Context", "$.diagctx"}}};

// Application properties that stand for system ones.
std::string_view system_key(std::string_view name) {
    if (name == "iothub-creation-time-utc") return "$.ctime";
    if (name == "iothub-outputname") return "$.on";
    return {};
}

}  // namespace

std::vector<mqtt::Property> bag_of(const amqp::Message& message) {
    std::vector<mqtt::Property> bag;
    const auto add = [&](std::string_view key, const amqp::Value& value) {
        if (!value.empty()) bag.push_back({std::string(key), amqp::to_text(value)});
    };
    const auto& properties = message.properties;
    add("$.mid", properties.message_id);
    add("$.cid", properties.correlation_id);
    add("$.uid", properties.user_id);
    add("$.ct", properties.content_type);
    add("$.ce", properties.content_encoding);
    add("$.exp", properties.absolute_expiry_time);
    for (const auto& [name, key] : kAnnotations)
        if (const auto* const value = message.annotations.find(name)) add(key, *value);
    const auto& items = message.application_properties.items;
    for (std::size_t at = 0; at + 1 < items.size(); at += 2) {
        const auto& name = items[at].text;
        if (!items[at].is_text() || name.starts_with("$.")) continue;
        const auto system = system_key(name);
        bag.push_back({system.empty() ? name : std::string(system), amqp::to_text(items[at + 1])});
    }
    return bag;
}

std::string_view body_of(const amqp::Message& message, std::string& storage) {
    if (message.data.size() == 1) return message.data.front();
    storage.clear();
    for (const auto part : message.data)
        storage += part;
    if (message.data.empty() && message.body)
        storage =
            message.body->type == amqp::Type::Binary ? message.body->text : amqp::to_text(*message.body);
    return storage;
}

std::vector<amqp::Message> messages_of_batch(const amqp::Message& outer) {
    std::vector<amqp::Message> messages;
    const auto& properties = outer.properties;
    const bool bare = outer.annotations.items.empty() && outer.application_properties.items.empty() &&
                      properties.message_id.empty() && properties.content_type.empty() && !outer.body;
    if (!bare) return messages;
    for (const auto data : outer.data) {
        if (!data.starts_with('\0')) return {};
        auto message = amqp::decode_message(as_bytes(data));
        if (!message) return {};
        messages.push_back(std::move(*message));
    }
    return messages;
}

}  // namespace fieldwatch::hub
