#include "portal/password.hpp"

#include <argon2.h>
#include <fmt/format.h>

#include <array>

namespace fieldwatch::portal {
namespace {

// RFC 9106 section 4, second recommendation, on one lane: the server's memory at rest stays within its
// budget.
constexpr std::uint32_t kPasses = 3;
constexpr std::uint32_t kMemoryKib = 64u << 10;
constexpr std::uint32_t kLanes = 1;
constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kEncodedBytesMax = 256;

HashingQueue& hashing() {
    static HashingQueue queue;
    return queue;
}

}  // namespace

Result<HashingQueue::Place> HashingQueue::enter() {
    Place place(*this);
    if (++places_ > kAtOnce)
        return fail(Errc::Exhausted, "other passwords are being looked at: try again in a moment");
    return place;
}

Result<std::string> hash_password(std::string_view password, Random& random) {
    if (password.size() < kPasswordBytesMin || password.size() > kPasswordBytesMax)
        return fail(Errc::InvalidArgument,
                    fmt::format("a password has {} to {} bytes", kPasswordBytesMin, kPasswordBytesMax));
    std::array<std::byte, kSaltBytes> salt{};
    random.fill(salt);
    std::array<char, kEncodedBytesMax> encoded{};
    auto place = FIELDWATCH_TRY(hashing().enter());
    const auto turn = place.turn();
    const int done =
        argon2id_hash_encoded(kPasses, kMemoryKib, kLanes, password.data(), password.size(), salt.data(),
                              salt.size(), kHashBytes, encoded.data(), encoded.size());
    if (done != ARGON2_OK)
        return fail(Errc::Exhausted, fmt::format("a password: {}", argon2_error_message(done)));
    return std::string(encoded.data());
}

Result<bool> password_fits(std::string_view password, const std::string& hash) {
    if (password.size() > kPasswordBytesMax) return false;
    auto place = FIELDWATCH_TRY(hashing().enter());
    const auto turn = place.turn();
    return argon2id_verify(hash.c_str(), password.data(), password.size()) == ARGON2_OK;
}

const std::string& hash_of_nobody() {
    // 16 zero bytes of salt, 32 of hash.
    static const std::string nobody = fmt::format(
        "$argon2id$v=19$m={},t={},p={}$AAAAAAAAAAAAAAAAAAAAAA$"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        kMemoryKib, kPasses, kLanes);
    return nobody;
}

}  // namespace fieldwatch::portal
