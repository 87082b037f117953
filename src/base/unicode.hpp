// Code points: out of UTF-8 and into it (RFC 3629), and written in ASCII letters, digits and hyphens as
// labels of domain names carry them (Punycode, RFC 3492).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fieldwatch {

/// Nullopt for what is no UTF-8.
std::optional<std::u32string> code_points(std::string_view text);
/// `point` is at most U+10FFFF, and no surrogate.
void append_utf8(std::string& out, char32_t point);

/// RFC 3492 section 6.3, without a prefix; letters stay as they are. Work grows with the square of the
/// length: the caller bounds it.
std::string to_punycode(std::u32string_view points);
/// What to_punycode() was given; nullopt for what it never gives. Bounded by the caller, as there.
std::optional<std::u32string> from_punycode(std::string_view text);

}  // namespace fieldwatch
