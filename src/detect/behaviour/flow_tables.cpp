#include "detect/behaviour/flow_tables.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/hash.hpp"

namespace fieldwatch::detect {
namespace {

bool is_lookup(const Flow& flow) {
    return flow.port == 53 || flow.port == 5353;
}

}  // namespace

bool is_login_port(std::uint16_t port) {
    return port == 21 || port == 22 || port == 23 || port == 2222 || port == 2323 || port == 3389 ||
           port == 5900;
}

std::uint64_t hash_of(const IpAddress& address) {
    return hash64(std::as_bytes(std::span(address.bytes)), address.is_v4 ? 4 : 6);
}

void write(ByteWriter& out, const IpAddress& address) {
    out.u8(address.is_v4 ? 1 : 0);
    out.bytes(std::as_bytes(std::span(address.bytes)));
}

Result<IpAddress> read_address(ByteReader& in) {
    IpAddress out;
    out.is_v4 = FIELDWATCH_TRY(in.u8()) != 0;
    const auto bytes = FIELDWATCH_TRY(in.bytes(out.bytes.size()));
    std::ranges::transform(bytes, out.bytes.begin(),
                           [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
    return out;
}

Result<Transport> read_transport(ByteReader& in) {
    const auto value = FIELDWATCH_TRY(in.u8());
    if (value > static_cast<std::uint8_t>(Transport::Icmp)) return fail(Errc::Corrupt, "no such transport");
    return static_cast<Transport>(value);
}

double Distinct::count() const {
    int set = 0;
    for (const auto word : bits_)
        set += std::popcount(word);
    return set >= 255 ? 256 * std::log(256.0) : -256 * std::log(1 - set / 256.0);
}

void Distinct::save(ByteWriter& out) const {
    for (const auto word : bits_)
        out.u64(word);
}

Result<void> Distinct::restore(ByteReader& in) {
    for (auto& word : bits_)
        word = FIELDWATCH_TRY(in.u64());
    return {};
}

PortTable::Entry& PortTable::add(const Flow& flow) {
    auto found = std::ranges::find_if(entries_, [&](const Entry& entry) {
        return entry.flows > 0 && entry.port == flow.port && entry.transport == flow.transport;
    });
    if (found == entries_.end()) {
        found = std::ranges::min_element(entries_, {}, &Entry::flows);
        *found = {.port = flow.port, .transport = flow.transport, .addresses = {}};
    }
    ++found->flows;
    found->addresses.add(hash_of(flow.remote));
    return *found;
}

double PortTable::most() const {
    double out = 0;
    for (const auto& entry : entries_)
        out = std::max(out, entry.addresses.count());
    return out;
}

double PortTable::addresses(const Flow& flow) const {
    for (const auto& entry : entries_)
        if (entry.flows > 0 && entry.port == flow.port && entry.transport == flow.transport)
            return entry.addresses.count();
    return 0;
}

void PortTable::save(ByteWriter& out) const {
    for (const auto& entry : entries_) {
        out.u16(entry.port);
        out.u8(static_cast<std::uint8_t>(entry.transport));
        out.u8(entry.raised ? 1 : 0);
        out.u32(entry.flows);
        entry.addresses.save(out);
    }
}

Result<void> PortTable::restore(ByteReader& in) {
    for (auto& entry : entries_) {
        entry.port = FIELDWATCH_TRY(in.u16());
        entry.transport = FIELDWATCH_TRY(read_transport(in));
        entry.raised = FIELDWATCH_TRY(in.u8()) != 0;
        entry.flows = FIELDWATCH_TRY(in.u32());
        FIELDWATCH_TRY(entry.addresses.restore(in));
    }
    return {};
}

DestinationTable::Entry& DestinationTable::add(const Flow& flow, double share) {
    auto found = std::ranges::find_if(
        entries_, [&](const Entry& entry) { return entry.flows > 0 && entry.remote == flow.remote; });
    if (found == entries_.end()) {
        found = std::ranges::min_element(entries_, {}, &Entry::flows);
        *found = {.remote = flow.remote, .ports = {}};
    }
    const auto hits = static_cast<std::uint32_t>(std::min<std::int64_t>(flow.hits, 1'000'000));
    found->port = flow.port;
    found->transport = flow.transport;
    found->flows += hits;
    if (flow.unanswered) found->unanswered += hits;
    if (is_lookup(flow)) found->lookups += hits;
    if (flow.transport == Transport::Tcp && is_login_port(flow.port)) found->logins += hits;
    found->packets_out += flow.packets_out * share;
    found->packets_in += flow.packets_in * share;
    if (flow.unanswered && flow.transport == Transport::Tcp) {
        const std::uint16_t port = flow.port;
        found->ports.add(hash64(std::as_bytes(std::span(&port, 1))));
    }
    return *found;
}

std::uint32_t DestinationTable::most_flows() const {
    return std::ranges::max_element(entries_, {}, &Entry::flows)->flows;
}

void DestinationTable::save(ByteWriter& out) const {
    for (const auto& entry : entries_) {
        write(out, entry.remote);
        out.u16(entry.port);
        out.u8(static_cast<std::uint8_t>(entry.transport));
        out.u8(static_cast<std::uint8_t>((entry.flood_raised ? 1 : 0) | (entry.ports_raised ? 2 : 0) |
                                         (entry.guessing_raised ? 4 : 0)));
        out.u32(entry.flows);
        out.u32(entry.unanswered);
        out.u32(entry.logins);
        out.u32(entry.lookups);
        out.f64(entry.packets_out);
        out.f64(entry.packets_in);
        entry.ports.save(out);
    }
}

Result<void> DestinationTable::restore(ByteReader& in) {
    for (auto& entry : entries_) {
        entry.remote = FIELDWATCH_TRY(read_address(in));
        entry.port = FIELDWATCH_TRY(in.u16());
        entry.transport = FIELDWATCH_TRY(read_transport(in));
        const auto raised = FIELDWATCH_TRY(in.u8());
        entry.flood_raised = (raised & 1) != 0;
        entry.ports_raised = (raised & 2) != 0;
        entry.guessing_raised = (raised & 4) != 0;
        entry.flows = FIELDWATCH_TRY(in.u32());
        entry.unanswered = FIELDWATCH_TRY(in.u32());
        entry.logins = FIELDWATCH_TRY(in.u32());
        entry.lookups = FIELDWATCH_TRY(in.u32());
        entry.packets_out = FIELDWATCH_TRY(in.f64());
        entry.packets_in = FIELDWATCH_TRY(in.f64());
        FIELDWATCH_TRY(entry.ports.restore(in));
    }
    return {};
}

HourTable::Entry& HourTable::add(const Flow& flow) {
    auto found = std::ranges::find_if(
        entries_, [&](const Entry& entry) { return entry.flows > 0 && entry.remote == flow.remote; });
    if (found == entries_.end()) {
        // What carries data stays before what only came often.
        const auto worth = [](const Entry& entry) {
            return std::pair(entry.bytes_out >= 1e6F, static_cast<float>(entry.flows));
        };
        found = std::ranges::min_element(entries_, {}, worth);
        *found = {.remote = flow.remote, .ports = {}};
    }
    const auto hits = static_cast<std::uint32_t>(std::min<std::int64_t>(flow.hits, 1'000'000));
    found->flows += hits;
    const bool tcp = flow.transport == Transport::Tcp;
    if (tcp && !flow.unanswered && is_login_port(flow.port)) found->logins += hits;
    if (tcp && flow.unanswered) {
        const std::uint16_t port = flow.port;
        found->ports.add(hash64(std::as_bytes(std::span(&port, 1))));
    }
    found->bytes_out += static_cast<float>(flow.bytes_out);
    found->bytes_in += static_cast<float>(flow.bytes_in);
    return *found;
}

double HourTable::most_bytes_out() const {
    return static_cast<double>(std::ranges::max_element(entries_, {}, &Entry::bytes_out)->bytes_out);
}

void HourTable::save(ByteWriter& out) const {
    for (const auto& entry : entries_) {
        write(out, entry.remote);
        out.u8(static_cast<std::uint8_t>((entry.ports_raised ? 1 : 0) | (entry.guessing_raised ? 2 : 0) |
                                         (entry.bytes_raised ? 4 : 0)));
        out.u32(entry.flows);
        out.u32(entry.logins);
        out.f64(static_cast<double>(entry.bytes_out));
        out.f64(static_cast<double>(entry.bytes_in));
        entry.ports.save(out);
    }
}

Result<void> HourTable::restore(ByteReader& in) {
    const auto amount = [&](float& value) -> Result<void> {
        const double saved = FIELDWATCH_TRY(in.f64());
        if (!(saved >= 0 && saved < 1e30)) return fail(Errc::Corrupt, "an amount of bytes is out of range");
        value = static_cast<float>(saved);
        return {};
    };
    for (auto& entry : entries_) {
        entry.remote = FIELDWATCH_TRY(read_address(in));
        const auto raised = FIELDWATCH_TRY(in.u8());
        entry.ports_raised = (raised & 1) != 0;
        entry.guessing_raised = (raised & 2) != 0;
        entry.bytes_raised = (raised & 4) != 0;
        entry.flows = FIELDWATCH_TRY(in.u32());
        entry.logins = FIELDWATCH_TRY(in.u32());
        FIELDWATCH_TRY(amount(entry.bytes_out));
        FIELDWATCH_TRY(amount(entry.bytes_in));
        FIELDWATCH_TRY(entry.ports.restore(in));
    }
    return {};
}

}  // namespace fieldwatch::detect
