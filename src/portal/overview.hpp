// The overview of one hub, for whoever shows it: our own page and the published analytics shape. Internal to
// portal.
#pragma once

#include "portal/context.hpp"
#include "portal/reply.hpp"

namespace fieldwatch::portal {

/// The members of docs/api.md's overview.
Result<Json> overview_json(const Context& context, const Scope& scope);

}  // namespace fieldwatch::portal
