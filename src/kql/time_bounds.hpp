// Which part of time a query's filters leave: what lets the workspace skip whole files.
#pragma once

#include <span>

#include "kql/plan.hpp"

namespace fieldwatch::kql {

/// The bounds that hold for every row of `scan` which all `conditions` let through. Looks at comparisons of
/// the time column with constants, under `and` and between; everything else leaves the bounds as they are.
TimeBounds time_bounds(const Plan& scan, std::span<const ExprPtr> conditions);

}  // namespace fieldwatch::kql
