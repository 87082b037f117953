// The server side of SASL for proton's engine: the mechanisms that IoT clients open with. Inside
// src/protocol/amqp only. Source: spec/iot-hub-protocols.md section 5.1.
#pragma once

#include <proton/types.h>

namespace fieldwatch::amqp {

class Peer;

/// Offers MSSBCBS, ANONYMOUS, EXTERNAL and PLAIN on `transport`; also lets a client in that skips SASL.
/// `peer` outlives the transport.
void offer_sasl(pn_transport_t* transport, Peer& peer);

}  // namespace fieldwatch::amqp
