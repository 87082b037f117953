#include "detect/behaviour/network_detector.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/json_text.hpp"
#include "detect/behaviour/alert_budget.hpp"
#include "detect/behaviour/network_alert.hpp"

namespace fieldwatch::detect {
namespace {

// Thresholds a window of five minutes. The first is for a device that nobody knows; where three numbers
// stand, a device that is known gets the factor times the most it was seen to do, within the two bounds.
struct Limit {
    double unknown, factor, least, most;

    double of(bool learned, double usual) const {
        return learned ? std::clamp(factor * usual, least, most) : unknown;
    }
};
constexpr Limit kTcpAddresses{20, 4, 10, 60}, kOtherAddresses{40, 4, 20, 120};
constexpr Limit kTcpAddressesLong{60, 8, 40, 200}, kOtherAddressesLong{120, 8, 80, 250};  ///< an hour
constexpr Limit kFlows{1'000, 10, 300, 3'000}, kUnanswered{600, 10, 300, 1'500};
constexpr double kAgentFactor = 3;        ///< an agent says who was called, not who answered
constexpr double kLookupFactor = 10;      ///< name servers are asked often
constexpr double kFloodPackets = 50'000;  ///< 167 a second, with hardly an answer
constexpr double kFloodPacketsInside = 200'000, kFloodPacketsAll = 100'000;
constexpr Limit kTcpAddressesDay{150, 8, 80, 250};
constexpr double kPortsTried = 30, kGuesses = 30;
constexpr double kPortsTriedHour = 60, kGuessesHour = 60;
// Bytes to one address within an hour that carry data out: to a network that is new to a known device, and
// many times what it ever sent to one; much more where the port and the protocol are ordinary.
constexpr double kBytesOut = 20e6, kBytesOutFactor = 8, kBytesOutCommon = 200e6, kBytesOutCommonFactor = 20;
constexpr double kOutOfIn = 4;           ///< times what came back
constexpr std::size_t kFewNetworks = 4;  ///< that a device calls on one port within a day
constexpr double kBusyPort = 8;          ///< addresses: a port that is being scanned makes no contacts
constexpr Ticks kBothCalled = std::chrono::minutes(90);  ///< by a device whose cloud moves, at most
constexpr Ticks kQuarter = std::chrono::minutes(15), kDay = std::chrono::hours(24);
constexpr std::uint32_t kStandardWindows = 36;  ///< with traffic, before the device counts as known

bool is_scanned_for_logins(const Flow& flow) {
    return flow.transport == Transport::Tcp && (flow.port == 22 || flow.port == 23 || flow.port == 2323);
}

/// Outside, no device of itself keeps contact there: telnet, and the chat servers that command bots.
bool is_ill_famed(const Flow& flow) {
    return flow.transport == Transport::Tcp &&
           (flow.port == 23 || flow.port == 2323 || (flow.port >= 6660 && flow.port <= 6667));
}

/// Ports that ordinary devices poll; regular contact alone says nothing there.
bool is_common(const Flow& flow) {
    constexpr std::array kCommon{25,   53,   67,   68,   80,    123,   137,  138,  143,  443,  465,  514,
                                 554,  587,  853,  993,  995,   1883,  1900, 3478, 3479, 5060, 5061, 5222,
                                 5223, 5228, 5353, 5671, 5672,  8000,  8080, 8443, 8883, 5683, 5684, 4433,
                                 3544, 7,    9443, 8886, 19302, 51820, 1194, 500,  4500};
    return std::ranges::find(kCommon, static_cast<int>(flow.port)) != kCommon.end();
}

struct Filter {
    std::array<std::uint64_t, 16>& bits;

    bool has(std::uint64_t hash) const { return (bits[(hash >> 6) % 16] >> (hash & 63) & 1) != 0; }
    void add(std::uint64_t hash) { bits[(hash >> 6) % 16] |= std::uint64_t{1} << (hash & 63); }
};

std::uint64_t port_hash(const Flow& flow) {
    return (flow.port * 4U + static_cast<std::uint64_t>(flow.transport)) * 0x9E3779B97F4A7C15U >> 32;
}
/// The key of a contact among the hub's.
std::uint64_t contact_hash(std::string_view hub, std::uint64_t net) {
    return (net ^ hash64(as_bytes(hub))) * 0x9E3779B97F4A7C15U;
}
/// The /24 of IPv4, the /48 of IPv6, and the port.
std::uint64_t net_hash(const Flow& flow) {
    auto net = flow.remote;
    std::fill(net.bytes.begin() + (net.is_v4 ? 3 : 6), net.bytes.end(), std::uint8_t{0});
    return (hash_of(net) ^ port_hash(flow)) >> 13;
}
std::uint64_t net_hash(const ContactTable::Entry& contact) {
    Flow flow;
    flow.remote = contact.remote;
    flow.port = contact.port;
    flow.transport = contact.transport;
    return net_hash(flow);
}

}  // namespace

struct NetworkDetector::Sight {
    const model::Event& event;
    const model::Item& item;
    const Flow& flow;
    Device& device;
    bool learned;  ///< the device is known
    Context& context;

    void raise(const NetworkAlert& what) const {
        context.book.raise(network_alert(what, event, item, flow, learned), kAlertMerge, context.now,
                           context.out);
    }
};

void NetworkDetector::observe(const model::Event& event, const model::Item& item,
                              const model::ConnectionCreate& connection, Context& context) {
    const auto flow = flow_of(event, item, connection);
    if (!flow || !flow->outgoing || !(flow->measured || context.settings.behaviour)) return;
    auto& device = devices_.get(device_key(event.hub, event.device));
    if (device.window < 0) device.first = flow->time;
    turn_windows(device, *flow);
    Sight sight{
        .event = event,
        .item = item,
        .flow = *flow,
        .device = device,
        .learned = flow->time - device.first >= kLearning && device.standard.windows >= kStandardWindows,
        .context = context};
    if (flow->external && flow->measured && !flow->unanswered) device.answered = flow->time;
    judge_ports(sight);
    judge_destination(sight);
    judge_hour(sight);
    if (!flow->external || flow->transport == Transport::Icmp || flow->transport == Transport::Other) return;
    judge_contact(sight);
    judge_new_port(sight);
}

void NetworkDetector::turn_windows(Device& device, const Flow& flow) const {
    const auto number = flow.time.ticks / kWindow.count();
    if (number > device.window) {
        // A device learns from its quiet windows only, and at most to double what it was used to.
        auto& standard = device.standard;
        if (device.window >= 0 && flow.time - device.attack > 2 * kWindow) {
            standard.addresses = static_cast<float>(
                std::max(0.999 * static_cast<double>(standard.addresses),
                         std::min(device.ports.most(), 2.0 * static_cast<double>(standard.addresses) + 2)));
            standard.flows =
                static_cast<float>(std::max(0.999 * static_cast<double>(standard.flows),
                                            std::min<double>(device.destinations.most_flows(),
                                                             2 * static_cast<double>(standard.flows) + 20)));
            ++standard.windows;
        }
        device.ports.clear();
        device.destinations.clear();
        device.sent = {};
        device.window = number;
    }
    if (const auto hour = flow.time.ticks / kLongWindow.count(); hour > device.long_window) {
        if (device.long_window >= 0 && flow.time - device.attack > kLongWindow)
            device.standard.bytes_out = static_cast<float>(
                std::max(0.999 * static_cast<double>(device.standard.bytes_out),
                         std::min(device.hour.most_bytes_out(),
                                  2 * static_cast<double>(device.standard.bytes_out) + 1e7)));
        device.long_ports.clear();
        device.hour.clear();
        device.long_window = hour;
    }
    if (const auto day = flow.time.ticks / kDay.count(); day > device.day) {
        device.day_ports.clear();
        device.day = day;
    }
}

void NetworkDetector::judge_ports(Sight& sight) {
    const auto& flow = sight.flow;
    if (flow.measured && !flow.unanswered && !is_scanned_for_logins(flow)) return;
    const bool tcp = flow.transport == Transport::Tcp;
    const double usual = static_cast<double>(sight.device.standard.addresses);
    const double factor = flow.measured ? 1 : kAgentFactor;
    const auto judge = [&](PortTable& table, const Limit& limit, Ticks span) {
        auto& entry = table.add(flow);
        const double count = entry.addresses.count();
        // On the ports of everyday business a line that is cut leaves as many calls in vain as a small scan.
        const double own = limit.of(sight.learned, usual);
        const bool cut = flow.external && flow.time - sight.device.answered > kWindow;
        const double most = factor * (!is_common(flow) ? own
                                      : cut            ? limit.most
                                                       : std::max(own, limit.unknown));
        if (entry.raised || count < most) return;
        entry.raised = true;
        sight.device.attack = std::max(sight.device.attack, flow.time);
        sight.raise(
            {.type = kNetworkScan,
             .discriminator = fmt::format("{}/{}", to_string(flow.transport), flow.port),
             .description = fmt::format("The device tried port {}/{} on about {:.0f} addresses within {}; "
                                        "up to {:.0f} is tolerated.",
                                        flow.port, to_string(flow.transport), count,
                                        span == kWindow       ? "five minutes"
                                        : span == kLongWindow ? "an hour"
                                                              : "a day",
                                        most),
             .feature = "addresses tried on one port",
             .observed = std::round(count),
             .expected_most = most,
             .since = flow.time - span,
             .one_address = false});
    };
    judge(sight.device.ports, tcp ? kTcpAddresses : kOtherAddresses, kWindow);
    judge(sight.device.long_ports, tcp ? kTcpAddressesLong : kOtherAddressesLong, kLongWindow);
    if (tcp && flow.measured && !is_common(flow)) judge(sight.device.day_ports, kTcpAddressesDay, kDay);
}

void NetworkDetector::judge_destination(Sight& sight) {
    const auto& flow = sight.flow;
    const double window_s = 300;
    // How much of a long flow falls into one window.
    const double share = std::min(1.0, window_s / std::max(flow.seconds, window_s));
    auto& entry = sight.device.destinations.add(flow, share);
    const auto raise = [&](const AlertType& type, std::string_view feature, double observed, double most) {
        sight.device.attack = std::max(sight.device.attack, flow.time);
        sight.raise({.type = type,
                     .discriminator = flow.remote.text(),
                     .description =
                         fmt::format("{} to {} within five minutes: {:.0f}, where up to {:.0f} is tolerated.",
                                     feature, flow.remote.text(), observed, most),
                     .feature = std::string(feature),
                     .observed = std::round(observed),
                     .expected_most = most,
                     .since = flow.time - kWindow});
    };
    const double usual = static_cast<double>(sight.device.standard.flows);
    const double factor = entry.lookups * 2 > entry.flows ? kLookupFactor : flow.measured ? 1 : kAgentFactor;
    const double flows_most = factor * kFlows.of(sight.learned, usual);
    const double unanswered_most = factor * kUnanswered.of(sight.learned, usual);
    const double packets_most = flow.external ? kFloodPackets : kFloodPacketsInside;
    if (!entry.flood_raised) {
        entry.flood_raised = true;
        if (static_cast<double>(entry.flows) >= flows_most)
            raise(kFlood, "flows", entry.flows, flows_most);
        else if (entry.unanswered >= unanswered_most)
            raise(kFlood, "unanswered flows", entry.unanswered, unanswered_most);
        else if (entry.packets_out >= packets_most && entry.packets_in * 100 <= entry.packets_out)
            raise(kFlood, "packets without an answer", entry.packets_out, packets_most);
        else if (entry.packets_out >= packets_most && flow.transport == Transport::Icmp)
            raise(kFlood, "packets of control messages", entry.packets_out, packets_most);
        else
            entry.flood_raised = false;
    }
    // Spread over a network, no single address gets much of it.
    auto& all = sight.device.sent;
    if (flow.external) {
        all.packets_out += flow.packets_out * share;
        all.packets_in += flow.packets_in * share;
    }
    const bool attacked = sight.device.attack.ticks > 0 && flow.time - sight.device.attack <= kWindow;
    if (!all.raised && !attacked && all.packets_out >= kFloodPacketsAll &&
        all.packets_in * 100 <= all.packets_out) {
        all.raised = true;
        raise(kFlood, "packets without an answer, to all outside, the last of them", all.packets_out,
              kFloodPacketsAll);
    }
    if (!entry.ports_raised && entry.ports.count() >= kPortsTried) {
        entry.ports_raised = true;
        raise(kNetworkScan, "ports tried in vain", entry.ports.count(), kPortsTried);
    }
    const double guesses = entry.logins > entry.unanswered ? entry.logins - entry.unanswered : 0;
    if (!entry.guessing_raised && guesses >= factor * kGuesses) {
        entry.guessing_raised = true;
        raise(kGuessing, "connections to a login service", guesses, factor * kGuesses);
    }
}

void NetworkDetector::judge_hour(Sight& sight) {
    const auto& flow = sight.flow;
    auto& device = sight.device;
    auto& entry = device.hour.add(flow);
    const auto raise = [&](const AlertType& type, std::string_view feature, double observed, double most) {
        device.attack = std::max(device.attack, flow.time);
        sight.raise(
            {.type = type,
             .discriminator = flow.remote.text(),
             .description = fmt::format("{} to {} within an hour: {:.0f}, where up to {:.0f} is tolerated.",
                                        feature, flow.remote.text(), observed, most),
             .feature = std::string(feature),
             .observed = std::round(observed),
             .expected_most = most,
             .since = flow.time - kLongWindow});
    };
    if (!entry.ports_raised && entry.ports.count() >= kPortsTriedHour) {
        entry.ports_raised = true;
        raise(kNetworkScan, "ports tried in vain", entry.ports.count(), kPortsTriedHour);
    }
    const double factor = flow.measured ? 1 : kAgentFactor;
    if (!entry.guessing_raised && entry.logins >= factor * kGuessesHour) {
        entry.guessing_raised = true;
        raise(kGuessing, "connections to a login service", entry.logins, factor * kGuessesHour);
    }
    if (entry.bytes_raised || !flow.external || !sight.learned) return;
    if (Filter{device.standard.nets}.has(net_hash(flow))) return;
    const bool ordinary = is_common(flow) && !flow.wordless;
    const double usual = static_cast<double>(device.standard.bytes_out);
    const double most = ordinary ? std::max(kBytesOutCommon, kBytesOutCommonFactor * usual)
                                 : std::max(kBytesOut, kBytesOutFactor * usual);
    const auto bytes_out = static_cast<double>(entry.bytes_out);
    if (bytes_out < most || bytes_out < kOutOfIn * static_cast<double>(entry.bytes_in)) return;
    entry.bytes_raised = true;
    raise(kExfiltration, "bytes out", bytes_out, most);
}

/// Whether the devices of its hub live alike, and this contact is this one's alone: among at least ten, half
/// of which share another of its contacts.
bool NetworkDetector::is_unlike_its_peers(const Sight& sight, const ContactTable::Entry& contact) const {
    const auto devices_of = [&](const ContactTable::Entry& entry) -> std::size_t {
        return devices_by_contact_.count(contact_hash(sight.event.hub, net_hash(entry)));
    };
    if (devices_.size() < 10 || devices_of(contact) > 1) return false;
    return std::ranges::any_of(sight.device.contacts.entries(), [&](const ContactTable::Entry& other) {
        return other.count > 0 && other.port != 53 && other.port != 123 &&
               devices_of(other) * 2 >= devices_.size();
    });
}

/// Whether a contact came beside what the device calls on that port, and not in its place: a cloud that moves
/// leaves its old networks. Asked only of a device that calls few of them, for the others meet new ones
/// daily.
bool NetworkDetector::is_additional(const Sight& sight, const ContactTable::Entry& contact) const {
    struct Network {
        std::uint64_t key = 0;
        Timestamp last;
        double gap = 0;  ///< seconds
    };
    std::array<Network, kFewNetworks> networks{};
    std::size_t count = 0;
    const auto own = net_hash(contact);
    for (const auto& other : sight.device.contacts.entries()) {
        if (other.count < 3 || other.port != contact.port || other.transport != contact.transport) continue;
        const auto key = net_hash(other);
        if (key == own || contact.first - other.last > kDay) continue;
        auto* at = std::ranges::find(networks.begin(), networks.begin() + count, key, &Network::key);
        if (at == networks.begin() + count && count++ == kFewNetworks) return false;
        *at = {
            .key = key, .last = std::max(at->last, other.last), .gap = std::max(at->gap, other.median_gap())};
    }
    bool any = false;
    for (const auto& network : std::span(networks).first(count)) {
        const auto patience =
            std::chrono::duration_cast<Ticks>(std::chrono::duration<double>(3 * network.gap));
        if (network.last + patience < contact.first) continue;  // left before, for another one
        if (sight.flow.time - network.last > patience) return false;
        any = true;
    }
    return any;
}

/// Whether a contact that keeps its time is one to a command server.
bool NetworkDetector::beacons(const Sight& sight, const ContactTable::Entry& contact) const {
    const auto& flow = sight.flow;
    const auto& device = sight.device;
    const double regular = contact.regularity();
    const bool tcp = flow.transport == Transport::Tcp;
    const bool in_vain = flow.measured && tcp && contact.unanswered * 5 >= contact.count * 4;
    const bool attacked = device.attack.ticks > 0 && flow.time - device.attack <= kDay;
    const bool common = is_common(flow);
    const auto polled = std::uint64_t{1} << (port_hash(flow) & 63);
    const bool new_habit = contact.fresh && tcp && (device.standard.polled & polled) == 0;
    const bool brief = contact.brief * 5 >= contact.count * 4;
    const auto devices = [&] {
        return devices_by_contact_.count(contact_hash(sight.event.hub, net_hash(flow)));
    };
    // By what the device was known for, or by what nobody does.
    if ((in_vain && !common && contact.count >= 10 && regular >= 0.5) ||
        (contact.fresh && !common && contact.count >= 7 && regular >= 0.6) ||
        (contact.fresh && in_vain && contact.count >= 12 && regular >= 0.6) ||
        (new_habit && contact.count >= 15 && regular >= 0.75) ||
        (contact.fresh && tcp && contact.count >= 20 && regular >= 0.75 && brief &&
         contact.last - contact.first >= kBothCalled &&
         devices() <= 1 &&  // what came with an update comes to the others too
         is_additional(sight, contact)) ||
        (attacked && (contact.fresh || !sight.learned) && !common && contact.count >= 7 && regular >= 0.5) ||
        (is_ill_famed(flow) && contact.count >= 7 && regular >= 0.5))
        return true;
    if (sight.learned || contact.last - contact.first < kQuarter || contact.count < 15 || regular < 0.7)
        return false;
    // Infected before we first saw it: short calls in no known protocol, or what only one of many alike does.
    const bool wordless = brief && contact.wordless * 5 >= contact.count * 4;
    if (tcp && wordless && devices() <= 2) return true;
    return !common && is_unlike_its_peers(sight, contact);
}

void NetworkDetector::judge_contact(Sight& sight) {
    const auto& flow = sight.flow;
    auto& device = sight.device;
    Filter nets{device.standard.nets};
    const auto net = net_hash(flow);
    if (!sight.learned) nets.add(net);
    if (device.ports.addresses(flow) >= kBusyPort) return;
    auto* const contact = device.contacts.add(flow, !nets.has(net));
    if (contact == nullptr || contact->raised) return;
    if (contact->count == 2) devices_by_contact_.add(contact_hash(sight.event.hub, net));
    if (flow.time - contact->first >= kDay) nets.add(net);
    const auto raise = [&](std::string_view manner) {
        contact->raised = true;
        sight.raise(
            {.type = kBeacon,
             .discriminator = fmt::format("{}:{}", flow.remote.text(), flow.port),
             .description = fmt::format("The device contacted {} on port {}/{} {} times, {}, {} of them "
                                        "in vain.",
                                        flow.remote.text(), flow.port, to_string(flow.transport),
                                        contact->count, manner, contact->unanswered),
             .feature = "regular contacts with one address",
             .observed = static_cast<double>(contact->count),
             .expected_most = contact->fresh ? 0.0 : 9.0,
             .since = contact->first});
    };
    if (flow.chat && contact->count >= 3) return raise("in the protocol of a chat server");

    const double gap = contact->median_gap();
    if (gap < 2 || gap > 7'200 || contact->last - contact->first < std::chrono::minutes(1)) return;
    if (beacons(sight, *contact)) return raise(fmt::format("about every {:.0f} seconds", gap));
    // Whether the device polls anybody on this port is part of its standard.
    if (!sight.learned && contact->count >= 7 && contact->regularity() >= 0.6)
        device.standard.polled |= std::uint64_t{1} << (port_hash(flow) & 63);
}

void NetworkDetector::judge_new_port(Sight& sight) {
    const auto& flow = sight.flow;
    auto& device = sight.device;
    Filter ports{device.standard.ports};
    const auto hash = port_hash(flow);
    if (!sight.learned) return ports.add(hash);
    // Media streams choose their ports as they like.
    const bool arbitrary = flow.transport == Transport::Udp && flow.port >= 10'000;
    if (flow.unanswered || ports.has(hash) || arbitrary || is_common(flow)) return;
    if (device.new_port != flow.port) device.new_port_flows = 0;
    device.new_port = flow.port;
    if (++device.new_port_flows < 3) return;
    ports.add(hash);
    const bool told = device.rare_raised.ticks > 0 && flow.time - device.rare_raised <= kDay;
    if (told || (device.attack.ticks > 0 && flow.time - device.attack <= kLongWindow)) return;
    device.rare_raised = flow.time;
    sight.raise(
        {.type = kRareDestination,
         .discriminator = fmt::format("{}/{}", to_string(flow.transport), flow.port),
         .description = fmt::format("The device never used port {}/{} outside its network before, and now "
                                    "does, with {}.",
                                    flow.port, to_string(flow.transport), flow.remote.text()),
         .feature = "flows to a port that is new to the device",
         .observed = static_cast<double>(device.new_port_flows),
         .expected_most = 0,
         .since = flow.time - kLongWindow,
         .one_address = false});
}

}  // namespace fieldwatch::detect
