// Proton's data trees, conditions and dispositions as values of ours, and the other way. Inside
// src/protocol/amqp only.
#pragma once

#include <proton/codec.h>
#include <proton/condition.h>

#include <cstdint>
#include <string>

#include "protocol/amqp/engine.hpp"

namespace fieldwatch::amqp {

/// Null when the tree is empty or beyond our bounds: a link is then treated as if it had said nothing.
Value value_of(pn_data_t* data);

/// Whether `value` is that symbol, or an array that holds it: capabilities come either way.
bool has_symbol(const Value& value, std::string_view symbol);

std::string text_of(const char* text);  ///< "" for null
Condition condition_of(pn_condition_t* condition);
void set_condition(pn_condition_t* to, const Condition& condition);
std::uint64_t disposition_of(Outcome outcome);

}  // namespace fieldwatch::amqp
