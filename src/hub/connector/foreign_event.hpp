// An event of an Event Hubs compatible endpoint, as what it means here: a device's message, a change of a
// device's connection, or a batch of diagnostic records.
#pragma once

#include <string_view>

#include "hub/connector/intake.hpp"
#include "protocol/amqp/message.hpp"

namespace fieldwatch::hub {

/// Errors: of the log only; what is wrong with the event is counted.
Result<void> take_foreign_event(const amqp::Message& event, Intake& intake);

/// Where a partition is read from: behind an offset, or "" for one that was never read.
amqp::Value start_filter(std::string_view behind_offset, bool from_earliest);

}  // namespace fieldwatch::hub
