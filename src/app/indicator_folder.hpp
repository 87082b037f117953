// Indicator files of this server: DATA/intel/NAME, read whole into each content version. Importing one is
// writing it; what shrank suddenly is refused, because an empty answer of a feed must not disarm detection.
#pragma once

#include <functional>
#include <string>

#include "app/content_folder.hpp"
#include "portal/indicators.hpp"

namespace fieldwatch::app {

/// Any thread.
class IndicatorFolder final : public portal::IndicatorFiles {
  public:
    struct Parts {
        FileSystem& files;
        std::string directory;
        std::function<Result<std::shared_ptr<const detect::IntelSnapshot>>()> in_force;
        std::function<void()> changed;
    };
    explicit IndicatorFolder(Parts parts)
        : in_force_(std::move(parts.in_force)),
          folder_(parts.files, std::move(parts.directory), std::move(parts.changed)) {}

    Result<detect::IndicatorFile> import(Import import) override;
    Result<void> remove(const std::string& name) override { return folder_.remove(name); }
    Result<std::shared_ptr<const detect::IntelSnapshot>> in_force() override { return in_force_(); }

  private:
    std::function<Result<std::shared_ptr<const detect::IntelSnapshot>>()> in_force_;
    ContentFolder folder_;
};

}  // namespace fieldwatch::app
