// Who asks, and what they may: bearer tokens of the registry, four roles.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "net/http.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::portal {

/// Each role may what the ones before it may: readers see, analysts query, operators dismiss alerts and
/// enable or disable devices, administrators change everything and see keys. Public = no token asked.
enum class Role : std::uint8_t { Public, Reader, Analyst, Operator, Administrator };
std::optional<Role> role_from(std::string_view name);  ///< "reader" … "administrator"
std::string_view to_string(Role role);

struct Principal {
    std::string name;
    Role role = Role::Public;
};

/// The principal behind `Authorization: Bearer …` (RFC 6750 section 2.1). The registry holds SHA-256 of
/// tokens, in hex. Errors: Unauthorized.
Result<Principal> authenticate(const net::HttpRequest& request, registry::Registry& registry,
                               const Clock& clock);

}  // namespace fieldwatch::portal
