// As much of CBOR as device reports need: any bounded item as JSON text, so that one reader judges both
// forms, and maps of text on the way back. Source: RFC 8949.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fieldwatch::defender {

/// The one item that `input` holds, as compact JSON. Definite and indefinite lengths; tags are passed over;
/// undefined is null. Errors: Malformed (a map key that is no text, a byte string, a number without finite
/// value, what is no CBOR or more than one item), TooLarge (nesting beyond limits::json_depth, or more than
/// `json_bytes_max` of text).
Result<std::string> cbor_to_json(ByteView input, std::size_t json_bytes_max);

/// Writes definite maps of text and unsigned numbers.
class CborWriter {
  public:
    explicit CborWriter(Bytes& out) : out_(out) {}
    CborWriter& begin_map(std::uint64_t members);
    CborWriter& text(std::string_view value);
    CborWriter& number(std::uint64_t value);
    CborWriter& member(std::string_view name, std::string_view value) { return text(name).text(value); }
    CborWriter& member(std::string_view name, std::uint64_t value) { return text(name).number(value); }

  private:
    CborWriter& head(std::uint8_t major, std::uint64_t value);
    Bytes& out_;
};

}  // namespace fieldwatch::defender
