// Personal data goes from everywhere at once: the workspaces' rows, and the log that they came from.
#pragma once

#include <functional>

#include "journal/upkeep.hpp"
#include "portal/portal.hpp"
#include "registry/registry.hpp"
#include "workspace/upkeep.hpp"
#include "workspace/workspace.hpp"

namespace fieldwatch::app {

struct PurgeParts {
    registry::Registry& registry;
    journal::Upkeep& journal;
    std::function<Result<workspace::Workspace*>(std::string_view id)> workspace;
};

/// Not beside maintenance. Idempotent: what was interrupted is asked for again.
Result<portal::PurgeReport> purge(const workspace::Purge& what, const PurgeParts& parts);

}  // namespace fieldwatch::app
