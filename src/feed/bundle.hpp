// Signed bundles: files of indicators that travel without a network, in one file that says who made it.
// docs/formats/intel-bundle.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/signature.hpp"
#include "base/time.hpp"

namespace fieldwatch::feed {

struct Bundle {
    static constexpr std::size_t kFilesMax = 64, kBytesMax = 256u << 20, kHeaderBytesMax = 64u << 10;
    static constexpr std::uint64_t kVersionMax =
        1'000'000'000'000;  ///< seconds since 1970 fit, and dates as digits

    std::string name;           ///< of the series: small letters, digits and dashes
    std::uint64_t version = 0;  ///< grows from bundle to bundle of a name
    Timestamp created;
    std::vector<std::pair<std::string, std::string>> files;  ///< (name, text), by name

    /// Who signed it says; nullopt = nobody.
    struct Signature {
        std::string key_id;
        Bytes bytes;
    };
    std::optional<Signature> signature;
    std::string signed_text;  ///< what the signature is over: it names every file with its hash

    bool is_signed_by(const PublicKey& key) const;
};

/// Errors: Malformed for bytes that are none or were changed since they were packed; TooLarge; Unsupported
/// for a version of the format of the future.
Result<Bundle> parse_bundle(std::string_view bytes);

/// The bytes of it. Without a key it is unsigned. Errors: InvalidArgument for a name, version, file or key.
Result<std::string> pack_bundle(const Bundle& bundle, std::string_view private_pem);

/// Errors: InvalidArgument.
Result<void> check_bundle_name(std::string_view name);

}  // namespace fieldwatch::feed
