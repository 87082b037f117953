// Digests: SHA-256 and HMAC for what must resist an adversary, XXH3 for identities whose inputs are ours.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.hpp"

namespace fieldwatch {

using Sha256 = std::array<std::byte, 32>;

Sha256 sha256(ByteView data);
Sha256 hmac_sha256(ByteView key, ByteView data);
std::array<std::byte, 20> sha1(
    ByteView data);  ///< only where a standard asks for it (RFC 4122 version 5 names)

struct Hash128 {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    friend auto operator<=>(const Hash128&, const Hash128&) = default;
    std::string text() const;  ///< 32 lower-case hex digits
};

std::uint64_t hash64(ByteView data, std::uint64_t seed = 0);
Hash128 hash128(ByteView data, std::uint64_t seed = 0);

/// CRC-32C (Castagnoli), as iSCSI and our segment files use it. `seed` continues an earlier run.
std::uint32_t crc32c(ByteView data, std::uint32_t seed = 0);

struct HashOfHash128 {
    std::size_t operator()(const Hash128& value) const { return static_cast<std::size_t>(value.low); }
};

}  // namespace fieldwatch
