// R23, known-vulnerable packages: the newest SBoM of a device against the local list of vulnerabilities in
// the settings. spec/recommendations.md section 5.
#pragma once

#include "detect/detector.hpp"

namespace fieldwatch::detect {

class Packages final : public Detector {
  public:
    static constexpr std::size_t kFindingsMax = 256;  ///< named in the evidence of one device

    void observe(const model::Event& event, Context& context) override;
};

/// Debian's order of versions (deb-version(7)): -1, 0 or 1.
int compare_debian_versions(std::string_view left, std::string_view right);

}  // namespace fieldwatch::detect
