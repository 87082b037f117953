// What the collector and the responder keep of root. It needs none of root's files to be writable and no
// network: only to load programs, to look into other processes, and to read logs.
#pragma once

#include <cstdint>

#include "base/result.hpp"

namespace fieldwatch::agent {

/// Takes on the account that process `sender_pid` runs under and keeps CAP_BPF, CAP_PERFMON (CAP_SYS_ADMIN on
/// kernels before 5.8, which have neither), CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_NET_ADMIN and
/// CAP_AUDIT_READ, as far as they are held. Nothing can be had back, not by exec either. Does nothing when
/// not run by root. Errors: Io.
Result<void> narrow_privileges(std::uint32_t sender_pid);
/// The same with another set, a bit for each capability.
Result<void> keep_only(std::uint64_t capabilities, std::uint32_t sender_pid);

/// Gives up CAP_NET_ADMIN, which only the proc connector needs.
void forgo_net_admin();

}  // namespace fieldwatch::agent
