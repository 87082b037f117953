// What detection runs on here: the rule pack (the binary's own, or a folder), indicator files, tuning.
#pragma once

#include "app/server_config.hpp"
#include "base/result.hpp"
#include "detect/engine.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::app {

/// The rule pack of `rules_directory`, or the binary's own when it is "".
Result<detect::ContentSources> rule_sources(const std::string& rules_directory);

/// Everything of this server: rules, DATA/intel/*, tuning, the security groups of its hubs. Errors: Malformed
/// or InvalidArgument naming the file.
Result<detect::ContentSources> detection_content(const ServerConfig& config, registry::Registry& registry);

}  // namespace fieldwatch::app
