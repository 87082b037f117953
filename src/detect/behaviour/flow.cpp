#include "detect/behaviour/flow.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "detect/command/address.hpp"

namespace fieldwatch::detect {
namespace {

double amount(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return 0;
    return std::clamp(value, 0.0, 1e15);
}

Transport transport_of(std::string_view protocol) {
    if (protocol == "tcp" || protocol == "TCP") return Transport::Tcp;
    if (protocol == "udp" || protocol == "UDP") return Transport::Udp;
    if (protocol == "icmp" || protocol == "ICMP") return Transport::Icmp;
    return Transport::Other;
}

bool is_unanswered(std::string_view state, Transport transport, double packets_in) {
    // Zeek's script reference, conn_state: no reply, rejected, or given up before it was established.
    for (const std::string_view none : {"S0", "REJ", "RSTOS0", "RSTRH", "SH", "SHR"})
        if (state == none) return true;
    return transport == Transport::Icmp && state == "OTH" && packets_in == 0;
}

/// The sensor saw the handshake: what follows it is the protocol's beginning.
bool was_established(std::string_view state) {
    for (const std::string_view seen : {"SF", "S1", "S2", "S3", "RSTO", "RSTR"})
        if (state == seen) return true;
    return false;
}

/// Nobody in particular: multicast and the broadcast of all networks.
bool is_group(const IpAddress& address) {
    return address.is_v4 ? address.v4() >= 0xE0000000U : address.bytes[0] == 0xFF;
}

AddressClass class_of(const IpAddress& address) {
    Address mapped;
    mapped.v4 = address.is_v4;
    if (address.is_v4) {
        mapped.bytes[10] = mapped.bytes[11] = 0xFF;
        std::copy_n(address.bytes.begin(), 4, mapped.bytes.begin() + 12);
    } else {
        mapped.bytes = address.bytes;
    }
    return classify(mapped);
}

}  // namespace

std::string_view to_string(Transport transport) {
    constexpr std::string_view kNames[] = {"other", "tcp", "udp", "icmp"};
    return kNames[static_cast<std::size_t>(transport)];
}

std::optional<Flow> flow_of(const model::Event& event, const model::Item& item,
                            const model::ConnectionCreate& connection) {
    const auto remote = parse_ip(connection.remote_address);
    if (!remote || remote->is_loopback() || remote->is_unspecified() || is_group(*remote))
        return std::nullopt;
    Flow out{.time = event.time, .remote = *remote};
    out.outgoing = connection.direction != model::Direction::In;
    out.transport = transport_of(connection.protocol);
    const auto port = amount(out.outgoing ? connection.remote_port : connection.local_port);
    if (out.transport != Transport::Icmp) out.port = static_cast<std::uint16_t>(std::min(port, 65'535.0));
    const auto kind = class_of(*remote);
    // Networks for documentation stand for the outside wherever they are met: in examples and simulations.
    out.external = kind == AddressClass::External || kind == AddressClass::Documentation;
    out.hits = std::max<std::int64_t>(event.hit_count, 1);
    const auto state = model::find(item.extra_details, "ConnState");
    if (state.empty()) return out;
    out.measured = true;
    out.packets_out = amount(model::find(item.extra_details, "PacketsOut"));
    out.packets_in = amount(model::find(item.extra_details, "PacketsIn"));
    out.bytes_out = amount(model::find(item.extra_details, "BytesOut"));
    out.bytes_in = amount(model::find(item.extra_details, "BytesIn"));
    out.seconds = amount(model::find(item.extra_details, "Duration"));
    out.unanswered = is_unanswered(state, out.transport, out.packets_in);
    const auto service = model::find(item.extra_details, "Service");
    out.chat = service == "irc";
    out.wordless = service == "-" && out.transport == Transport::Tcp && was_established(state) &&
                   out.bytes_out > 0 && out.bytes_in > 0;
    return out;
}

}  // namespace fieldwatch::detect
