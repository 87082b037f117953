// What detection runs on here: the rule pack (the binary's own, or a folder), indicator files, tuning.
#pragma once

#include "app/server_config.hpp"
#include "base/result.hpp"
#include "detect/engine.hpp"
#include "detect/rules/pack.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::app {

/// The rule pack of `rules_directory`, or the binary's own when it is ""; word lists that a folder lacks are
/// the binary's.
Result<detect::RulePack> base_rules(const std::string& rules_directory);
/// Rules and word lists as sources of content, without indicators and settings.
detect::ContentSources rule_sources(detect::RulePack pack);

/// Everything of this server: these rules, DATA/intel/*, DATA/advisories/*, tuning, the security groups of
/// its hubs. Errors: Malformed or InvalidArgument naming the file.
Result<detect::ContentSources> detection_content(const ServerConfig& config, registry::Registry& registry,
                                                 detect::RulePack rules);

}  // namespace fieldwatch::app
