#include "portal/totp.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>

#include "base/assert.hpp"
#include "base/hash.hpp"

namespace fieldwatch::portal {
namespace {

constexpr std::size_t kBlockBytes = 64;  ///< of SHA-1

/// RFC 2104, for keys up to a block: ours have 20 bytes.
std::array<std::byte, 20> hmac_sha1(ByteView key, ByteView data) {
    FIELDWATCH_ASSERT(key.size() <= kBlockBytes);
    Bytes inner(kBlockBytes, std::byte{0x36}), outer(kBlockBytes, std::byte{0x5C});
    for (std::size_t i = 0; i < key.size(); ++i) {
        inner[i] ^= key[i];
        outer[i] ^= key[i];
    }
    inner.insert(inner.end(), data.begin(), data.end());
    const auto digest = sha1(inner);
    outer.insert(outer.end(), digest.begin(), digest.end());
    return sha1(outer);
}

}  // namespace

std::int64_t totp_step(Timestamp time) {
    const auto step = std::chrono::duration_cast<Ticks>(std::chrono::seconds(kTotpStepSeconds));
    return time.ticks / step.count();
}

std::string totp_code(ByteView secret, std::int64_t step) {
    std::array<std::byte, 8> counter{};
    for (std::size_t i = 0; i < counter.size(); ++i)
        counter[i] = static_cast<std::byte>(static_cast<std::uint64_t>(step) >> (56 - 8 * i));
    const auto digest = hmac_sha1(secret, counter);
    // RFC 4226 section 5.3: four bytes from where the last half byte says, without the sign.
    const auto at = static_cast<std::size_t>(digest.back() & std::byte{0x0F});
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < 4; ++i)
        number = number << 8 | std::to_integer<std::uint32_t>(digest[at + i]);
    return fmt::format("{:06}", (number & 0x7FFF'FFFF) % 1'000'000);
}

std::optional<std::int64_t> totp_match(ByteView secret, std::string_view code, Timestamp now) {
    std::optional<std::int64_t> found;
    // All three are always looked at: how long it takes tells nothing.
    for (const auto step : {totp_step(now) - 1, totp_step(now), totp_step(now) + 1}) {
        if (equal_constant_time(totp_code(secret, step), code)) found = step;
    }
    return found;
}

std::string base32(ByteView bytes) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    std::string out;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const auto byte : bytes) {
        bits = bits << 8 | std::to_integer<std::uint32_t>(byte);
        for (count += 8; count >= 5; count -= 5)
            out += kDigits[bits >> (count - 5) & 31];
        bits &= (1u << count) - 1;
    }
    if (count > 0) out += kDigits[bits << (5 - count) & 31];
    return out;
}

std::string totp_uri(std::string_view host, std::string_view user, ByteView secret) {
    return fmt::format("otpauth://totp/Fieldwatch:{}?secret={}&issuer=Fieldwatch",
                       percent_encode(fmt::format("{}@{}", user, host)), base32(secret));
}

}  // namespace fieldwatch::portal
