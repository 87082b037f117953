// What people decide about alerts, as part of the API: alerts_api.cpp hands these routes on with its own.
// Internal to portal.
#pragma once

#include "portal/context.hpp"

namespace fieldwatch::portal {

std::vector<Route> alert_decision_routes();

}  // namespace fieldwatch::portal
