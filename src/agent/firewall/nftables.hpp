// Reads nftables' chains and rules from netlink messages into FirewallConfiguration payloads. What an
// expression says beyond addresses, ports, protocol and verdict goes, by its name, into ExtraDetails.
#pragma once

#include <vector>

#include "agent/aggregation/observation.hpp"
#include "base/bytes.hpp"

namespace fieldwatch::agent {

inline constexpr std::size_t kFirewallRulesMax = 4'096;

/// One observation per rule in evaluation order, chain by chain; a base chain's policy is its last rule.
/// Broken messages are left out; at most kFirewallRulesMax.
std::vector<Observation> read_nftables(ByteView messages);

}  // namespace fieldwatch::agent
