// A25 by volume: a flow of the newer agents that sends more bytes outside than the settings allow.
// spec/alerts.md section 7.2; what a command line says of uploads is a rule.
#pragma once

#include "detect/detector.hpp"

namespace fieldwatch::detect {

class Egress final : public Detector {
  public:
    void observe(const model::Event& event, Context& context) override;
};

}  // namespace fieldwatch::detect
