// Twins for conditions of routes (`$twin.tags.site = 'hall-3'`). Source: spec/iot-hub-protocols.md
// section 7.5.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>

#include "base/clock.hpp"
#include "hub/query/expression.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::hub {

/// What is read of the registry for conditions, kept for a moment: a device that sends a thousand messages a
/// second costs one read of its twin. Any thread. Bound: kTwinsMax twins.
class RouteTwins {
  public:
    static constexpr std::size_t kTwinsMax = 1'024;
    static constexpr std::chrono::seconds kKeep{1};

    RouteTwins(registry::Registry& registry, const Clock& clock) : registry_(registry), clock_(clock) {}

    /// {"tags","properties":{"desired","reported"}} as it was within the last second; null when there is no
    /// such identity, or it cannot be read.
    std::shared_ptr<const query::Json> twin(const model::Identity& identity);

  private:
    struct Kept {
        std::shared_ptr<const query::Json> twin;
        std::chrono::nanoseconds read_at{0};
    };

    registry::Registry& registry_;
    const Clock& clock_;
    std::mutex mutex_;
    std::map<model::Identity, Kept> kept_;
};

}  // namespace fieldwatch::hub
