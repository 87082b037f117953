// Messages to devices in AMQP's form, both ways. Source: spec/iot-hub-protocols.md sections 5.3 and 5.6.
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "hub/commands.hpp"
#include "protocol/amqp/message.hpp"

namespace fieldwatch::hub {

/// As a device receives it.
Bytes message_of(const Delivery& delivery);

/// As a service sends it: the receiver is what `to` names. Errors: NotFound (no device is named),
/// InvalidArgument.
Result<registry::Command> command_of(const amqp::Message& message, const model::HubName& hub);

}  // namespace fieldwatch::hub
