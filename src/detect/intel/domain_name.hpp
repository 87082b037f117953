// Names of hosts as the resolver asks for them: ASCII, whatever alphabet a feed writes them in. Internal to
// intel.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fieldwatch::detect {

/// At least two labels of 1 to 63 bytes, 253 in all, the last one with a letter: version numbers are none.
/// ASCII letters of either case, digits, `-` and `_`.
bool is_domain(std::string_view text);

/// Labels outside of ASCII in punycode (`xn--…`, RFC 3492) and small letters, the ideographic full stops as
/// dots; ASCII stays as it is. Letters are not composed (NFC): feeds write them composed. Nullopt for what is
/// no UTF-8, or has a label that grows too long.
std::optional<std::string> ascii_name(std::string_view text);

bool is_ascii(std::string_view text);

}  // namespace fieldwatch::detect
