// What one device did on the network in the running window: which ports it tried on how many addresses, what
// it sent to whom. Small tables that keep the busiest; constant memory and work a flow.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "detect/behaviour/flow.hpp"

namespace fieldwatch::detect {

/// How many different things were added, about: linear counting over 256 bits, within 10 % up to 300.
class Distinct {
  public:
    void add(std::uint64_t hash) { bits_[(hash >> 6) % 4] |= std::uint64_t{1} << (hash & 63); }
    double count() const;
    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    std::array<std::uint64_t, 4> bits_{};
};

/// Addresses that were tried in vain, by port: what a horizontal scan is made of.
class PortTable {
  public:
    struct Entry {
        std::uint16_t port = 0;
        Transport transport = Transport::Other;
        bool raised = false;
        std::uint32_t flows = 0;
        Distinct addresses;
    };
    /// The entry of the flow's port, with the flow in it; the least busy one makes room.
    Entry& add(const Flow& flow);
    void clear() { entries_ = {}; }
    double most() const;                       ///< addresses of the widest entry
    double addresses(const Flow& flow) const;  ///< of the flow's port
    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    std::array<Entry, 6> entries_{};
};

/// Flows and packets by remote address: what floods, vertical scans and password guessing are made of.
class DestinationTable {
  public:
    struct Entry {
        IpAddress remote;
        std::uint16_t port = 0;  ///< of the newest flow
        Transport transport = Transport::Other;
        bool flood_raised = false, ports_raised = false, guessing_raised = false;
        std::uint32_t flows = 0, unanswered = 0, logins = 0, lookups = 0;
        double packets_out = 0, packets_in = 0;
        Distinct ports;  ///< TCP ones, tried in vain
    };
    /// `share`: how much of the flow's packets falls into one window.
    Entry& add(const Flow& flow, double share);
    void clear() { entries_ = {}; }
    std::uint32_t most_flows() const;
    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    std::array<Entry, 12> entries_{};
};

/// What one device did to single addresses within the hour, for what is too slow for the window: guesses one
/// by one, a patient look at all ports, data carried out. The least busy one makes room.
class HourTable {
  public:
    struct Entry {
        IpAddress remote;
        bool ports_raised = false, guessing_raised = false, bytes_raised = false;
        std::uint32_t flows = 0, logins = 0;  ///< logins: answered ones
        float bytes_out = 0, bytes_in = 0;
        Distinct ports;  ///< TCP ones, tried in vain
    };
    Entry& add(const Flow& flow);
    void clear() { entries_ = {}; }
    double most_bytes_out() const;
    void save(ByteWriter& out) const;
    Result<void> restore(ByteReader& in);

  private:
    std::array<Entry, 6> entries_{};
};

bool is_login_port(std::uint16_t port);
std::uint64_t hash_of(const IpAddress& address);
void write(ByteWriter& out, const IpAddress& address);
Result<IpAddress> read_address(ByteReader& in);
Result<Transport> read_transport(ByteReader& in);

}  // namespace fieldwatch::detect
