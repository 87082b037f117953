#include "detect/custom/custom_alert.hpp"

#include "base/json_text.hpp"
#include "detect/detector.hpp"

namespace fieldwatch::detect {

namespace {

constexpr std::string_view kConnectionStep =
    "Inspect the device's logs to find where the connection came from. If it is malicious, remove the "
    "malware and "
    "the way it came in; if it is benign, add it to the allowed list";
constexpr std::string_view kListStep =
    "Use the raw events in the workspace to investigate the device and to find the source, or look on the "
    "device "
    "itself where raw events are not stored; then correct the list";
constexpr std::string_view kCountStep =
    "Compare with the expected behaviour; check the application and recent deployments; rotate credentials "
    "if the "
    "traffic is unexplained; adjust the range if it is benign";

std::string_view remediation(RuleType type) {
    switch (type) {
        case RuleType::ActiveConnections:
        case RuleType::ConnectionToIpNotAllowed:
        case RuleType::ConnectionToIpDenied:
            return kConnectionStep;
        case RuleType::LocalUserNotAllowed:
        case RuleType::LocalUserDenied:
        case RuleType::ProcessNotAllowed:
        case RuleType::ProcessDenied:
            return kListStep;
        default:
            return kCountStep;
    }
}

void write_fields(JsonWriter& json, const model::ConnectionCreate& connection) {
    json.member("Remote Address", connection.remote_address)
        .member("Remote Port", connection.remote_port)
        .member("Local Address", connection.local_address)
        .member("Local Port", connection.local_port)
        .member("Direction", connection.direction == model::Direction::In ? "In" : "Out")
        .member("Protocol", connection.protocol)
        .member_if("Executable", connection.executable)
        .member_if("CommandLine", connection.command_line);
}

void write_fields(JsonWriter& json, const model::Login& login) {
    json.member("Remote Address", login.remote_address.empty() ? "?" : login.remote_address)
        .member("Remote Port", login.remote_port)
        .member("Local Port", login.local_port)
        .member("Login Shell", login.executable)
        .member("Login Process Id", std::to_string(login.process_id))
        .member("User Name", login.user_name.empty() ? login.user_id : login.user_name);
}

void write_fields(JsonWriter& json, const model::ProcessCreate& process) {
    json.member("CommandLine", process.command_line)
        .member("User Name", process.user_name)
        .member("UserId", process.user_id)
        .member("ParentProcessId", process.parent_process_id)
        .member("Executable", process.executable)
        .member("ProcessId", process.process_id);
}

}  // namespace

model::Alert custom_alert(RuleType type, std::string_view hub, std::string_view device) {
    const auto& rule = info(type);
    model::Alert out;
    out.type = rule.alert_type;
    out.display_name = rule.alert_name;
    out.severity = model::Severity::Low;
    out.description = rule.description;
    out.component = rule.is_agent ? "Agent" : "IoT Hub";
    out.remediation = {std::string(remediation(type))};
    out.hub.value = hub;
    out.compromised_entity = device;
    out.rule = {
        "custom/" + std::string(rule.name), std::string(rule.display_name), "Fieldwatch", "Apache-2.0", {}};
    EntityWriter(out.entities_json, hub, device).end();
    return out;
}

std::string count_properties(const CountProperties& properties) {
    const auto& rule = properties.group.rule(properties.type);
    std::string out;
    JsonWriter json(out);
    json.begin_object()
        .member("DeviceId", properties.device)
        .member("SecurityGroup", properties.group.name)
        .member("RuleType", info(properties.type).name)
        .member("MinThreshold", rule.min)
        .member("MaxThreshold", rule.max)
        .member("Count", properties.count);
    if (info(properties.type).list == RuleList::TimeWindow) {
        json.member("TimeWindowSize", rule.window_text)
            .member("WindowStart", to_iso8601(properties.window_start))
            .member("WindowEnd", to_iso8601(properties.window_end));
    }
    json.end_object();
    return out;
}

std::string value_properties(const model::Event& event, const model::Item& item, std::string_view group,
                             RuleType type, std::string_view value) {
    std::string out;
    JsonWriter json(out);
    json.begin_object()
        .member("DeviceId", event.device)
        .member("SecurityGroup", group)
        .member("RuleType", info(type).name)
        .member("Value", value)
        .member("ValueType", info(type).value_type);
    std::visit(
        [&](const auto& payload) {
            if constexpr (requires { write_fields(json, payload); }) write_fields(json, payload);
        },
        item.payload);
    json.member("HitCount", event.hit_count).end_object();
    return out;
}

}  // namespace fieldwatch::detect
