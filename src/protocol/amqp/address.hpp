// What an AMQP link of a client is about, told by its address. Source: spec/iot-hub-protocols.md
// sections 5.2, 5.3, 5.5, 5.6.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fieldwatch::amqp {

enum class Node : std::uint8_t {
    Cbs,                ///< $cbs
    Management,         ///< $management, or {entity}/$management
    Telemetry,          ///< …/messages/events, the client sends
    ModuleInputs,       ///< /devices/{d}/modules/{m}/messages/events, the client receives
    DeviceBound,        ///< …/messages/devicebound of a device: the client receives
    Methods,            ///< …/methods/devicebound
    Twin,               ///< …/twin
    ServiceSend,        ///< /messages/devicebound: the service sends
    Feedback,           ///< /messages/serviceBound/feedback
    FileNotifications,  ///< /messages/serviceBound/filenotifications
    Partition,          ///< {entity}/ConsumerGroups/{g}/Partitions/{p}
    Registrations,      ///< {scope}/registrations/{id}: provisioning
};

struct Address {
    Node node = Node::Cbs;
    std::string device, module;            ///< decoded
    std::string entity, group, partition;  ///< of Partition and Management
    std::string scope, registration;       ///< of Registrations
};

/// Takes absolute addresses (`amqps://host[:port]/…`) and bare ones, with or without a leading slash; fixed
/// segments without case, ids percent-decoded (trap 21). Errors: NotFound for what is none of the above.
Result<Address> parse_address(std::string_view text, bool client_sends);

/// The device of a C2D message's `to`: `/devices/{d}/messages/devicebound`, or its module's. Errors:
/// NotFound.
Result<Address> parse_destination(std::string_view to);

}  // namespace fieldwatch::amqp
