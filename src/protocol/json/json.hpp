// Bounded reading of JSON that strangers send: UTF-8 checked, no duplicate keys, nesting and size limited,
// numbers finite (spec/security-messages.md section 7). A value is a small tree of views, made once and
// walked freely.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/arena.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"

namespace fieldwatch::json {

enum class Type : std::uint8_t { Null, Boolean, Integer, Real, String, Array, Object };
std::string_view to_string(Type type);  ///< "a string", "an object": for sentences

struct Member;

/// Views into the Reader that made it: valid until its next `parse`.
struct Value {
    Type type = Type::Null;
    bool boolean = false;
    std::int64_t integer = 0;  ///< Integer only
    double real = 0;           ///< Real, and Integers above 2^63 - 1
    std::string_view text;     ///< String, escapes resolved
    std::span<const Value> elements;
    std::span<const Member> members;  ///< in the order they were sent

    bool is(Type wanted) const { return type == wanted; }
    /// A member of an object; null when absent or when this is no object.
    const Value* find(std::string_view key) const;
    /// Text of a string member; empty when absent or not a string.
    std::string_view text_of(std::string_view key) const;
};
struct Member {
    std::string_view key;
    Value value;
};

struct Bounds {
    std::size_t bytes_max = limits::message_bytes;
    std::size_t depth_max = limits::json_depth;
};

/// Parses documents one after another, reusing its memory. One strand.
class Reader {
  public:
    Reader();
    ~Reader();
    Reader(Reader&&) noexcept;
    Reader& operator=(Reader&&) noexcept;

    /// Errors: TooLarge for size or depth; Malformed for anything that is not one JSON value, for a key that
    /// occurs twice (with its JSON pointer) and for a number without finite value. Source: RFC 8259.
    Result<const Value*> parse(std::string_view text, Bounds bounds = {});

  private:
    struct Parser;
    std::unique_ptr<Parser> parser_;
};

/// Appends a value as compact JSON text, members in the order they were sent.
void append(std::string& out, const Value& value);

/// Appends `/key` with `~` and `/` escaped, RFC 6901 section 3.
void append_pointer(std::string& pointer, std::string_view key);

}  // namespace fieldwatch::json
