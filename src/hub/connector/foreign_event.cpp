#include "hub/connector/foreign_event.hpp"

#include <fmt/format.h>

#include <array>

#include "hub/amqp/telemetry.hpp"

namespace fieldwatch::hub {

namespace {

constexpr std::string_view kSelectorFilter = "apache.org:selector-filter:string";

std::string text_at(const amqp::Value& map, std::string_view key) {
    const auto* const value = map.find(key);
    return value == nullptr ? std::string() : amqp::to_text(*value);
}

/// What only that hub may say of the message, as ours says it.
Stamps stamps_of(const amqp::Message& event) {
    constexpr std::array<std::string_view, 6> kCarried{"iothub-connection-device-id",
                                                       "iothub-connection-module-id",
                                                       "iothub-connection-auth-generation-id",
                                                       "iothub-connection-auth-method",
                                                       "iothub-message-source",
                                                       "dt-dataschema"};
    Stamps out;
    for (const auto name : kCarried) {
        if (auto value = text_at(event.annotations, name); !value.empty())
            out.emplace_back(name, std::move(value));
    }
    return out;
}

std::optional<Timestamp> enqueued_at(const amqp::Message& event) {
    for (const auto* const name : {"iothub-enqueuedtime", "x-opt-enqueued-time"}) {
        const auto* const value = event.annotations.find(name);
        if (value != nullptr && value->type == amqp::Type::Timestamp && value->number() > 0 &&
            value->number() < 253'402'300'799'000)
            return Timestamp::from_unix_millis(value->number());
    }
    return std::nullopt;
}

/// `deviceConnectionStateEvents` of a route: opType deviceConnected or deviceDisconnected.
Result<void> take_connection_state(const amqp::Message& event, Intake& intake) {
    const auto& properties = event.application_properties;
    const auto what = text_at(properties, "opType");
    const bool connected = what == "deviceConnected" || what == "moduleConnected";
    if (!connected && what != "deviceDisconnected" && what != "moduleDisconnected") {
        intake.pass_over();
        return {};
    }
    const auto device = text_at(properties, "deviceId");
    const auto module = text_at(properties, "moduleId");
    const auto time = parse_iso8601(text_at(properties, "operationTimestamp"));
    return intake.operation({.device = device,
                             .module = module,
                             .address = {},
                             .protocol = {},
                             .operation = {.category = "Connections",
                                           .name = connected ? "deviceConnect" : "deviceDisconnect",
                                           .description = {},
                                           .properties = {},
                                           .counts = {}},
                             .time = time ? time->time : enqueued_at(event).value_or(intake.now())});
}

}  // namespace

Result<void> take_foreign_event(const amqp::Message& event, Intake& intake) {
    std::string storage;
    const auto body = body_of(event, storage);
    const auto device = text_at(event.annotations, "iothub-connection-device-id");
    const auto source = text_at(event.annotations, "iothub-message-source");
    if (source == "deviceConnectionStateEvents") return take_connection_state(event, intake);
    if (device.empty()) {  // no device's: what diagnostic settings stream
        if (!source.empty()) return intake.pass_over(), Result<void>{};
        return intake.diagnostics(body);
    }
    if (!source.empty() && source != "Telemetry") return intake.pass_over(), Result<void>{};
    auto bag = bag_of(event);
    // Where a route or a gateway wrote the mark among the application's properties.
    for (auto& property : bag) {
        if (property.name == "iothub-interface-id") property.name = "$.ifid";
    }
    return intake.message({.device = device,
                           .module = text_at(event.annotations, "iothub-connection-module-id"),
                           .properties = bag,
                           .body = body,
                           .stamps = stamps_of(event),
                           .security = false,
                           .enqueued = enqueued_at(event),
                           .protocol = "Amqp"});
}

amqp::Value start_filter(std::string_view behind_offset, bool from_earliest) {
    const auto offset = !behind_offset.empty() ? behind_offset : from_earliest ? "-1" : "@latest";
    amqp::Value described{.type = amqp::Type::Described};
    described.items.push_back(amqp::symbol_value(kSelectorFilter));
    described.items.push_back(amqp::string_value(fmt::format("amqp.annotation.x-opt-offset > '{}'", offset)));
    auto map = amqp::map_value();
    map.items.push_back(amqp::symbol_value(kSelectorFilter));
    map.items.push_back(std::move(described));
    return map;
}

}  // namespace fieldwatch::hub
