// What comes without a signature, by a person's import or a feed, is taken only where none is required.
#pragma once

#include "feed/bundles.hpp"
#include "feed/feeds.hpp"
#include "portal/indicators.hpp"

namespace fieldwatch::app {

/// Any thread. Both parts outlive it.
class UnsignedIndicators final : public portal::IndicatorFiles {
  public:
    UnsignedIndicators(portal::IndicatorFiles& files, feed::Bundles& bundles)
        : files_(files), bundles_(bundles) {}

    Result<detect::IndicatorFile> import(Import import) override;
    /// Errors besides: Conflict for a file of a bundle, which would come back.
    Result<void> remove(const std::string& name) override;
    Result<std::shared_ptr<const detect::IntelSnapshot>> in_force() override { return files_.in_force(); }

  private:
    portal::IndicatorFiles& files_;
    feed::Bundles& bundles_;
};

/// What a feed brought, as a file or a bundle.
Result<detect::IndicatorFile> take_feed(feed::Feeds::Import import, UnsignedIndicators& files,
                                        feed::Bundles& bundles);

}  // namespace fieldwatch::app
