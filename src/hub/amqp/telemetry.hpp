// A device's AMQP message as the hub's own property bag: names and values that message.hpp knows.
#pragma once

#include <string>
#include <vector>

#include "protocol/amqp/message.hpp"
#include "protocol/mqtt/property_bag.hpp"

namespace fieldwatch::hub {

/// System properties by their bag keys, then the application's. What a client may not set is left out.
std::vector<mqtt::Property> bag_of(const amqp::Message& message);

/// The message's bytes: its Data sections joined, or the text of an amqp-value. `storage` holds them when
/// they do not lie in one piece.
std::string_view body_of(const amqp::Message& message, std::string& storage);

/// The messages of a batch (format 0x80013700): an outer message of nothing but Data sections, each a whole
/// message. Empty when this is none.
std::vector<amqp::Message> messages_of_batch(const amqp::Message& outer);

}  // namespace fieldwatch::hub
