// Queries that people keep for themselves and for each other, hub by hub.
#pragma once

#include <vector>

#include "portal/context.hpp"

namespace fieldwatch::portal {

std::vector<Route> saved_query_routes();

}  // namespace fieldwatch::portal
