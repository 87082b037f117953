// An update as its owner signs it, for the tests.
#pragma once

#include <string>
#include <string_view>

#include "agent/update/manifest.hpp"

namespace fieldwatch::agent {

inline constexpr std::string_view kOwnersKey =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEICJQDl+fDtC3vavZLmsfZIJ8kMJ+vODRYk7j6xGIyuLQ\n-----END "
    "PRIVATE KEY-----\n";
inline constexpr std::string_view kStrangersKey =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIPQ4AS/YMHhwjIkmg8Ad892b9Sq7cnl9VMMWb/i/PgJ1\n-----END "
    "PRIVATE KEY-----\n";

struct Update {
    std::string image;
    std::string manifest;
};
/// Its programs are some words each, of that version.
inline Update make_update(std::string_view version, std::string_view pem = kOwnersKey,
                          std::string_view downgrade_from = {}, std::string_view made_for = architecture()) {
    const std::array<std::string, 2> programs = {"the agent " + std::string(version),
                                                 "the collector " + std::string(version)};
    Manifest manifest{.version = *Version::parse(version),
                      .architecture = std::string(made_for),
                      .created = "2026-11-30T06:00:00Z"};
    if (!downgrade_from.empty()) manifest.downgrade_from = Version::parse(downgrade_from);
    for (std::size_t i = 0; i < programs.size(); ++i)
        manifest.programs[i] = {static_cast<std::uint32_t>(programs[i].size()),
                                hex(sha256(as_bytes(programs[i])))};
    return {programs[0] + programs[1], *sign_manifest(manifest, pem)};
}

}  // namespace fieldwatch::agent
