// The micro agent's twin names (spec/agent.md section 5.5): flat properties directly under desired, in its
// own units.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "agent/twin/settings.hpp"

namespace fieldwatch::agent {

/// Reads what `desired` names into `settings`; returns whether it names any of them. Bad values go to
/// `invalid` by name. Properties without meaning here (cache sizes, packet buffers, process mode) are checked
/// and have no effect.
bool apply_aliases(const nlohmann::json& desired, Settings& settings, std::vector<std::string>& invalid);

}  // namespace fieldwatch::agent
