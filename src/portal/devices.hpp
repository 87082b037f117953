// What the portal asks of the hub about connected devices; app joins the two.
#pragma once

#include "hub/service_operation.hpp"
#include "model/ids.hpp"
#include "registry/registry.hpp"

namespace fieldwatch::portal {

/// Any thread. Calls return at once: the hub does the work on its own strands.
class DeviceLink {
  public:
    virtual ~DeviceLink() = default;

    virtual bool connected(const model::Identity& identity) const = 0;
    /// The registry holds a new desired section: tell the device if it listens.
    virtual void desired_changed(const model::Identity& identity, const registry::TwinChange& change) = 0;
    /// Disabled or deleted: end the session now.
    virtual void disconnect(const model::Identity& identity) = 0;
    /// What was asked here is an operation of the hub like any other.
    virtual void operated(const hub::ServiceOperation& operation) = 0;
};

}  // namespace fieldwatch::portal
