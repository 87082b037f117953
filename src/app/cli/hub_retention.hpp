// fieldwatch hub retention: how long a hub's workspace keeps each table.
#pragma once

#include <string>

#include "app/cli/command.hpp"

namespace fieldwatch::app {

/// Onto the subcommand; `hub` outlives it.
void add_hub_retention(CLI::App& command, const std::string& hub, Session& session);

}  // namespace fieldwatch::app
