// The master keys that the registry's secrets are sealed under: AES-256-GCM, each value bound to its row. How
// it looks to the byte: docs/formats/registry.md; why: ADR 0140.
#pragma once

#include <array>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/random.hpp"
#include "base/result.hpp"

namespace fieldwatch::registry {

/// Where the master keys lie.
struct MasterKeyFile {
    std::string path;
    /// Made by the first start, and rewritten when the key is rotated. One that the administrator or the
    /// service manager brings is only read.
    bool is_ours = true;
};

/// The file in the folder of a registry: what is used where nobody names another.
MasterKeyFile master_key_beside(const std::string& registry_path);

/// The row and column that a value belongs to: it opens nowhere else.
std::string place_of(std::string_view column, std::initializer_list<std::string_view> row);

/// Immutable; any thread.
class Keyring {
  public:
    static constexpr std::size_t kKeysMax = 8;
    static constexpr std::size_t kIdBytes = 8;
    using Key = std::array<std::byte, 32>;

    /// A key a line, base64 of 32 bytes, the present one first; blank lines and `#` to the end of a line are
    /// passed over. Errors: InvalidArgument naming the line, never what stands there.
    static Result<Keyring> parse(std::string_view text);
    static Keyring generate(Random& random);

    /// These keys behind a new one.
    Keyring rotated(Random& random) const;
    /// The one key of this id. Errors: NotFound.
    Result<Keyring> only(std::string_view id) const;
    std::string text() const;

    /// 16 hex digits that name the present key to people, and tell nothing of it.
    std::string id() const { return ids().front(); }
    std::vector<std::string> ids() const;
    bool holds(std::string_view id) const;

    Bytes seal(std::string_view place, std::string_view text) const;
    /// Errors: Unavailable when it is sealed under a key that is not here, Corrupt when it was changed or
    /// belongs to another place.
    Result<std::string> unseal(std::string_view place, ByteView sealed) const;

  private:
    struct Known {
        Key master{};   ///< as the file has it
        Key sealing{};  ///< made of it for this one purpose
        std::array<std::byte, kIdBytes> id{};
    };
    static Known known_of(const Key& master);

    std::vector<Known> keys_;  // the present one first; never empty
};

/// Errors: NotFound, InvalidArgument, TooLarge; InvalidArgument also for a file of ours that others may read.
Result<Keyring> read_keyring(const MasterKeyFile& file);
/// Into a file of ours, mode 0600: the old one or the new one, whatever happens.
Result<void> write_keyring(const MasterKeyFile& file, const Keyring& keyring);

}  // namespace fieldwatch::registry
