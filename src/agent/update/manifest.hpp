// What an update of the agent is, in a text small enough for a twin: which programs, for which processor,
// under whose signature. docs/formats/agent-update.md.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "base/result.hpp"
#include "base/signature.hpp"

namespace fieldwatch::agent {

/// Three numbers by dots.
struct Version {
    std::array<std::uint16_t, 3> parts{};

    friend auto operator<=>(const Version&, const Version&) = default;
    static std::optional<Version> parse(std::string_view text);  ///< one spelling only: no 0.01.0
    std::string text() const;
};

/// The programs' names in a slot, in the order of the image, which is one after the other.
inline constexpr std::array<const char*, 2> kUpdatePrograms = {"fieldwatch-agent", "fieldwatch-collector"};

struct Manifest {
    static constexpr std::size_t kBytesMax = 1'024;  ///< of its text, which has some 450
    static constexpr std::uint32_t kProgramBytesMax =
        32u << 20;  ///< ours have less than 1 MiB; one with sanitizers has more

    Version version;
    std::string architecture;  ///< architecture() of the devices it is for
    std::string created;       ///< words of whoever made it, a time; makes two manifests of the same two
    /// The one version in whose place this older one may be put; without it, versions only grow.
    std::optional<Version> downgrade_from;
    struct Program {
        std::uint32_t bytes = 0;
        std::string sha256;  ///< 64 hex digits
    };
    std::array<Program, kUpdatePrograms.size()> programs;

    std::string text;         ///< all of it, as parsed
    std::string signed_text;  ///< what the signature is over: all before its line
    std::string key_id;       ///< who signed it says
    Bytes signature;

    std::uint64_t image_bytes() const;
    std::string id() const;  ///< 64 hex digits of its SHA-256: names it to machines
    bool is_signed_by(const PublicKey& key) const;
    /// Why an agent of that version must not take it; success if it may. Errors: Forbidden, Unsupported.
    Result<void> check_for(const Version& current) const;
};

/// What a twin says of an update, for one architecture.
struct Announcement {
    std::string manifest;
    std::string url;  ///< of the image

    friend bool operator==(const Announcement&, const Announcement&) = default;
};

/// Of this program: x86_64, aarch64 or arm.
std::string_view architecture();

/// Never trusts what it reads: who wants to know who made it asks is_signed_by(). Errors: Malformed,
/// TooLarge; Unsupported for a later version of the format.
Result<Manifest> parse_manifest(std::string_view text);
/// The text of it, signed. Errors: InvalidArgument for a field or key that cannot be.
Result<std::string> sign_manifest(const Manifest& manifest, std::string_view private_pem);

}  // namespace fieldwatch::agent
