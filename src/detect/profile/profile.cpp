#include "detect/profile/profile.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include <fmt/format.h>

#include "base/ip_address.hpp"
#include "detect/command/address.hpp"

namespace fieldwatch::detect {
namespace {

constexpr std::size_t kNetworkFrom = 4;  ///< addresses of one network, before it is named instead of them

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    return out;
}

/// The network of an address that services move within.
std::string network_of(IpAddress address) {
    std::fill(address.bytes.begin() + (address.is_v4 ? 3 : 6), address.bytes.end(), std::uint8_t{0});
    return address.text() + (address.is_v4 ? "/24" : "/48");
}

bool is_anybody(const IpAddress& address) {
    const bool multicast = address.is_v4 ? address.v4() >= 0xE0000000U : address.bytes[0] == 0xFF;
    const bool link_local = address.is_v4 ? (address.v4() >> 16) == 0xA9FEU
                                          : address.bytes[0] == 0xFE && (address.bytes[1] & 0xC0) == 0x80;
    return multicast || link_local || address.is_loopback() || address.is_unspecified();
}

bool is_local(const std::string& address) {
    return !is_external(address, {.documentation_is_external = true, .local_suffixes = {}});
}

using Service = std::tuple<bool, std::string, std::uint16_t, std::string>;  // direction … program

void take(Talk& talk, const ConnectionRow& row) {
    const bool first = talk.count == 0;
    talk.programs.insert(row.program);
    talk.devices.insert(row.device);
    if (talk.addresses.size() < Talk::kAddressesMax) talk.addresses.insert(row.remote_address);
    talk.count += row.count;
    talk.first = first ? row.first : std::min(talk.first, row.first);
    talk.last = first ? row.last : std::max(talk.last, row.last);
}

/// How the peers of one program and service are told.
class Peers {
  public:
    Peers(const std::vector<const ConnectionRow*>& rows, std::size_t peers_max) {
        std::map<std::string, std::set<std::string>> by_network;
        std::set<std::string> all;
        for (const auto* const row : rows) {
            const auto address = parse_ip(row->remote_address);
            if (!row->name.empty()) {
                all.insert(lower(row->name));
            } else if (address && !is_local(row->remote_address)) {
                by_network[network_of(*address)].insert(row->remote_address);
            }
        }
        for (const auto& [network, addresses] : by_network) {
            if (addresses.size() >= kNetworkFrom) wide_.insert(network);
            all.insert(network);
        }
        too_many_ = all.size() > peers_max;
    }

    std::pair<PeerKind, std::string> of(const ConnectionRow& row) const {
        const auto address = parse_ip(row.remote_address);
        if (is_local(row.remote_address)) return {PeerKind::Local, {}};
        if (too_many_) return {PeerKind::Anybody, {}};
        if (!row.name.empty()) return {PeerKind::Name, lower(row.name)};
        const auto network = network_of(*address);
        if (wide_.contains(network)) return {PeerKind::Network, network};
        return {PeerKind::Network, address->text() + (address->is_v4 ? "/32" : "/128")};
    }

  private:
    std::set<std::string> wide_;
    bool too_many_ = false;
};

/// Where a service is used with anybody outside, those that are named say nothing more.
void cover(std::map<std::string, Talk>& talks) {
    std::erase_if(talks, [&](const auto& one) {
        const Talk& talk = one.second;
        if (talk.kind != PeerKind::Name && talk.kind != PeerKind::Network) return false;
        auto wide = talk;
        wide.kind = PeerKind::Anybody;
        const auto over = talks.find(wide.line());
        if (over == talks.end()) return false;
        over->second.programs.insert(talk.programs.begin(), talk.programs.end());
        over->second.devices.insert(talk.devices.begin(), talk.devices.end());
        over->second.count += talk.count;
        over->second.first = std::min(over->second.first, talk.first);
        over->second.last = std::max(over->second.last, talk.last);
        return true;
    });
}

}  // namespace

std::string Talk::line() const {
    const std::string_view whom = kind == PeerKind::Local     ? std::string_view("local")
                                  : kind == PeerKind::Anybody ? std::string_view("anybody")
                                                              : std::string_view(peer);
    const auto service = port == 0 ? protocol : fmt::format("{}/{}", protocol, port);
    return fmt::format("{} {} {}", outgoing ? "out" : "in", service, whom);
}

std::vector<std::string> Profile::lines() const {
    std::vector<std::string> out;
    out.reserve(talks.size());
    for (const auto& talk : talks)
        out.push_back(talk.line());
    return out;
}

Profile make_profile(const std::vector<ConnectionRow>& connections, const std::vector<ProgramRow>& programs,
                     const std::vector<HourRow>& hours, const ProfileOptions& options) {
    Profile out{.name = options.name, .devices = {}, .talks = {}, .programs = {}};
    std::map<Service, std::vector<const ConnectionRow*>> services;
    for (const auto& row : connections) {
        const auto address = parse_ip(row.remote_address);
        if (!address || is_anybody(*address)) continue;
        services[{row.outgoing, lower(row.protocol), row.port, row.program}].push_back(&row);
        out.devices.insert(row.device);
        out.last = std::max(out.last, row.last);
    }
    std::map<std::string, Talk> talks;
    for (const auto& [service, rows] : services) {
        const Peers peers(rows, options.peers_max);
        for (const auto* const row : rows) {
            auto [kind, peer] = peers.of(*row);
            Talk talk{.outgoing = row->outgoing,
                      .protocol = lower(row->protocol),
                      .port = row->port,
                      .kind = kind,
                      .peer = std::move(peer),
                      .programs = {},
                      .devices = {},
                      .addresses = {}};
            auto line = talk.line();
            take(talks.try_emplace(std::move(line), std::move(talk)).first->second, *row);
        }
    }
    cover(talks);
    for (auto& [line, talk] : talks)
        if (talk.devices.size() >= options.devices_min) out.talks.push_back(std::move(talk));
    std::map<std::string, Program> by_path;
    for (const auto& row : programs) {
        auto& program = by_path[row.program];
        const bool first = program.count == 0;
        program.path = row.program;
        if (!row.user.empty()) program.users.insert(row.user);
        program.devices.insert(row.device);
        program.count += row.count;
        program.first = first ? row.first : std::min(program.first, row.first);
        program.last = first ? row.last : std::max(program.last, row.last);
        out.devices.insert(row.device);
        out.last = std::max(out.last, row.last);
    }
    for (auto& [path, program] : by_path)
        if (program.devices.size() >= options.devices_min) out.programs.push_back(std::move(program));
    for (const auto& row : hours)
        if (row.hour < out.hours.size()) out.hours[row.hour] += row.count;
    return out;
}

ProfileDiff diff_lines(std::vector<std::string> reviewed, std::vector<std::string> now) {
    std::ranges::sort(reviewed);
    std::ranges::sort(now);
    ProfileDiff out;
    std::ranges::set_difference(now, reviewed, std::back_inserter(out.added));
    std::ranges::set_difference(reviewed, now, std::back_inserter(out.gone));
    return out;
}

}  // namespace fieldwatch::detect
