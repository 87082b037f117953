// Backslash escapes that stand for another byte: `\x41`, `\101`, `\n`. Shells, printf and `echo -e` hide text
// behind them. Private to the command normaliser.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fieldwatch::detect {

/// Where an escape stands: what counts as an octal number differs (bash(1) QUOTING and `echo`, POSIX printf).
enum class Escapes : std::uint8_t {
    Quote,   ///< in $'…': up to three octal digits
    Printed  ///< of printf and `echo -e`: a leading zero may come before the three
};

/// 0 to 15; -1 for a character that is no hexadecimal digit.
int hex_digit(char c);

/// Appends what the escape at `at`, a backslash, stands for; a character that means nothing special stands
/// for itself. Returns how many characters it took, at least one: a backslash at the end is one.
std::size_t append_escape(std::string_view text, std::size_t at, Escapes kind, std::string& out);

}  // namespace fieldwatch::detect
