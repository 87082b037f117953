// One content version, compiled: rules, indicators, settings. What engine.hpp promises as `Content`.
#pragma once

#include <memory>
#include <string>

#include "detect/engine.hpp"
#include "detect/intel/intel.hpp"
#include "detect/rules/rule_set.hpp"
#include "detect/settings.hpp"
#include "detect/vulnerability/advisory_table.hpp"

namespace fieldwatch::detect {

class Content {
  public:
    std::string hash;
    std::string rules_hash;  ///< of what `rules` were compiled from
    RuleSetPtr rules;
    std::vector<RuleError> rule_errors;  ///< of rules that were left out
    std::shared_ptr<const IntelSnapshot> intel;
    std::shared_ptr<const AdvisoryTable> advisories;
    Settings settings;
};

/// Rule files or word lists of a content version, as the rule compiler takes them.
std::vector<SourceFile> source_files(const std::vector<std::pair<std::string, std::string>>& named_texts);

}  // namespace fieldwatch::detect
