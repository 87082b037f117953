#include "protocol/amqp/value.hpp"

#include <algorithm>

#include "base/uuid.hpp"

namespace fieldwatch::amqp {

namespace {

// Constructors, part 1 section 1.6.
enum Code : std::uint8_t {
    kDescribed = 0x00,
    kNull = 0x40,
    kTrue = 0x41,
    kFalse = 0x42,
    kUint0 = 0x43,
    kUlong0 = 0x44,
    kList0 = 0x45,
    kUbyte = 0x50,
    kByte = 0x51,
    kSmallUint = 0x52,
    kSmallUlong = 0x53,
    kSmallInt = 0x54,
    kSmallLong = 0x55,
    kBoolean = 0x56,
    kUshort = 0x60,
    kShort = 0x61,
    kUint = 0x70,
    kInt = 0x71,
    kFloat = 0x72,
    kChar = 0x73,
    kDecimal32 = 0x74,
    kUlong = 0x80,
    kLong = 0x81,
    kDouble = 0x82,
    kTimestamp = 0x83,
    kDecimal64 = 0x84,
    kDecimal128 = 0x94,
    kUuid = 0x98,
    kBinary8 = 0xa0,
    kString8 = 0xa1,
    kSymbol8 = 0xa3,
    kBinary32 = 0xb0,
    kString32 = 0xb1,
    kSymbol32 = 0xb3,
    kList8 = 0xc0,
    kMap8 = 0xc1,
    kList32 = 0xd0,
    kMap32 = 0xd1,
    kArray8 = 0xe0,
    kArray32 = 0xf0,
};

Result<std::uint64_t> big_endian(ByteView& input, std::size_t width) {
    if (input.size() < width) return fail(Errc::Malformed, "an AMQP value ends too soon");
    std::uint64_t value = 0;
    for (const auto byte : input.first(width))
        value = value << 8 | std::to_integer<std::uint64_t>(byte);
    input = input.subspan(width);
    return value;
}

Result<ByteView> take(ByteView& input, std::uint64_t size) {
    if (size > input.size()) return fail(Errc::Malformed, "an AMQP value is longer than its message");
    const auto taken = input.first(static_cast<std::size_t>(size));
    input = input.subspan(static_cast<std::size_t>(size));
    return taken;
}

std::uint64_t sign_extended(std::uint64_t value, std::size_t width) {
    const auto shift = 64 - 8 * width;
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(value << shift) >> shift);
}

class Decoder {
  public:
    Result<Value> value(ByteView& input, int depth) {
        if (input.empty()) return fail(Errc::Malformed, "an AMQP value is missing");
        const auto code = std::to_integer<std::uint8_t>(input.front());
        input = input.subspan(1);
        return body(code, input, depth);
    }

  private:
    Result<Value> body(std::uint8_t code, ByteView& input, int depth) {
        if (depth > kDepthMax) return fail(Errc::TooLarge, "an AMQP value is nested too deep");
        if (++items_ > kItemsMax) return fail(Errc::TooLarge, "an AMQP value has too many items");
        switch (code) {
            case kDescribed: {
                Value described{.type = Type::Described};
                described.items.push_back(FIELDWATCH_TRY(value(input, depth + 1)));
                described.items.push_back(FIELDWATCH_TRY(value(input, depth + 1)));
                return described;
            }
            case kNull:
                return Value{};
            case kTrue:
                return boolean(true);
            case kFalse:
                return boolean(false);
            case kUint0:
                return Value{.type = Type::Uint};
            case kUlong0:
                return Value{.type = Type::Ulong};
            case kList0:
                return Value{.type = Type::List};
            case kBoolean:
                return boolean(FIELDWATCH_TRY(big_endian(input, 1)) != 0);
            case kUbyte:
                return number(Type::Ubyte, input, 1, false);
            case kByte:
                return number(Type::Byte, input, 1, true);
            case kSmallUint:
                return number(Type::Uint, input, 1, false);
            case kSmallUlong:
                return number(Type::Ulong, input, 1, false);
            case kSmallInt:
                return number(Type::Int, input, 1, true);
            case kSmallLong:
                return number(Type::Long, input, 1, true);
            case kUshort:
                return number(Type::Ushort, input, 2, false);
            case kShort:
                return number(Type::Short, input, 2, true);
            case kUint:
                return number(Type::Uint, input, 4, false);
            case kInt:
                return number(Type::Int, input, 4, true);
            case kFloat:
                return number(Type::Float, input, 4, false);
            case kChar:
                return number(Type::Char, input, 4, false);
            case kUlong:
                return number(Type::Ulong, input, 8, false);
            case kLong:
                return number(Type::Long, input, 8, false);
            case kDouble:
                return number(Type::Double, input, 8, false);
            case kTimestamp:
                return number(Type::Timestamp, input, 8, false);
            case kDecimal32:
                return bytes(Type::Decimal, input, 4);
            case kDecimal64:
                return bytes(Type::Decimal, input, 8);
            case kDecimal128:
                return bytes(Type::Decimal, input, 16);
            case kUuid:
                return bytes(Type::Uuid, input, 16);
            case kBinary8:
                return variable(Type::Binary, input, 1);
            case kBinary32:
                return variable(Type::Binary, input, 4);
            case kString8:
                return variable(Type::String, input, 1);
            case kString32:
                return variable(Type::String, input, 4);
            case kSymbol8:
                return variable(Type::Symbol, input, 1);
            case kSymbol32:
                return variable(Type::Symbol, input, 4);
            case kList8:
            case kList32:
                return compound(Type::List, input, code == kList8 ? 1 : 4, depth);
            case kMap8:
            case kMap32:
                return compound(Type::Map, input, code == kMap8 ? 1 : 4, depth);
            case kArray8:
            case kArray32:
                return array(input, code == kArray8 ? 1 : 4, depth);
            default:
                return fail(Errc::Malformed, "an AMQP constructor that does not exist");
        }
    }

    static Result<Value> number(Type type, ByteView& input, std::size_t width, bool is_signed) {
        const auto value = FIELDWATCH_TRY(big_endian(input, width));
        return Value{.type = type, .bits = is_signed ? sign_extended(value, width) : value};
    }

    static Result<Value> bytes(Type type, ByteView& input, std::uint64_t size) {
        const auto taken = FIELDWATCH_TRY(take(input, size));
        return Value{.type = type, .text = std::string(as_text(taken))};
    }

    static Result<Value> variable(Type type, ByteView& input, std::size_t width) {
        const auto size = FIELDWATCH_TRY(big_endian(input, width));
        auto value = FIELDWATCH_TRY(bytes(type, input, size));
        if (type != Type::Binary && !is_utf8(value.text))
            return fail(Errc::Malformed, "an AMQP string is not UTF-8");
        return value;
    }

    Result<Value> compound(Type type, ByteView& input, std::size_t width, int depth) {
        const auto size = FIELDWATCH_TRY(big_endian(input, width));
        auto inside = FIELDWATCH_TRY(take(input, size));
        const auto count = FIELDWATCH_TRY(big_endian(inside, width));
        if (type == Type::Map && count % 2 != 0) return fail(Errc::Malformed, "an AMQP map of odd length");
        Value result{.type = type};
        for (std::uint64_t item = 0; item < count; ++item)
            result.items.push_back(FIELDWATCH_TRY(value(inside, depth + 1)));
        if (!inside.empty()) return fail(Errc::Malformed, "bytes behind the last item of an AMQP value");
        return result;
    }

    Result<Value> array(ByteView& input, std::size_t width, int depth) {
        const auto size = FIELDWATCH_TRY(big_endian(input, width));
        auto inside = FIELDWATCH_TRY(take(input, size));
        const auto count = FIELDWATCH_TRY(big_endian(inside, width));
        Value result{.type = Type::Array};
        if (inside.empty()) return fail(Errc::Malformed, "an AMQP array without its constructor");
        const auto code = std::to_integer<std::uint8_t>(inside.front());
        if (code == kDescribed) return fail(Errc::Unsupported, "an AMQP array of described values");
        inside = inside.subspan(1);
        for (std::uint64_t item = 0; item < count; ++item)
            result.items.push_back(FIELDWATCH_TRY(body(code, inside, depth + 1)));
        if (!inside.empty()) return fail(Errc::Malformed, "bytes behind the last item of an AMQP array");
        return result;
    }

    std::size_t items_ = 0;
};

void put(Bytes& out, std::uint64_t value, std::size_t width) {
    for (std::size_t byte = width; byte-- > 0;)
        out.push_back(static_cast<std::byte>(value >> (8 * byte)));
}

void put_bytes(Bytes& out, std::string_view text) {
    const auto view = as_bytes(text);
    out.insert(out.end(), view.begin(), view.end());
}

void put_code(Bytes& out, std::uint8_t code) {
    out.push_back(std::byte{code});
}

void put_variable(Bytes& out, std::uint8_t small, std::uint8_t large, std::string_view text) {
    const bool is_small = text.size() < 256;
    put_code(out, is_small ? small : large);
    put(out, text.size(), is_small ? 1 : 4);
    put_bytes(out, text);
}

void put_compound(Bytes& out, std::uint8_t code, std::size_t count, const Bytes& inside) {
    put_code(out, code);
    put(out, inside.size() + 4, 4);
    put(out, count, 4);
    out.insert(out.end(), inside.begin(), inside.end());
}

// Items of an array share one constructor: the widest form of the type.
struct ArrayForm {
    std::uint8_t code = 0;  ///< 0 = arrays of this type are none of ours: written as a list
    std::size_t width = 0;  ///< of a number; 0 = variable, with a length of 4 bytes
};
ArrayForm array_form(Type type) {
    switch (type) {
        case Type::Int:
            return {kInt, 4};
        case Type::Uint:
            return {kUint, 4};
        case Type::Long:
            return {kLong, 8};
        case Type::Ulong:
            return {kUlong, 8};
        case Type::Symbol:
            return {kSymbol32, 0};
        case Type::Binary:
            return {kBinary32, 0};
        case Type::String:
            return {kString32, 0};
        default:
            return {};
    }
}

void encode_array(Bytes& out, const Value& value) {
    const auto form = array_form(value.items.empty() ? Type::String : value.items.front().type);
    if (form.code == 0) return encode(out, {.type = Type::List, .items = value.items});
    Bytes inside;
    for (const auto& item : value.items) {
        put(inside, form.width != 0 ? item.bits : item.text.size(), form.width != 0 ? form.width : 4);
        if (form.width == 0) put_bytes(inside, item.text);
    }
    put_code(out, kArray32);
    put(out, inside.size() + 5, 4);
    put(out, value.items.size(), 4);
    put_code(out, form.code);
    out.insert(out.end(), inside.begin(), inside.end());
}

}  // namespace

bool Value::is_number() const {
    return type >= Type::Ubyte && type <= Type::Long;
}

const Value* Value::find(std::string_view key) const {
    if (type != Type::Map) return nullptr;
    for (std::size_t at = 0; at + 1 < items.size(); at += 2)
        if (items[at].is_text() && items[at].text == key) return &items[at + 1];
    return nullptr;
}

Value& Value::add(std::string_view key, Value value) {
    items.push_back(string_value(key));
    items.push_back(std::move(value));
    return *this;
}

Value boolean(bool value) {
    return {.type = Type::Boolean, .bits = value ? 1u : 0u};
}
Value ulong_value(std::uint64_t value) {
    return {.type = Type::Ulong, .bits = value};
}
Value int_value(std::int32_t value) {
    return {.type = Type::Int, .bits = static_cast<std::uint64_t>(std::int64_t{value})};
}
Value long_value(std::int64_t value) {
    return {.type = Type::Long, .bits = static_cast<std::uint64_t>(value)};
}
Value string_value(std::string_view text) {
    return {.type = Type::String, .text = std::string(text)};
}
Value symbol_value(std::string_view text) {
    return {.type = Type::Symbol, .text = std::string(text)};
}
Value timestamp_value(Timestamp time) {
    return {.type = Type::Timestamp, .bits = static_cast<std::uint64_t>(time.unix_millis())};
}
Value map_value() {
    return {.type = Type::Map};
}

std::string to_text(const Value& value) {
    switch (value.type) {
        case Type::String:
        case Type::Symbol:
            return value.text;
        case Type::Binary:
            return is_utf8(value.text) ? value.text : base64(as_bytes(value.text));
        case Type::Boolean:
            return value.bits != 0 ? "true" : "false";
        case Type::Ubyte:
        case Type::Ushort:
        case Type::Uint:
        case Type::Ulong:
            return std::to_string(value.bits);
        case Type::Byte:
        case Type::Short:
        case Type::Int:
        case Type::Long:
            return std::to_string(value.number());
        case Type::Uuid: {
            auto text = hex(as_bytes(value.text));
            for (const std::size_t at : {20u, 16u, 12u, 8u})
                text.insert(at, 1, '-');
            return text;
        }
        case Type::Timestamp: {
            // A peer's milliseconds may be beyond what our ticks can hold.
            constexpr std::int64_t kMillisMax = INT64_MAX / 10'000;
            const auto millis = std::clamp(value.number(), -kMillisMax, kMillisMax);
            return to_iso8601(Timestamp::from_unix_millis(millis), 3);
        }
        case Type::Float:
            return std::to_string(std::bit_cast<float>(static_cast<std::uint32_t>(value.bits)));
        case Type::Double:
            return std::to_string(std::bit_cast<double>(value.bits));
        default:
            return {};
    }
}

Result<Value> decode_value(ByteView& input) {
    return Decoder().value(input, 0);
}

void encode(Bytes& out, const Value& value) {
    const auto fixed = [&](std::uint8_t code, std::size_t width) {
        put_code(out, code);
        put(out, value.bits, width);
    };
    const auto items = [&](std::uint8_t code) {
        Bytes inside;
        for (const auto& item : value.items)
            encode(inside, item);
        put_compound(out, code, value.items.size(), inside);
    };
    const bool small = value.number() >= -128 && value.number() <= 127;
    switch (value.type) {
        case Type::Null:
            return put_code(out, kNull);
        case Type::Boolean:
            return put_code(out, value.bits != 0 ? kTrue : kFalse);
        case Type::Ubyte:
            return fixed(kUbyte, 1);
        case Type::Ushort:
            return fixed(kUshort, 2);
        case Type::Uint:
            return value.bits == 0    ? put_code(out, kUint0)
                   : value.bits < 256 ? fixed(kSmallUint, 1)
                                      : fixed(kUint, 4);
        case Type::Ulong:
            return value.bits == 0    ? put_code(out, kUlong0)
                   : value.bits < 256 ? fixed(kSmallUlong, 1)
                                      : fixed(kUlong, 8);
        case Type::Byte:
            return fixed(kByte, 1);
        case Type::Short:
            return fixed(kShort, 2);
        case Type::Int:
            return small ? fixed(kSmallInt, 1) : fixed(kInt, 4);
        case Type::Long:
            return small ? fixed(kSmallLong, 1) : fixed(kLong, 8);
        case Type::Float:
            return fixed(kFloat, 4);
        case Type::Double:
            return fixed(kDouble, 8);
        case Type::Char:
            return fixed(kChar, 4);
        case Type::Timestamp:
            return fixed(kTimestamp, 8);
        case Type::Decimal:
            put_code(out, value.text.size() == 4   ? kDecimal32
                          : value.text.size() == 8 ? kDecimal64
                                                   : kDecimal128);
            return put_bytes(out, value.text);
        case Type::Uuid:
            put_code(out, kUuid);
            return put_bytes(out, value.text);
        case Type::Binary:
            return put_variable(out, kBinary8, kBinary32, value.text);
        case Type::String:
            return put_variable(out, kString8, kString32, value.text);
        case Type::Symbol:
            return put_variable(out, kSymbol8, kSymbol32, value.text);
        case Type::List:
            return value.items.empty() ? put_code(out, kList0) : items(kList32);
        case Type::Map:
            return items(kMap32);
        case Type::Array:
            return encode_array(out, value);
        case Type::Described:
            put_code(out, kDescribed);
            encode(out, value.items[0]);
            return encode(out, value.items[1]);
    }
}

}  // namespace fieldwatch::amqp
