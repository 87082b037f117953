// What the rest of the server asks of live connections: is a device there, close it, tell it its desired
// state. Called by app (the registry's outbox) and by portal after a registry change.
#pragma once

#include <cstddef>

#include "hub/service_operation.hpp"
#include "model/ids.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::hub {

/// Any thread; none of the calls waits for a device.
class Devices {
  public:
    virtual ~Devices() = default;
    virtual bool connected(const model::Identity& identity) const = 0;
    /// Closes the identity's connection, if it has one; a device's modules are closed with it. The reason is
    /// looked up: disabled (403012), deleted (404001), or else keys changed (401003).
    virtual void disconnect(const model::Identity& identity) = 0;
    /// After a desired change is visible to a GET. Never queued: who is away reads the twin when it is back.
    virtual void desired_changed(const model::Identity& identity, const registry::TwinChange& change) = 0;
    virtual std::size_t connected_count() const = 0;
    /// Into the operation log.
    virtual void operated(const ServiceOperation& operation) = 0;
};

}  // namespace fieldwatch::hub
