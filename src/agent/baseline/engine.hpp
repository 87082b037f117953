// Runs hardening checks against this system, by reading files only. In the unprivileged sender: what its
// account may not read is an Err, not a pass.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/aggregation/observation.hpp"
#include "agent/baseline/check.hpp"

namespace fieldwatch::agent {

enum class CheckResult : std::uint8_t { Pass, Fail, Err };
struct CheckOutcome {
    CheckResult result = CheckResult::Pass;
    std::string reason;  ///< what stands there now, or why it could not be seen
};

/// What many checks look at, read once for all of them: mounts, packages, accounts.
class BaselineEngine {
  public:
    /// Paths of checks are below `root` ("" = this system).
    explicit BaselineEngine(std::string root);

    CheckOutcome run(const Check& check) const;
    /// One OSBaseline observation per check that does not pass. Empty = all passed.
    std::vector<Observation> findings(const std::vector<Check>& checks) const;

  private:
    struct Mount {
        std::string path, options;
    };
    CheckOutcome file(const Check& check) const;
    CheckOutcome setting(const Check& check) const;
    CheckOutcome line(const Check& check) const;
    CheckOutcome module_disabled(const Check& check) const;
    CheckOutcome service(const Check& check) const;
    std::vector<std::string> files_of(const Check& check) const;
    std::string name_of(const char* file, std::uint32_t id) const;

    std::string root_;
    std::vector<Mount> mounts_;
    std::vector<std::string> packages_;  // sorted
};

}  // namespace fieldwatch::agent
