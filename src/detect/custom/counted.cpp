#include "detect/custom/counted.hpp"

#include <algorithm>

#include "detect/command/address.hpp"

namespace fieldwatch::detect {

namespace {

bool is_error(const model::Operation& operation) {
    return operation.level == "Error" ||
           (operation.status_code.size() >= 3 && operation.status_code.front() >= '4');
}

enum class Protocol : std::uint8_t { None, Amqp, Mqtt, Http };
Protocol protocol_of(std::string_view name) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    const auto begins = [&](std::string_view wanted) {
        return name.size() >= wanted.size() && std::equal(wanted.begin(), wanted.end(), name.begin(),
                                                          [&](char a, char b) { return a == lower(b); });
    };
    if (begins("amqp")) return Protocol::Amqp;
    if (begins("mqtt")) return Protocol::Mqtt;
    return begins("http") ? Protocol::Http : Protocol::None;
}

void add_by_protocol(CountedList& out, std::string_view protocol, std::array<RuleType, 3> rules,
                     std::int64_t amount) {
    const auto index = static_cast<std::size_t>(protocol_of(protocol));
    if (index != 0) out.add(rules[index - 1], amount);
}

using enum RuleType;

void count_operation(const model::Operation& operation, CountingOptions options, CountedList& out) {
    const auto& category = operation.category;
    const auto& name = operation.operation_name;
    const auto messages = std::max<std::int64_t>(operation.message_count, 1);
    if (category == "C2DCommands") {
        // A message is delivered when it is handed to the device; its completion is no second one.
        if ((name == "deliver" || (name == "complete" && !options.is_settled)) && !is_error(operation))
            add_by_protocol(out, operation.protocol, {AmqpC2DMessages, MqttC2DMessages, HttpC2DMessages},
                            messages);
        if (name == "reject")
            add_by_protocol(out, operation.protocol, {AmqpC2DRejected, MqttC2DRejected, HttpC2DRejected},
                            messages);
        if (name == "purge" && !is_error(operation)) out.add(QueuePurges, 1);
    } else if (category == "DeviceTelemetry") {
        if (name == "ingress" && !is_error(operation) &&
            (options.security_messages || !operation.is_security_message))
            add_by_protocol(out, operation.protocol, {AmqpD2CMessages, MqttD2CMessages, HttpD2CMessages},
                            messages);
    } else if (category == "DirectMethods") {
        if (name == "send") out.add(DirectMethodInvokes, 1);
    } else if (category == "FileUploadOperations") {
        if (name == "complete" && !is_error(operation)) out.add(FileUploads, 1);
    } else if (category == "C2DTwinOperations") {
        if ((name == "update" || name == "replace") && !is_error(operation)) out.add(TwinUpdates, 1);
    } else if (category == "D2CTwinOperations") {
        if (name == "update" && !is_error(operation)) out.add(TwinUpdates, 1);
    }
    const bool unauthorized =
        operation.status_code.starts_with("401") || operation.result_type.starts_with("401");
    if (unauthorized) out.add(UnauthorizedOperations, std::max<std::int64_t>(operation.message_count, 1));
}

}  // namespace

CountedList counted(const model::Event& event, const model::Item& item, CountingOptions options) {
    CountedList out;
    if (std::holds_alternative<model::ConnectionCreate>(item.payload)) {
        // The micro agent's HitCount counts packets of one connection.
        out.add(ActiveConnections, event.name == "NetworkActivity" ? 1 : event.hit_count);
    } else if (const auto* const login = std::get_if<model::Login>(&item.payload)) {
        if (login->result == model::LoginResult::Fail && options.login_is_new &&
            is_local_login(login->remote_address))
            out.add(FailedLocalLogins, event.hit_count);
    } else if (const auto* const operation = std::get_if<model::Operation>(&item.payload)) {
        count_operation(*operation, options, out);
    }
    return out;
}

}  // namespace fieldwatch::detect
