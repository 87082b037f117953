// The portal's view of the indicator files that this server detects with. app keeps them.
#pragma once

#include <memory>
#include <optional>
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

/// How looking for new indicators in stored history fares. Any thread.
class HuntHealth {
  public:
    virtual ~HuntHealth() = default;

    struct Status {
        std::optional<Timestamp> last;  ///< when one was last done since the server started
        std::uint64_t hunts = 0, findings = 0;
        std::uint64_t left_out = 0;  ///< slices of history and hits beyond bounds
        bool waiting = false;        ///< one is under way or to come
        std::string problem;         ///< why the last one failed; "" = well
    };
    virtual Status status() const = 0;
};

}  // namespace fieldwatch::portal
