// One connection as the network models see it: who, what, how much, and whether anybody answered.
#pragma once

#include <cstdint>
#include <optional>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "model/event.hpp"

namespace fieldwatch::detect {

enum class Transport : std::uint8_t { Other, Tcp, Udp, Icmp };
std::string_view to_string(Transport transport);  ///< lower case

struct Flow {
    Timestamp time;
    IpAddress remote;
    std::uint16_t port = 0;  ///< of the service: the remote one of an outgoing flow, else the local one
    Transport transport = Transport::Other;
    bool outgoing = true;
    bool external = false;  ///< the remote address lies outside the device's own networks
    bool measured = false;  ///< a sensor counted packets and saw the end: `unanswered` and the amounts hold
    bool unanswered = false;
    /// Both sides sent data after a handshake, and the sensor, which looks for protocols, recognised none.
    bool wordless = false;
    bool chat = false;  ///< the sensor recognised IRC, which no device speaks of itself
    std::int64_t hits = 1;
    double packets_out = 0, packets_in = 0, bytes_out = 0, bytes_in = 0;
    double seconds = 0;
};

/// A connection event as a flow; none for multicast, broadcast and loopback, and for what names no address.
/// What a sensor counted comes in ExtraDetails: ConnState (Zeek's conn_state), PacketsOut, PacketsIn,
/// BytesOut, BytesIn, Duration (seconds), Service (the protocol that was recognised, `-` for none).
std::optional<Flow> flow_of(const model::Event& event, const model::Item& item,
                            const model::ConnectionCreate& connection);

}  // namespace fieldwatch::detect
