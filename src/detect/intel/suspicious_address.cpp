#include "detect/intel/suspicious_address.hpp"

#include "base/json_text.hpp"

namespace fieldwatch::detect {
namespace {

constexpr AlertType kSuspiciousAddress{
    "fieldwatch-a33",
    "IoT_TiConnection",
    "Suspicious IP address communication",
    "The device communicated with an address that threat intelligence names.",
    "CommandAndControl",
    model::Severity::Medium,
    "T1071",
    "Verify the connection; consider blocking the address"};

}  // namespace

model::Alert suspicious_address(const model::Event& event, const model::Item& item,
                                const model::ConnectionCreate& connection, const IntelSnapshot::Hit& known) {
    auto alert = device_alert(kSuspiciousAddress, event, item.position);
    if (event.kind == model::EventKind::Operation) alert.component = "IoT Hub";
    alert.discriminator = connection.remote_address;
    JsonWriter json(alert.extended_json);
    write_indicator(write_ends(json.begin_object(), connection), known)
        .member_if("Executable", connection.executable)
        .member_if("CommandLine", connection.command_line)
        .member("DeviceId", event.device)
        .end_object();
    const bool in = connection.direction == model::Direction::In;
    EntityWriter(alert.entities_json, event.hub, event.device)
        .add("ip", {{"Address", connection.remote_address}, {"ThreatIntelligence", known.source}})
        .add("network-connection",
             {{"SourceAddress", in ? connection.remote_address : connection.local_address},
              {"SourcePort", in ? connection.remote_port : connection.local_port},
              {"DestinationAddress", in ? connection.local_address : connection.remote_address},
              {"DestinationPort", in ? connection.local_port : connection.remote_port},
              {"Protocol", connection.protocol}})
        .end();
    return alert;
}

}  // namespace fieldwatch::detect
