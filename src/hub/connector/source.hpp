// What a connector reads from, behind one call: an event hub, a broker.
#pragma once

#include <functional>
#include <memory>

#include "hub/connector/intake.hpp"
#include "hub/connector/place.hpp"
#include "hub/connector/settings.hpp"
#include "net/outbound_stream.hpp"

namespace fieldwatch::hub {

/// What a source works with; outlives its run.
struct SourceParts {
    Intake& intake;
    ConnectorPlace& place;
    const net::Interrupt& interrupt;
    std::function<void()> connected;  ///< to be called when messages can come
};

/// One thread.
class ConnectorSource {
  public:
    virtual ~ConnectorSource() = default;
    /// Connects and reads until something fails, or `interrupt` is raised (Cancelled). Nothing is
    /// acknowledged, and no place kept, before it is on disk here.
    virtual Result<void> run(const SourceParts& parts) = 0;
};

std::unique_ptr<ConnectorSource> make_event_hub_source(const ConnectorSettings& settings);
std::unique_ptr<ConnectorSource> make_broker_source(const ConnectorSettings& settings);

}  // namespace fieldwatch::hub
