// A47, requests for names that threat intelligence knows: a queried name, or one above it, is an indicator.
// spec/alerts.md section 7.2.
#pragma once

#include "detect/detector.hpp"

namespace fieldwatch::detect {

class MaliciousNames final : public Detector {
  public:
    void observe(const model::Event& event, Context& context) override;
};

}  // namespace fieldwatch::detect
