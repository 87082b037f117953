// Hardening checks as data: what is looked at and what must hold, never a command
// (docs/formats/baseline-checks.md, schemas/baseline-checks.schema.json). The built-in set follows the Debian
// 12 server profiles; an owner may add a file of the same form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fieldwatch::agent {

enum class CheckKind : std::uint8_t {
    Sysctl,           ///< /proc/sys holds one of `values`
    FilePermissions,  ///< no bit beyond `mode`
    FileOwner,        ///< owner is one of `values`, names or numbers
    FileGroup,        ///< idem, group
    FileExists,       ///< or does not
    Package,          ///< installed, or not
    Service,          ///< a systemd unit that is enabled, or is not
    MountOption,      ///< where `path` is a mount of its own it has the option
    Mount,            ///< `path` is a mount of its own
    ModuleDisabled,   ///< modprobe cannot load it
    Setting,          ///< `key` in files of `key separator value` lines
    Line,             ///< some line matches `pattern`
};

struct Check {
    std::string id, title, severity;
    CheckKind kind = CheckKind::Sysctl;
    std::vector<std::string> paths;  ///< absolute; one that ends in `/` stands for the files in that folder
    std::string name;                ///< sysctl, package, service, module, mount option or setting
    std::vector<std::string> values;
    std::string pattern;    ///< POSIX extended regular expression on file names (Line: on lines)
    std::string separator;  ///< of a setting: a blank or `=`
    std::uint32_t mode = 0;
    bool recursive = false;
    bool wanted = true;          ///< installed, enabled, exists
    bool absent_passes = false;  ///< of a setting that no file names
    std::optional<std::int64_t> minimum, maximum;
};

inline constexpr std::size_t kChecksMax = 1'024;
inline constexpr std::size_t kCheckFileBytesMax = 1u << 20;

/// Errors: Malformed (not this form), TooLarge, InvalidArgument (names the check and the member).
Result<std::vector<Check>> parse_checks(std::string_view json);

/// The built-in set.
std::string_view built_in_checks();

/// Opens the owner's file once, without following a link, bounded; checks its SHA-256 (64 hex digits) and
/// parses the very bytes that were hashed. `folder` is where such files may lie. Errors: Forbidden
/// (elsewhere, or written by others), NotFound, Corrupt (other hash), and those of parse_checks.
Result<std::vector<Check>> load_custom_checks(const std::string& path, const std::string& sha256,
                                              const std::string& folder);

}  // namespace fieldwatch::agent
