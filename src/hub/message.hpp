// A device-to-cloud message on its way into the journal: what the device said, and what only the hub may say.
// Source: spec/iot-hub-protocols.md sections 3.4 and 3.6.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "model/record.hpp"
#include "protocol/mqtt/property_bag.hpp"

namespace fieldwatch::hub {

using Stamps = std::vector<std::pair<std::string, std::string>>;

struct Message {
    std::span<const mqtt::Property> properties;  ///< decoded bag
    std::string_view body;
    bool retain = false;
    bool will = false;
    Timestamp received;
};

/// Fills `record` (kind, properties, body; strings keep their capacity from message to message). Properties:
/// `stamps`, then system ones, then the application's. Returns how many properties were dropped because they
/// claim to be the hub's own. Errors: TooLarge above limits::message_bytes as section 3.4 counts it.
Result<std::size_t> fill_record(model::Record& record, const Message& message, const Stamps& stamps);

/// Whether a property of that name is the hub's own or a system one, in any case; an application's has
/// another.
bool is_system_property(std::string_view name);

/// The mark of section 3.6.
bool is_security_message(std::span<const mqtt::Property> properties);

}  // namespace fieldwatch::hub
