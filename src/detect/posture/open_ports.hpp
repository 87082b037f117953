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

    /// Whether a device is known to listen where others can reach it, on a port that is not allowed.
    static bool is_exposed(const RecommendationBook& posture, std::string_view hub, std::string_view device);
};

}  // namespace fieldwatch::detect
