// Signed tokens of an identity provider: JSON Web Signature in its compact form (RFC 7515 section 3.1), RS256
// and ES256 (RFC 7518 sections 3.3 and 3.4), under keys that the provider publishes (RFC 7517). No other
// algorithm is taken, whatever a token says of itself: "none" and signatures under a shared secret are
// refused by name. Internal to portal.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fieldwatch::portal::oidc {

inline constexpr std::size_t kKeySetBytesMax = 256u << 10;  ///< the largest published ones have some 10 KiB
inline constexpr std::size_t kKeysMax = 64;
inline constexpr std::size_t kTokenBytesMax = 64u << 10;  ///< some hundred groups fit in

std::string base64url(ByteView bytes);                ///< RFC 4648 section 5, without padding
Result<Bytes> from_base64url(std::string_view text);  ///< Errors: Malformed, for padding too

/// Public keys, immutable; any thread.
class KeySet {
  public:
    /// Keys of other kinds and uses are passed over. Errors: Malformed, TooLarge.
    static Result<KeySet> parse(std::string_view json);

    /// The claims of `token` as JSON text, once a key of this set is seen to have signed it. Errors:
    /// Malformed; Unauthorized for a signature that is none, or another algorithm; NotFound for a key that is
    /// not here: the provider may have made it since.
    Result<std::string> claims(std::string_view token) const;

    std::size_t size() const { return keys_.size(); }

  private:
    struct Key;
    std::vector<std::shared_ptr<const Key>> keys_;
};

}  // namespace fieldwatch::portal::oidc
