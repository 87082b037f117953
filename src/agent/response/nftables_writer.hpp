// The nftables table `fieldwatch` of our own, as netlink messages: who is blocked, and whether the device is
// isolated. Each element has a timeout that the kernel itself keeps: what was done ends without us.
#pragma once

#include <chrono>
#include <vector>

#include "agent/response/request.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fieldwatch::agent {

/// One batch each, complete: the kernel takes all of it or nothing. Pure bytes.
///
/// The table: in every hook packets from and to `blocked4`/`blocked6` are dropped; then loopback,
/// `hub4`/`hub6` and neighbour discovery are accepted; then all is dropped whose protocol family is in
/// `isolated`.
Bytes nft_make_table();
Bytes nft_delete_table();
Bytes nft_block(const NetworkAddress& address, std::chrono::seconds expiry);
/// Only `hub` stays reachable. An isolation under way is replaced.
Bytes nft_isolate(const std::vector<NetworkAddress>& hub, std::chrono::seconds expiry);

/// Sends one batch and reads its answer; needs CAP_NET_ADMIN. Errors: Forbidden, Unsupported (no nftables),
/// AlreadyExists, NotFound, Io.
Result<void> nft_send(ByteView batch);

}  // namespace fieldwatch::agent
