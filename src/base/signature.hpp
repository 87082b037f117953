// Ed25519 signatures (RFC 8032), with keys as `openssl genpkey -algorithm ed25519` writes them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fieldwatch {

struct PublicKey {
    std::array<std::uint8_t, 32> bytes{};

    friend auto operator<=>(const PublicKey&, const PublicKey&) = default;
    std::string id() const;  ///< 16 hex digits of its SHA-256: names it to people
};

/// Of PEM text that holds a public or a private key. Errors: InvalidArgument.
Result<PublicKey> public_key_of(std::string_view pem);

/// 64 bytes. Errors: InvalidArgument for text that holds no private key of Ed25519.
Result<Bytes> sign(std::string_view private_pem, ByteView message);

bool is_signed_by(const PublicKey& key, ByteView message, ByteView signature);

}  // namespace fieldwatch
