// Byte views, little-endian fields, and the text encodings of bytes (hex, base64, percent).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fieldwatch {

using ByteView = std::span<const std::byte>;
using Bytes = std::vector<std::byte>;

inline ByteView as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Appends little-endian fields and length-prefixed strings to a buffer: the one way our own formats are
/// written.
class ByteWriter {
  public:
    explicit ByteWriter(Bytes& out) : out_(out) {}

    void u8(std::uint8_t value) { raw(&value, 1); }
    void u16(std::uint16_t value) { raw(&value, 2); }
    void u32(std::uint32_t value) { raw(&value, 4); }
    void u64(std::uint64_t value) { raw(&value, 8); }
    void i64(std::int64_t value) { raw(&value, 8); }
    void f64(double value) { raw(&value, 8); }
    /// u32 length, then the bytes.
    void text(std::string_view value) {
        u32(static_cast<std::uint32_t>(value.size()));
        raw(value.data(), value.size());
    }
    void bytes(ByteView value) { raw(value.data(), value.size()); }

  private:
    void raw(const void* data, std::size_t size) {
        const auto* first = static_cast<const std::byte*>(data);
        out_.insert(out_.end(), first, first + size);
    }
    Bytes& out_;
};

/// Reads what ByteWriter wrote. Views point into the input. Errors: Malformed when the input ends too soon.
class ByteReader {
  public:
    explicit ByteReader(ByteView input) : input_(input) {}

    Result<std::uint8_t> u8() { return number<std::uint8_t>(); }
    Result<std::uint16_t> u16() { return number<std::uint16_t>(); }
    Result<std::uint32_t> u32() { return number<std::uint32_t>(); }
    Result<std::uint64_t> u64() { return number<std::uint64_t>(); }
    Result<std::int64_t> i64() { return number<std::int64_t>(); }
    Result<double> f64() { return number<double>(); }
    Result<std::string_view> text();
    Result<ByteView> bytes(std::size_t size);
    ByteView rest() const { return input_; }
    bool empty() const { return input_.empty(); }

  private:
    template <class T>
    Result<T> number() {
        if (input_.size() < sizeof(T)) return fail(Errc::Malformed, "the record ends inside a field");
        T value;
        std::memcpy(&value, input_.data(), sizeof(T));
        input_ = input_.subspan(sizeof(T));
        return value;
    }
    ByteView input_;
};
static_assert(std::endian::native == std::endian::little,
              "our formats are little-endian and written by memcpy");

std::string hex(ByteView bytes);                    ///< lower case
Result<Bytes> from_hex(std::string_view text);      ///< either case, even length
std::string base64(ByteView bytes);                 ///< RFC 4648 section 4, with padding
Result<Bytes> from_base64(std::string_view text);   ///< RFC 4648 section 4; padding required
std::string percent_encode(std::string_view text);  ///< all but unreserved characters, RFC 3986 section 2.3
/// RFC 3986 section 2.1; `+` stays `+`. A `%` without two hex digits is kept as it stands.
std::string percent_decode(std::string_view text);
bool is_utf8(std::string_view text);  ///< RFC 3629: no surrogates, no overlong forms

/// Compares without telling by its duration where the texts differ.
bool equal_constant_time(std::string_view left, std::string_view right);

}  // namespace fieldwatch
