// One identity's live attachment, whatever protocol it came over: what the hub can tell a device.
#pragma once

#include <string>
#include <string_view>

#include "registry/registry.hpp"

namespace fieldwatch::hub {

/// A direct method on its way to a device.
struct MethodRequest {
    std::string request_id;  ///< short, letters and digits (trap 10)
    std::string name;
    std::string payload_json;  ///< "null" when there is none
};

/// Lives on one core's strand, registered in Core::endpoints under an id of Shared::next_id(), and in the
/// SessionTable under its identity. All calls come on that strand.
class Endpoint {
  public:
    virtual ~Endpoint() = default;
    /// Told only if it asked; never queued.
    virtual void desired_changed(const registry::TwinChange& change) = 0;
    /// There may be messages in its queue: Commands::take.
    virtual void commands_waiting() = 0;
    /// False when it does not take methods. The answer goes to Methods::respond.
    virtual bool call_method(const MethodRequest& request) = 0;
    /// Closes the attachment for a reason of the hub's: 400027, 403012, 404001, 401003.
    virtual void end(int result, std::string_view description) = 0;
};

}  // namespace fieldwatch::hub
