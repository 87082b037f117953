// The packet filter as the kernel holds it: nftables' chains and rules, asked for over netlink (iptables-nft
// included; legacy iptables is not). Needs CAP_NET_ADMIN; the bytes are handed on unparsed.
#pragma once

#include <functional>

#include "agent/bpf/records.h"
#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fieldwatch::agent {

inline constexpr std::size_t kFirewallBytesMax = 1u << 20;  // some 4,000 rules

/// The netlink messages of both dumps, one after the other, in this process's network namespace.
/// Errors: Unsupported (no nftables in this kernel), Forbidden, TooLarge, Io.
Result<Bytes> dump_nftables();

/// Cuts a dump into records; each() may refuse, then the rest is not sent and false comes back.
bool split_firewall(ByteView dump, std::uint32_t snapshot,
                    const std::function<bool(const fw_firewall&)>& each);

}  // namespace fieldwatch::agent
