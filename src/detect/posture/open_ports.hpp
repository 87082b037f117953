// R01, open ports: a state of a device, read from its latest snapshot of listening sockets.
// spec/recommendations.md section 2.
#pragma once

#include "detect/detector.hpp"

namespace fieldwatch::detect {

class OpenPorts final : public Detector {
  public:
    static constexpr std::size_t kEndpointsMax =
        1'024;  ///< evidence of one device; more listeners than that say the same

    void observe(const model::Event& event, Context& context) override;
};

}  // namespace fieldwatch::detect
