// The portal's view of the indicator files that this server detects with. app keeps them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "detect/intel/intel.hpp"

namespace fieldwatch::portal {

/// Any thread.
class IndicatorFiles {
  public:
    virtual ~IndicatorFiles() = default;

    struct Import {
        std::string name, text;
        bool may_shrink = false;  ///< a feed may lose more than half of what it had
    };
    /// Keeps the file in place of the one of that name; it acts within seconds. Errors: InvalidArgument for a
    /// name that is none or a file without indicators; Malformed; Conflict when the feed shrank suddenly.
    virtual Result<detect::IndicatorFile> import(Import import) = 0;
    virtual Result<void> remove(const std::string& name) = 0;
    /// What detection looks up in now.
    virtual Result<std::shared_ptr<const detect::IntelSnapshot>> in_force() = 0;
};

}  // namespace fieldwatch::portal
