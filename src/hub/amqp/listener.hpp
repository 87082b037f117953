// The hub's AMQP: a listener over TLS, and the handler of AMQP over WebSocket. Owned by the hub's server.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "hub/core.hpp"
#include "journal/journal.hpp"
#include "net/stream_server.hpp"

namespace fieldwatch::hub {

class AmqpListener {
  public:
    /// `reader`: null = no Event Hubs compatible endpoint. `shared` and `cores` outlive it.
    static Result<std::unique_ptr<AmqpListener>> start(Shared& shared,
                                                       const std::vector<std::unique_ptr<Core>>& cores,
                                                       journal::Reader* reader, std::uint16_t port);
    virtual ~AmqpListener() = default;
    /// Closes its connections. Before the cores' outstanding calls are waited for.
    virtual void stop() = 0;
    virtual void close() = 0;  ///< after that wait: nothing is delivered from now on
    virtual std::uint16_t port() const = 0;
    /// The handler of a connection that came as a WebSocket, sub-protocol AMQPWSB10.
    virtual std::unique_ptr<net::Handler> web_socket(net::Connection& connection) = 0;
};

}  // namespace fieldwatch::hub
