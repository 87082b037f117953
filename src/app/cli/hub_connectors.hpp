// What a hub is attached to, on the command line: fieldwatch hub connector, import-records and
// import-snapshot.
#pragma once

#include "app/cli/command.hpp"

namespace fieldwatch::app {

void add_hub_connectors(CLI::App& hub, Session& session);
void add_hub_snapshots(CLI::App& hub, Session& session);

}  // namespace fieldwatch::app
