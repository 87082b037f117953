#include "base/hash.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <xxhash.h>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#include "base/assert.hpp"

namespace fieldwatch {

namespace {

const unsigned char* raw(ByteView data) {
    return reinterpret_cast<const unsigned char*>(data.data());
}

constexpr std::array<std::uint32_t, 256> crc32c_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit)
            value = value & 1 ? value >> 1 ^ 0x82F63B78u : value >> 1;
        table[i] = value;
    }
    return table;
}
constexpr auto kCrc32c = crc32c_table();

std::uint32_t crc32c_portable(ByteView data, std::uint32_t state) {
    for (const auto byte : data)
        state = kCrc32c[(state ^ std::to_integer<std::uint32_t>(byte)) & 255] ^ state >> 8;
    return state;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(ByteView data, std::uint32_t state) {
    std::uint64_t wide = state;
    while (data.size() >= 8) {
        std::uint64_t word;
        std::memcpy(&word, data.data(), 8);
        wide = _mm_crc32_u64(wide, word);
        data = data.subspan(8);
    }
    state = static_cast<std::uint32_t>(wide);
    for (const auto byte : data)
        state = _mm_crc32_u8(state, std::to_integer<unsigned char>(byte));
    return state;
}
#endif

}  // namespace

Sha256 sha256(ByteView data) {
    Sha256 out;
    SHA256(raw(data), data.size(), reinterpret_cast<unsigned char*>(out.data()));
    return out;
}

Sha256 hmac_sha256(ByteView key, ByteView data) {
    Sha256 out;
    unsigned size = 0;
    const auto* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), raw(data), data.size(),
                            reinterpret_cast<unsigned char*>(out.data()), &size);
    FIELDWATCH_ASSERT(done != nullptr && size == out.size());
    return out;
}

std::array<std::byte, 20> sha1(ByteView data) {
    std::array<std::byte, 20> out;
    unsigned size = 0;
    const int done = EVP_Digest(data.data(), data.size(), reinterpret_cast<unsigned char*>(out.data()), &size,
                                EVP_sha1(), nullptr);
    FIELDWATCH_ASSERT(done == 1 && size == out.size());
    return out;
}

std::string Hash128::text() const {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out(32, '0');
    for (std::size_t i = 0; i < 16; ++i) {
        out[i] = kDigits[high >> (60 - 4 * i) & 15];
        out[i + 16] = kDigits[low >> (60 - 4 * i) & 15];
    }
    return out;
}

std::uint64_t hash64(ByteView data, std::uint64_t seed) {
    return XXH3_64bits_withSeed(data.data(), data.size(), seed);
}

Hash128 hash128(ByteView data, std::uint64_t seed) {
    const auto value = XXH3_128bits_withSeed(data.data(), data.size(), seed);
    return {value.high64, value.low64};
}

std::uint32_t crc32c(ByteView data, std::uint32_t seed) {
#if defined(__x86_64__)
    static const bool has_sse42 = __builtin_cpu_supports("sse4.2");
    if (has_sse42) return ~crc32c_sse42(data, ~seed);
#endif
    return ~crc32c_portable(data, ~seed);
}

}  // namespace fieldwatch
