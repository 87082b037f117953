// The portal's view of the advisories that this server matches packages with. app keeps them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "detect/vulnerability/advisory_table.hpp"

namespace fieldwatch::portal {

/// Any thread.
class AdvisoryFiles {
  public:
    virtual ~AdvisoryFiles() = default;

    struct Import {
        std::string name, text;
        bool may_shrink = false;  ///< a file may lose more than half of what it had
    };
    struct Imported {
        detect::AdvisoryTable::Source source;
        std::size_t bytes = 0;  ///< as it is kept
    };
    /// Keeps what can be matched of it in place of the file of that name; it acts within seconds. Errors:
    /// InvalidArgument for a name that is none, or a file of which nothing is left; Malformed; TooLarge;
    /// Conflict when the file shrank suddenly.
    virtual Result<Imported> import(Import import) = 0;
    virtual Result<void> remove(const std::string& name) = 0;
    /// What detection matches with now.
    virtual Result<std::shared_ptr<const detect::AdvisoryTable>> in_force() = 0;
};

}  // namespace fieldwatch::portal
