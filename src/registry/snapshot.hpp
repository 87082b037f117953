// All identities and twins of a hub, told again: what detection needs when a hub's Security or twin
// collection is switched on, and the log may no longer hold when they were made. spec/hub-signals.md
// section 4.
#pragma once

#include "registry/outbox.hpp"
#include "registry/registry.hpp"
#include "registry/sqlite.hpp"

namespace fieldwatch::registry {

/// Adds them to the outbox, in the caller's transaction: devices by name, each with its modules.
Result<void> tell_everything(Connection& database, const model::HubName& hub, const Telling& telling);

}  // namespace fieldwatch::registry
