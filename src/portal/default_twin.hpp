// The desired section that a new security module gets: which events its agent sends, how soon.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fieldwatch::portal {

/// real-time: processes, connections, logins and ports within 2 s, snapshots every 30 s. classic: the
/// published defaults of minutes and hours, spec/agent.md section 5.2.
enum class AgentProfile { RealTime, Classic };
std::optional<AgentProfile> agent_profile_from(std::string_view name);  ///< "real-time", "classic"

/// {"ms_iotn:…Configuration": {"property": {"value": …}, …}}
std::string default_desired_json(AgentProfile profile);

}  // namespace fieldwatch::portal
