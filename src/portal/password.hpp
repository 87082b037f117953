// Passwords of people: argon2id (RFC 9106), made slow on purpose, and one at a time. Internal to portal.
#pragma once

#include <string>
#include <string_view>

#include "base/random.hpp"
#include "base/result.hpp"

namespace fieldwatch::portal {

inline constexpr std::size_t kPasswordBytesMin = 12;
inline constexpr std::size_t kPasswordBytesMax = 256;

/// The text form, with parameters and salt: $argon2id$v=19$m=…. About 0.1 s and 64 MiB. Errors:
/// InvalidArgument for a password too short or too long; Exhausted without that memory.
Result<std::string> hash_password(std::string_view password, Random& random);

/// In the same time whether it fits or not.
bool password_fits(std::string_view password, const std::string& hash);

/// Takes that time for a user who does not exist, so that nobody learns who does.
void pretend_to_check(std::string_view password);

}  // namespace fieldwatch::portal
