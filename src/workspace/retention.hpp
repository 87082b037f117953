// How long the rows of each table are kept: what a workspace's people set over what the server was started
// with. A setting of the registry, docs/api.md.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fieldwatch::workspace {

/// Days by the table's name; a table that is not named is kept as the workspace's options say.
using RetentionDays = std::map<std::string, unsigned, std::less<>>;
inline constexpr unsigned kRetentionDaysMax = 3'650;

/// Name of the setting that holds a workspace's.
std::string retention_setting(std::string_view workspace_id);

/// `{"TABLE":DAYS}`. Errors: InvalidArgument, naming the member and what is allowed.
Result<RetentionDays> parse_retention(std::string_view json);
std::string to_json(const RetentionDays& days);

/// Errors: InvalidArgument for a table that there is not, or days out of 1 to kRetentionDaysMax.
Result<void> check_retention(std::string_view table, unsigned long long days);

}  // namespace fieldwatch::workspace
