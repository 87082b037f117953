// Codes of a second factor that change every 30 s (RFC 6238, over RFC 4226): HMAC-SHA-1, six digits, as every
// authenticator knows them. Internal to portal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace fieldwatch::portal {

inline constexpr std::size_t kTotpSecretBytes = 20;  ///< RFC 4226 section 4, R6: as long as the hash
inline constexpr std::int64_t kTotpStepSeconds = 30;

std::int64_t totp_step(Timestamp time);                     ///< steps of 30 s since 1970
std::string totp_code(ByteView secret, std::int64_t step);  ///< six digits

/// The step whose code this is: now, or one before or after, for clocks that differ (RFC 6238 section 5.2).
std::optional<std::int64_t> totp_match(ByteView secret, std::string_view code, Timestamp now);

/// RFC 4648 section 6, without padding: what people type into an authenticator.
std::string base32(ByteView bytes);

/// `otpauth://totp/…`, what a QR code for authenticators holds.
std::string totp_uri(std::string_view host, std::string_view user, ByteView secret);

}  // namespace fieldwatch::portal
