// R12 to R14 and R20: what a hub's configuration alone says. spec/recommendations.md sections 4 and 4.1.
// Judged by the hub's home shard.
#pragma once

#include "detect/detector.hpp"

namespace fieldwatch::detect {

class HubConfiguration final : public Detector {
  public:
    void hub(const HubDocument& hub, const model::RegistryChange& change, Context& context) override;
};

}  // namespace fieldwatch::detect
