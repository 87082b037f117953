// Indicator files of this server: DATA/intel/NAME, read whole into each content version. Importing one is
// writing it; what shrank suddenly is refused, because an empty answer of a feed must not disarm detection.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "base/file_system.hpp"
#include "portal/indicators.hpp"

namespace fieldwatch::app {

/// A name of an imported file is part of a path: no separators, not hidden. Errors: InvalidArgument.
Result<void> check_content_name(std::string_view name);

/// Any thread.
class IndicatorFolder final : public portal::IndicatorFiles {
  public:
    static constexpr std::size_t kSmall = 20;  ///< a file of fewer may lose any number of them

    struct Parts {
        FileSystem& files;
        std::string directory;
        std::function<Result<std::shared_ptr<const detect::IntelSnapshot>>()> in_force;
        std::function<void()> changed;
    };
    explicit IndicatorFolder(Parts parts) : parts_(std::move(parts)) {}

    Result<detect::IndicatorFile> import(Import import) override;
    Result<void> remove(const std::string& name) override;
    Result<std::shared_ptr<const detect::IntelSnapshot>> in_force() override { return parts_.in_force(); }

  private:
    Parts parts_;
    std::mutex mutex_;  ///< one import after the other: each compares with what it replaces
};

}  // namespace fieldwatch::app
