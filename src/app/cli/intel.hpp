// What stands below `fieldwatch intel`, a file each.
#pragma once

#include "app/cli/command.hpp"

namespace fieldwatch::app {

void add_intel_feeds(CLI::App& intel, Session& session);
void add_intel_bundles(CLI::App& intel, Session& session);

}  // namespace fieldwatch::app
