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

}  // namespace fieldwatch::detect
