#include "portal/password.hpp"

#include <argon2.h>
#include <fmt/format.h>

#include <array>
#include <mutex>

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

/// Strangers may ask for it: however many do, 64 MiB and one core are all they get.
std::mutex& one_at_a_time() {
    static std::mutex mutex;
    return mutex;
}

}  // namespace

Result<std::string> hash_password(std::string_view password, Random& random) {
    if (password.size() < kPasswordBytesMin || password.size() > kPasswordBytesMax)
        return fail(Errc::InvalidArgument,
                    fmt::format("a password has {} to {} bytes", kPasswordBytesMin, kPasswordBytesMax));
    std::array<std::byte, kSaltBytes> salt{};
    random.fill(salt);
    std::array<char, kEncodedBytesMax> encoded{};
    const std::lock_guard lock(one_at_a_time());
    const int done =
        argon2id_hash_encoded(kPasses, kMemoryKib, kLanes, password.data(), password.size(), salt.data(),
                              salt.size(), kHashBytes, encoded.data(), encoded.size());
    if (done != ARGON2_OK)
        return fail(Errc::Exhausted, fmt::format("a password: {}", argon2_error_message(done)));
    return std::string(encoded.data());
}

bool password_fits(std::string_view password, const std::string& hash) {
    if (password.size() > kPasswordBytesMax) return false;
    const std::lock_guard lock(one_at_a_time());
    return argon2id_verify(hash.c_str(), password.data(), password.size()) == ARGON2_OK;
}

void pretend_to_check(std::string_view password) {
    // Of no password: 16 zero bytes of salt, 32 of hash.
    static const std::string nobody = fmt::format(
        "$argon2id$v=19$m={},t={},p={}$AAAAAAAAAAAAAAAAAAAAAA$"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        kMemoryKib, kPasses, kLanes);
    static_cast<void>(password_fits(password, nobody));
}

}  // namespace fieldwatch::portal
