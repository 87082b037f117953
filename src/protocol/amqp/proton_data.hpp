// Proton's data trees as values of ours. Inside src/protocol/amqp only.
#pragma once

#include <proton/codec.h>

#include "protocol/amqp/value.hpp"

namespace fieldwatch::amqp {

/// Null when the tree is empty or beyond our bounds: a link is then treated as if it had said nothing.
Value value_of(pn_data_t* data);

/// Whether `value` is that symbol, or an array that holds it: capabilities come either way.
bool has_symbol(const Value& value, std::string_view symbol);

}  // namespace fieldwatch::amqp
