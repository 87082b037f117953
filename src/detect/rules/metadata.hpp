// What a rule says about itself: the Sigma header and our `fieldwatch:` section.
#pragma once

#include "base/result.hpp"
#include "detect/rules/rule_set.hpp"

namespace YAML {
class Node;
}

namespace fieldwatch::detect {

/// Errors: Malformed, InvalidArgument in words. Throws YAML::Exception where yaml-cpp does.
Result<void> read_metadata(const YAML::Node& document, RuleMeta& meta);
/// The same of a correlation rule, which has no log source and whose alerts are kept apart by its groups.
Result<void> read_correlation_metadata(const YAML::Node& document, RuleMeta& meta);

}  // namespace fieldwatch::detect
