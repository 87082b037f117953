// Changes of a hub's configuration as the activity log has them, with who made them. Source:
// spec/hub-signals.md section 3.
#pragma once

#include "portal/context.hpp"

namespace fieldwatch::portal {

struct ControlPlaneChange {
    model::HubName hub;
    std::string operation;  ///< "Microsoft.Devices/iotHubs/Write", …
    std::string resource;   ///< behind the hub's id: "/certificates/NAME"; "" = the hub itself
    int status = 200;
    bool failed = false;
    std::string detail = {};  ///< for people
    bool with_digest = true;  ///< of the request's body; not where it holds a password
};

/// One terminal record, through the registry's outbox into the log.
Result<void> tell_control_plane(const Context& context, const Call& call, const ControlPlaneChange& change);

}  // namespace fieldwatch::portal
