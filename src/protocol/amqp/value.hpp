// AMQP 1.0 values: what stands inside messages, link properties and filters. Frames and performatives are the
// engine's (engine.hpp); these bytes are ours to read. Source: OASIS AMQP 1.0 part 1, sections 1.2 to 1.6.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace fieldwatch::amqp {

enum class Type : std::uint8_t {
    Null,
    Boolean,
    Ubyte,
    Ushort,
    Uint,
    Ulong,
    Byte,
    Short,
    Int,
    Long,
    Float,    ///< its four bytes in `bits`
    Double,   ///< its eight bytes in `bits`
    Decimal,  ///< 4, 8 or 16 bytes in `text`, passed through
    Char,
    Timestamp,  ///< milliseconds since 1970 in `bits`
    Uuid,       ///< 16 bytes in `text`
    Binary,
    String,
    Symbol,
    List,
    Map,        ///< `items`: key, value, key, value
    Array,      ///< `items` of one type
    Described,  ///< `items`: descriptor, value
};

/// One value of any type. Copies own their bytes: a value outlives the frame that brought it.
struct Value {
    Type type = Type::Null;
    std::uint64_t bits = 0;  ///< numbers, sign-extended; 0 or 1 of a boolean
    std::string text;
    std::vector<Value> items;

    bool empty() const { return type == Type::Null; }
    bool is_text() const { return type == Type::String || type == Type::Symbol; }
    bool is_number() const;  ///< an integer of any width
    std::int64_t number() const { return static_cast<std::int64_t>(bits); }
    /// Of a map: the value under a string or symbol; null when there is none, or this is no map.
    const Value* find(std::string_view key) const;
    Value& add(std::string_view key, Value value);  ///< of a map, under a string key

    friend bool operator==(const Value&, const Value&) = default;
};

Value boolean(bool value);
Value ulong_value(std::uint64_t value);
Value int_value(std::int32_t value);
Value long_value(std::int64_t value);
Value string_value(std::string_view text);
Value symbol_value(std::string_view text);
Value timestamp_value(Timestamp time);
Value map_value();

/// How a value reads as text: strings as they are, numbers in decimal, a uuid with its hyphens, a timestamp
/// in ISO 8601; other types have none and give "".
std::string to_text(const Value& value);

/// Nesting and count that a peer may send: a filter has 3 levels and a message's maps one, with at most
/// limits::properties_per_message entries.
inline constexpr int kDepthMax = 12;
inline constexpr std::size_t kItemsMax = 4'096;

/// Takes one value off the front of `input`. Errors: Malformed (an unknown constructor, a length beyond the
/// input), TooLarge (deeper or more than the bounds above).
Result<Value> decode_value(ByteView& input);

/// Appends the shortest encoding that the type allows.
void encode(Bytes& out, const Value& value);

}  // namespace fieldwatch::amqp
