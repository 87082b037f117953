// What software is installed, as the package databases tell: the SBoM snapshot and the CycloneDX document of
// `fieldwatch-agent sbom`. Software that came without a package manager is not seen.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/aggregation/observation.hpp"
#include "base/random.hpp"
#include "base/time.hpp"

namespace fieldwatch::agent {

struct Package {
    std::string name;
    std::string version;
    std::string vendor;  ///< a deb's maintainer
    std::string architecture;
    std::string source,
        source_version;            ///< what it was built from, as advisories call it; "" = as the package
    const char* type = "generic";  ///< of a package URL: deb, rpm, apk, opkg
};

inline constexpr std::size_t kPackagesMax = 8'192;  // a full desktop has 4,000

/// dpkg's and opkg's status files: stanzas of `Key: value`. Only what is installed.
void parse_status_file(std::string_view text, const char* type, std::vector<Package>& out);
/// apk's installed file: stanzas of `K:value`.
void parse_apk_file(std::string_view text, std::vector<Package>& out);
/// rpm's rpmdb.sqlite, the Packages table, read without SQLite: docs/formats/rpm-database.md.
/// Returns false when it is no such database; then nothing is added.
bool parse_rpm_database(std::string_view file, std::vector<Package>& out);

/// All databases below `root`, sorted, at most kPackagesMax. A database is read again only when it changed.
class PackageReader {
  public:
    explicit PackageReader(std::string root) : root_(std::move(root)) {}
    /// Whether any database changed since the last read().
    bool changed() const;
    std::vector<Package> read();

  private:
    std::string stamp() const;
    std::string root_;
    std::string seen_;
};

std::vector<Observation> to_observations(const std::vector<Package>& packages);

/// CycloneDX 1.5 JSON. `distribution` is os-release's ID, the namespace of package URLs.
std::string to_cyclonedx(const std::vector<Package>& packages, std::string_view distribution, Timestamp now,
                         Random& random);

}  // namespace fieldwatch::agent
