#include "detect/detector.hpp"

namespace fieldwatch::detect {

model::Alert device_alert(const AlertType& type, const model::Event& event,
                          const model::LogPosition& evidence) {
    model::Alert out;
    out.type = type.type;
    out.display_name = type.display_name;
    out.severity = type.severity;
    out.description = type.description;
    out.component = "Agent";
    out.intent = type.intent;
    for (std::string_view rest = type.techniques; !rest.empty();) {
        const auto comma = rest.find(',');
        out.techniques.emplace_back(rest.substr(0, comma));
        rest = comma == rest.npos ? std::string_view{} : rest.substr(comma + 1);
    }
    out.remediation = {std::string(type.remediation)};
    out.hub.value = event.hub;
    out.compromised_entity = event.device;
    const bool aggregate = event.hit_count > 1;
    out.start = aggregate ? event.window_start : event.time;
    out.end = aggregate ? event.window_end : event.time;
    out.hit_count = event.hit_count;
    out.rule = {std::string(type.rule_id), std::string(type.display_name), "Fieldwatch", "Apache-2.0", {}};
    out.evidence = {evidence};
    return out;
}

EntityWriter::EntityWriter(std::string& out, std::string_view hub, std::string_view device) : json_(out) {
    json_.begin_array();
    if (hub.empty() && device.empty()) return;
    add("iotdevice", {{"DeviceId", device}, {"IoTHub", hub}, {"DeviceName", device}});
}

EntityWriter& EntityWriter::add(
    std::string_view type, std::initializer_list<std::pair<std::string_view, std::string_view>> members) {
    json_.begin_object().member("$id", std::to_string(++count_)).member("Type", type);
    for (const auto& [name, value] : members)
        json_.member_if(name, value);
    json_.end_object();
    return *this;
}

JsonWriter& write_ends(JsonWriter& json, const model::ConnectionCreate& connection) {
    const std::string_view direction = connection.direction == model::Direction::In    ? "In"
                                       : connection.direction == model::Direction::Out ? "Out"
                                                                                       : "";
    return json.member("Remote Address", connection.remote_address)
        .member("Remote Port", connection.remote_port)
        .member("Local Address", connection.local_address)
        .member("Local Port", connection.local_port)
        .member("Direction", direction)
        .member("Protocol", connection.protocol);
}

std::string json_list(const std::vector<std::string>& texts) {
    std::string out;
    JsonWriter json(out);
    json.begin_array();
    for (const auto& text : texts)
        json.string(text);
    json.end_array();
    return out;
}

std::string lower_case(std::string_view text) {
    std::string out(text);
    for (auto& c : out)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return out;
}

std::string device_key(std::string_view hub, std::string_view device) {
    std::string out(hub);
    out += '\0';
    return out.append(device);
}

}  // namespace fieldwatch::detect
